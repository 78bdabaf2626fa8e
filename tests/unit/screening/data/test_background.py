"""A share of the controls becomes a class; the others stay what false alarms are counted on."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from screening.config import BackgroundConfig, DataConfig
from screening.data.preparation import PreparedData, prepare_posts
from screening.exceptions import ConfigError
from screening.taxonomy import load_taxonomy

TAXONOMY = load_taxonomy("mh5_elsewhere")
LABELS = TAXONOMY.names[:-1]
BACKGROUND = BackgroundConfig(label="elsewhere", fraction=0.5)


@pytest.fixture
def prepare(tmp_path: Path, make_posts: Callable[..., pd.DataFrame]) -> Callable[..., PreparedData]:
    for seed, (name, n_posts) in enumerate({"train": 300, "test": 60}.items()):
        make_posts(n_posts, LABELS, seed=seed).to_csv(tmp_path / f"{name}.csv", index=False)
    communities = [f"community-{i % 8}" for i in range(160)]
    controls = make_posts(160, ("plain", "emotional"), seed=9, community=communities)
    controls.to_csv(tmp_path / "controls.csv", index=False)

    def make(background: BackgroundConfig | None = BACKGROUND, **changed: object) -> PreparedData:
        settings = {"source": "file", "path": tmp_path, "controls": tmp_path / "controls.csv", "keep_splits": ("test",)}
        settings |= {"taxonomy": "mh5_elsewhere", "background": background, "group_columns": ("community",)} | changed
        return prepare_posts(DataConfig.model_validate(settings), load_taxonomy(str(settings["taxonomy"])), seed=3)

    # a community column for the posts themselves too, as the controls have one
    for name in ("train", "test"):
        table = pd.read_csv(tmp_path / f"{name}.csv")
        table.assign(community="own").to_csv(tmp_path / f"{name}.csv", index=False)
    return make


def is_background(frame: pd.DataFrame) -> pd.Series:
    return frame["label"] == "elsewhere"


def test_controls_that_are_learnt_are_no_longer_counted_on(prepare: Callable[..., PreparedData]) -> None:
    prepared = prepare()
    learnt = {post for frame in prepared.splits.values() for post in frame.loc[is_background(frame), "post_id"]}
    assert prepared.controls is not None
    counted = set(prepared.controls["post_id"])
    assert len(learnt) == 80
    assert learnt.isdisjoint(counted)
    assert len(learnt | counted) == 160
    assert set(prepared.controls["control_kind"]) == {"plain", "emotional"}


def test_every_split_gets_its_share_of_the_class_also_one_the_source_fixes(
    prepare: Callable[..., PreparedData],
) -> None:
    found = {name: int(is_background(frame).sum()) for name, frame in prepare().splits.items()}
    assert found == {"train": 44, "validation": 8, "calibration": 12, "test": 16}  # of 80: .55, .1, .15, .2


def test_the_other_posts_are_divided_as_without_the_class(prepare: Callable[..., PreparedData]) -> None:
    with_class, without = prepare(), prepare(None, taxonomy="mh5")
    for name, frame in without.splits.items():
        found = with_class.splits[name]
        assert found.loc[~is_background(found), "post_id"].tolist() == frame["post_id"].tolist()


def test_a_community_is_learnt_or_counted_on_and_never_both(prepare: Callable[..., PreparedData]) -> None:
    prepared = prepare(BACKGROUND.model_copy(update={"group_column": "community"}))
    frames = [frame.loc[is_background(frame), "community"] for frame in prepared.splits.values()]
    learnt = set(pd.concat(frames))
    assert prepared.controls is not None
    assert len(learnt) == 4
    assert learnt.isdisjoint(prepared.controls["community"])


def test_the_same_seed_draws_the_same_posts(prepare: Callable[..., PreparedData]) -> None:
    assert prepare().card == prepare().card


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"controls": None}, r"there are none; name a file of them in data\.controls"),
        ({"background": {"label": "nowhere"}}, r"names 'nowhere', and taxonomy mh5_elsewhere has depression"),
        ({"background": {"label": "anxiety"}}, r"belongs to the risk target any_risk"),
        ({"background": {"label": "elsewhere", "group_column": "x"}}, r"data\.background\.group_column names 'x'"),
    ],
)
def test_what_cannot_be_is_refused(
    prepare: Callable[..., PreparedData], changed: dict[str, object], found: str
) -> None:
    with pytest.raises(ConfigError, match=found):
        prepare(**changed)
