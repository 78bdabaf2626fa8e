"""An earlier run beside this one: accepted on the same unseen test posts, refused with a reason otherwise."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.artifacts import RunFolder, StageRecord, create_record, write_json
from pipelines.calibrating.scorers import MODEL_FILE, CalibratedScorer
from pipelines.evaluating.champion import load_champion
from screening.calibration.temperature import TemperatureScaling
from screening.exceptions import ConfigError
from screening.taxonomy import load_taxonomy
from screening.thresholds.operating_point import OperatingPoint

TAXONOMY = load_taxonomy("mh5")
PLANTED = "zyxquartz lanternfish"


def make_posts(name: str, n: int = 6) -> pd.DataFrame:
    texts = [f"{PLANTED} of {name} number {i}" for i in range(n)]
    labels = [TAXONOMY.names[i % 5] for i in range(n)]
    return pd.DataFrame({"post_id": [f"{name}-{i}" for i in range(n)], "text": texts, "label": labels})


def make_point(name: str, labels: tuple[str, ...]) -> OperatingPoint:
    return OperatingPoint(
        name=name, labels=labels, triage="refer", target_recall=0.95, confidence_level=0.95, threshold=0.4,
        n_samples=200, n_positive=59, n_allowed_misses=0, recall_lower_bound=0.9505, confidence_achieved=0.9515,
    )  # fmt: skip


def write_run(root: Path, start: str, **changed: pd.DataFrame) -> RunFolder:
    """Write what a finished run leaves; all runs share their test posts, learned posts are named by ``start``."""
    folder = RunFolder(root)
    folder.data.mkdir(parents=True)
    folder.evaluation.mkdir()
    posts = {name: make_posts(f"{start}-{name}") for name in ("train", "validation", "calibration")}
    posts |= {"test": make_posts("test"), "controls": make_posts("controls")} | changed
    for name, table in posts.items():
        table.to_parquet(folder.split(name))
    for name in ("test", "controls"):
        risks = {f"risk_{target.name}": np.linspace(0, 1, len(posts[name])) for target in TAXONOMY.targets}
        posts[name].drop(columns="text").assign(**risks).to_parquet(folder.evaluation / f"{name}.parquet")
    scorer = CalibratedScorer(
        temperature=TemperatureScaling(temperature=1.0, n_samples=5),
        operating_points=tuple(make_point(target.name, target.labels) for target in TAXONOMY.targets),
    )
    write_json(folder.calibration / MODEL_FILE, scorer.model_dump(mode="json"))
    evaluated = StageRecord(fingerprint="", finished_at=datetime.now(UTC), seconds=0)
    folder.write_record(create_record(folder.root.name, 0).model_copy(update={"stages": {"evaluate": evaluated}}))
    return folder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return write_run(tmp_path / "new", "a")


def test_scores_of_the_same_test_posts_come_in_this_runs_order(run: RunFolder, tmp_path: Path) -> None:
    earlier = write_run(tmp_path / "old", "b")
    scores = pd.read_parquet(earlier.evaluation / "test.parquet")
    scores.iloc[::-1].to_parquet(earlier.evaluation / "test.parquet")
    comparator = load_champion(earlier.root, run, TAXONOMY)
    assert comparator.name == "earlier run old"
    pd.testing.assert_frame_equal(comparator.test, scores)
    assert comparator.controls is not None
    assert [point.name for point in comparator.operating_points] == ["suicidewatch", "any_risk"]


def test_other_controls_are_left_out(run: RunFolder, tmp_path: Path) -> None:
    earlier = write_run(tmp_path / "old", "b", controls=make_posts("others"))
    assert load_champion(earlier.root, run, TAXONOMY).controls is None


def test_controls_only_the_earlier_run_counted_are_left_out(tmp_path: Path) -> None:
    run = write_run(tmp_path / "new", "a")
    counted = pd.read_parquet(run.evaluation / "controls.parquet").iloc[[4, 1]]  # the others trained a first stage
    counted.to_parquet(run.evaluation / "controls.parquet")
    earlier = write_run(tmp_path / "old", "b")
    controls = load_champion(earlier.root, run, TAXONOMY).controls
    assert controls is not None
    assert controls["post_id"].tolist() == ["controls-4", "controls-1"]


def test_controls_with_other_texts_or_fewer_than_this_runs_are_left_out(run: RunFolder, tmp_path: Path) -> None:
    posts = make_posts("controls")
    for i, changed in enumerate((posts.assign(text="another"), posts.iloc[1:])):
        earlier = write_run(tmp_path / f"old{i}", "b", controls=changed)
        assert load_champion(earlier.root, run, TAXONOMY).controls is None


def test_the_run_itself_and_a_folder_that_is_no_run_are_refused(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="this run itself"):
        load_champion(run.root, run, TAXONOMY)
    with pytest.raises(ConfigError, match=r"lacks evaluation/test\.parquet, calibration/"):
        load_champion(tmp_path / "nowhere", run, TAXONOMY)


def test_a_run_that_was_calibrated_again_since_it_was_evaluated_is_refused(run: RunFolder, tmp_path: Path) -> None:
    earlier = write_run(tmp_path / "old", "b")
    earlier.write_record(create_record("old", 0))
    with pytest.raises(ConfigError, match="trained or calibrated again since its last evaluation"):
        load_champion(earlier.root, run, TAXONOMY)


def test_a_run_whose_posts_are_gone_is_refused_because_nobody_can_know(run: RunFolder, tmp_path: Path) -> None:
    earlier = write_run(tmp_path / "old", "b")
    earlier.split("train").unlink()
    with pytest.raises(ConfigError, match=r"lacks data/train\.parquet; without them nobody can know"):
        load_champion(earlier.root, run, TAXONOMY)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda posts: posts.assign(label="anxiety"), "0 of them missing, 5 with another label and 0"),
        (lambda posts: posts.iloc[1:], "1 of them missing, 0 with another label and 0"),
        (lambda posts: posts.assign(text=posts["text"] + "!"), "0 with another label and 6 with another text"),
    ],
)
def test_other_test_posts_labels_or_texts_are_refused_with_counts(change, found, run, tmp_path) -> None:
    earlier = write_run(tmp_path / "old", "b", test=change(make_posts("test")))
    with pytest.raises(ConfigError, match=found) as caught:
        load_champion(earlier.root, run, TAXONOMY)
    assert "zyxquartz" not in str(caught.value)


@pytest.mark.parametrize("split", ["train", "validation", "calibration"])
def test_a_run_that_learned_from_a_test_post_is_refused(split: str, run: RunFolder, tmp_path: Path) -> None:
    test = make_posts("test")
    same_id = make_posts("c").assign(post_id=[test["post_id"][0], *"vwxyz"])
    same_text = make_posts("c").assign(text=[test["text"][1].upper(), *"vwxyz"])
    for i, posts in enumerate((same_id, same_text)):
        earlier = write_run(tmp_path / f"old{i}", "b", **{split: posts})
        with pytest.raises(ConfigError, match=f"1 in its {split} split"):
            load_champion(earlier.root, run, TAXONOMY)


def test_points_of_targets_that_mean_something_else_are_left_out(run: RunFolder, tmp_path: Path) -> None:
    earlier = write_run(tmp_path / "old", "b")
    scorer = CalibratedScorer.model_validate_json((earlier.calibration / MODEL_FILE).read_bytes())
    other = make_point("any_risk", ("anxiety",))
    for points, expected in (((scorer.operating_points[0], other), ["suicidewatch"]), ((other,), None)):
        changed = scorer.model_copy(update={"operating_points": points})
        write_json(earlier.calibration / MODEL_FILE, changed.model_dump(mode="json"))
        if expected is None:
            with pytest.raises(ConfigError, match="found none"):
                load_champion(earlier.root, run, TAXONOMY)
        else:
            chosen = load_champion(earlier.root, run, TAXONOMY).operating_points
            assert [point.name for point in chosen] == expected
