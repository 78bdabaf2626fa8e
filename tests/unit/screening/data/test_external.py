from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from screening.config import DataConfig
from screening.data.external import prepare_external_posts
from screening.exceptions import ConfigError, DataAccessError, SchemaError
from screening.taxonomy import Taxonomy

LABELS = ("depression", "self.SuicideWatch", "anxiety", "offmychest", "bipolar")


@pytest.fixture
def elsewhere(tmp_path: Path, make_posts: Callable[..., pd.DataFrame]) -> Callable[[pd.DataFrame | None], DataConfig]:
    """A function that writes external posts to a file and names it in a config."""

    def write(posts: pd.DataFrame | None = None) -> DataConfig:
        path = tmp_path / "elsewhere.csv"
        (make_posts(20, LABELS, seed=5) if posts is None else posts).to_csv(path, index=False)
        return DataConfig(external=path, date_column="day", group_columns=("forum",), id_column="key")

    return write


def test_external_posts_are_read_with_the_columns_they_have_and_labels_by_name(
    elsewhere: Callable[..., DataConfig], make_posts: Callable[..., pd.DataFrame], taxonomy: Taxonomy
) -> None:
    config = elsewhere(make_posts(20, LABELS, seed=5, day="2015-03-01", forum="there", author="somebody"))
    posts, card = prepare_external_posts(config, taxonomy, [])
    assert posts.columns.tolist() == ["post_id", "text", "label", "created_at", "forum"]
    assert posts["post_id"].tolist()[:2] == ["external-elsewhere-1", "external-elsewhere-2"]
    assert set(posts["label"]) == set(taxonomy.names)
    assert card.posts.n_posts == 20
    assert card.location.endswith("elsewhere.csv")


def test_posts_that_repeat_met_posts_or_each_other_are_dropped_and_counted(
    elsewhere: Callable[..., DataConfig], make_posts: Callable[..., pd.DataFrame], taxonomy: Taxonomy
) -> None:
    met = make_posts(30, LABELS, seed=1)["text"].tolist()
    posts = make_posts(20, LABELS, seed=5)
    posts.loc[0, "text"] = met[3].upper()
    posts.loc[1, "text"] = met[4] + " again"
    posts.loc[2, "text"] = "and " + posts.loc[7, "text"]
    posts.loc[4, "text"] += " &amp; so on"
    kept, card = prepare_external_posts(elsewhere(posts), taxonomy, met)
    assert {step.step: step.n_posts for step in card.filters} == {
        "read": 20, "cleaned": 1, "exact_duplicates": 1, "near_duplicates": 2, "kept": 17
    }  # fmt: skip
    assert {f"external-elsewhere-{i}" for i in (1, 2, 8)}.isdisjoint(kept["post_id"])
    assert kept.set_index("post_id").loc["external-elsewhere-5", "text"].endswith("& so on")
    assert "entry" not in card.model_dump_json()


def test_bad_external_rows_are_listed_by_id_and_never_by_text(
    elsewhere: Callable[..., DataConfig], make_posts: Callable[..., pd.DataFrame], taxonomy: Taxonomy
) -> None:
    posts = make_posts(20, LABELS, seed=5)
    posts.loc[3, "label"] = "walrus"
    with pytest.raises(SchemaError, match=r"elsewhere\.csv.*\n.*1 rows \(external-elsewhere-4\)") as caught:
        prepare_external_posts(elsewhere(posts), taxonomy, [])
    assert "walrus" not in str(caught.value)


def test_nothing_left_nothing_there_and_nothing_named_are_refused(
    elsewhere: Callable[..., DataConfig], make_posts: Callable[..., pd.DataFrame], taxonomy: Taxonomy, tmp_path: Path
) -> None:
    posts = make_posts(20, LABELS, seed=5)
    with pytest.raises(SchemaError, match="no post is left"):
        prepare_external_posts(elsewhere(posts), taxonomy, posts["text"].tolist())
    with pytest.raises(DataAccessError, match="nowhere"):
        prepare_external_posts(DataConfig(external=tmp_path / "nowhere.csv"), taxonomy, [])
    with pytest.raises(ConfigError, match=r"data\.external"):
        prepare_external_posts(DataConfig(), taxonomy, [])
    with pytest.raises(SchemaError, match="expected a column 'label'"):
        prepare_external_posts(elsewhere(posts.drop(columns="label")), taxonomy, [])
