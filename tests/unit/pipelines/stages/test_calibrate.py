"""Calibrating: everything the configuration promises is fitted, written and refused as configured."""

import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from pipelines import cli
from pipelines.artifacts import RunFolder, StageRecord, create_record
from pipelines.calibrating.scorers import BASELINE_FILE, MODEL_FILE, CalibratedScorer, read_scorer
from pipelines.run import RunContext, compute_fingerprints, run_stages
from pipelines.stages import calibrate
from screening.bundle import load_manifest
from screening.config import dump_config, load_config
from screening.exceptions import ConfigError, RecallNotReachableError
from screening.inference.windows import split_into_windows
from screening.models.baseline import TfidfBaseline, list_terms
from screening.reference_posts import REFERENCE_POSTS
from screening.scoring import Screener
from screening.taxonomy import load_taxonomy

TAXONOMY = load_taxonomy("mh5")
WORDS = ("i", "feel", "so", "tired", "today", "tonight", "my", "dog", "is", "happy", "no", "sleep")
EASY = ("calibration.target_recall=0.8", "calibration.confidence_level=0.9")


def make_posts(n: int, seed: int) -> pd.DataFrame:
    """Ten posts of each author, two of every label; two communities of unlike size."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "post_id": [f"p{seed}-{i}" for i in range(n)],
            "text": [" ".join(rng.choice(WORDS, 8)) for _ in range(n)],
            "label": [TAXONOMY.names[i % 5] for i in range(n)],
            "author_id": [f"someone{i // 10}" for i in range(n)],
            "community": np.where(np.arange(n) % 20 < 15, "north", "south"),
        }
    )


@pytest.fixture
def prepare(tmp_path: Path, bert_classifier: Any, bert_tokenizer: Any) -> Callable[..., RunContext]:
    """A function that makes a run folder with data and model, and its context with other settings."""
    folder = RunFolder(tmp_path / "r")
    folder.data.mkdir(parents=True)
    for seed, (name, n) in enumerate({"train": 40, "validation": 60, "calibration": 400}.items()):
        make_posts(n, seed).to_parquet(folder.split(name))
    bert_classifier.save_pretrained(folder.model)
    bert_tokenizer.save_pretrained(folder.model)
    train = make_posts(40, 0)
    TfidfBaseline.fit(train["text"].tolist(), np.tile(np.arange(5), 8), 5, 0).save(folder.baseline)

    def make_context(*settings: str, whole: tuple[str, ...] = ()) -> RunContext:
        config = load_config(
            overrides=[f"output_dir={tmp_path}", "name=r", "training.precision=fp32", "model.max_tokens=40", *EASY]
            + [f"calibration.{setting}" for setting in settings]
            + list(whole)
        )
        record = create_record(config.name, config.seed)
        fingerprints = compute_fingerprints(config)
        done = {
            name: StageRecord(fingerprint=fingerprints[name], finished_at=datetime.now(UTC), seconds=1)
            for name in ("prepare", "train")
        }
        if not folder.record.exists():
            folder.write_record(record.model_copy(update={"stages": done}))
        return RunContext(config, TAXONOMY, folder, Console(quiet=True))

    return make_context


def read_all(folder: RunFolder) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.root.rglob("*") if path.is_file()}


def test_points_alternatives_budgets_and_bands_are_written_for_both_scorers(prepare: Callable[..., RunContext]) -> None:
    context = prepare(
        "other_recalls=[0.7]", "is_family_wise=true", "max_alerts_per_1000=1000", "budget_prevalence=0.01",
        "abstention_false_alarm_rate=0.1",
    )  # fmt: skip
    calibrate.run(context)
    n_targets = len(TAXONOMY.targets)
    for name in (MODEL_FILE, BASELINE_FILE):
        scorer = read_scorer(context.folder, name)
        assert [point.target_recall for point in scorer.operating_points] == [0.8] * n_targets
        assert [point.target_recall for point in scorer.alternatives] == [0.7] * n_targets
        assert {point.n_promises for point in scorer.alternatives} == {2 * n_targets}
        assert len(scorer.budgets) == len(scorer.alternative_budgets) == len(scorer.bands) == n_targets
        assert all(budget.fits for budget in scorer.budgets)
    manifest = load_manifest(context.folder.bundle)
    assert len(manifest.reference_logits) == len(REFERENCE_POSTS)
    assert manifest.operating_points == read_scorer(context.folder, MODEL_FILE).operating_points


@pytest.mark.usefixtures("small_quantised")  # skips where int8 cannot be made
def test_a_quantised_classifier_is_calibrated_and_is_what_the_bundle_scores_with(
    prepare: Callable[..., RunContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("inference.backend=openvino", "inference.quantisation=int8")
    posts: list[str] = []
    monkeypatch.setattr(calibrate, "split_into_windows", lambda *a: posts.extend(a[1]) or split_into_windows(*a))
    context = prepare(whole=asked)
    calibrate.run(context)
    assert set(posts) <= set(pd.read_parquet(context.folder.split("train"))["text"])
    assert posts
    screener = Screener.load(context.folder.bundle, quantisation="int8")
    table = pd.read_parquet(context.folder.calibration / "calibration.parquet")
    texts = pd.read_parquet(context.folder.split("calibration"))["text"].tolist()
    found = screener.score(texts, table["post_id"].tolist())
    np.testing.assert_array_equal(found["risk_any_risk"], table["risk_any_risk"])  # equal batches: to the last bit
    plain = prepare(whole=asked[:1])
    calibrate.run(plain)
    assert load_manifest(plain.folder.bundle).quantisation == "none"
    other = Screener.load(plain.folder.bundle).score(texts, table["post_id"].tolist())
    assert not np.allclose(other["risk_any_risk"], table["risk_any_risk"], atol=1e-4)


def test_an_ensemble_is_calibrated_and_is_what_the_bundle_scores_with(prepare: Callable[..., RunContext]) -> None:
    context = prepare(whole=("inference.ensemble=tfidf",))
    calibrate.run(context)
    screener = Screener.load(context.folder.bundle)
    assert screener.manifest.words_weight > 0
    table = pd.read_parquet(context.folder.calibration / "calibration.parquet")
    posts = pd.read_parquet(context.folder.split("calibration"))
    found = screener.score(posts["text"].tolist(), table["post_id"].tolist())
    np.testing.assert_allclose(found["risk_any_risk"], table["risk_any_risk"], atol=1e-6)
    for point in screener.manifest.operating_points:  # what is promised is promised for the ensemble's scores
        positive = table["label"].isin(point.labels)
        assert (found.loc[positive, f"risk_{point.name}"] < point.threshold).sum() <= point.n_allowed_misses
    assert screener.bundle.words is not None  # digests can be guessed: of rare words there are none
    train = pd.read_parquet(context.folder.split("train"))["text"]
    counts = Counter(digest for text in train for digest in set(list_terms(text)))
    assert min(counts[row.tobytes()] for row in screener.bundle.words.term_digests) >= calibrate.MIN_POSTS_OF_A_TERM
    plain = prepare()
    calibrate.run(plain)
    assert load_manifest(plain.folder.bundle).words_weight == 0
    assert "ensemble:" not in dump_config(plain.config)


def test_a_choice_of_quantisation_that_was_not_made_leaves_finished_runs_valid(
    prepare: Callable[..., RunContext],
) -> None:
    assert "quantisation:" not in dump_config(prepare().config)
    with pytest.raises(ConfigError, match="backend openvino with quantisation int8"):
        prepare(whole=("inference.quantisation=int8",))


def test_groups_and_authors_come_from_the_columns_of_the_calibration_posts(prepare: Callable[..., RunContext]) -> None:
    context = prepare("unit=author", "group_columns=[community]", "target_recall=0.7")
    calibrate.run(context)
    point = read_scorer(context.folder, MODEL_FILE).operating_points[0]
    assert (point.name, point.unit, point.n_positive, point.n_samples) == ("suicidewatch", "author", 40, 400)
    assert {(group.column, group.group) for group in point.groups} == {("community", "north"), ("community", "south")}
    table = pd.read_parquet(context.folder.calibration / "calibration.parquet")
    assert not {"text", "author_id"} & set(table)


def test_the_same_seed_draws_the_same_posts_of_each_author(prepare: Callable[..., RunContext]) -> None:
    thresholds = []
    for _ in range(2):
        context = prepare("unit=author")
        calibrate.run(context)
        thresholds.append(tuple(p.threshold for p in read_scorer(context.folder, MODEL_FILE).operating_points))
    assert thresholds[0] == thresholds[1]


@pytest.mark.parametrize("column", ["region", "author_id"])
def test_an_absent_column_is_refused_before_anything_is_scored(prepare: Callable[..., RunContext], column: str) -> None:
    context = prepare(f"group_columns=[{column}]")
    with pytest.raises(ConfigError, match="group columns present: community") as caught:
        calibrate.run(context)
    assert "someone" not in str(caught.value)
    assert not context.folder.calibration.exists()


def test_a_group_that_only_training_posts_are_in_is_refused_and_not_left_out(
    prepare: Callable[..., RunContext],
) -> None:
    context = prepare("group_columns=[community]", "target_recall=0.7")
    train = pd.read_parquet(context.folder.split("train"))
    train.assign(community=["east", *train["community"][1:]]).to_parquet(context.folder.split("train"))
    with pytest.raises(RecallNotReachableError, match=r"too few \(found\) in 1 of 3: community=east \(0\)"):
        calibrate.run(context)


def test_a_group_with_too_few_positives_is_named_and_nothing_is_written(prepare: Callable[..., RunContext]) -> None:
    context = prepare("group_columns=[community]", "target_recall=0.95")
    before = read_all(context.folder)
    with pytest.raises(RecallNotReachableError, match=r"too few \(found\) in 1 of 2: community=south \(20\)"):
        calibrate.run(context)
    assert read_all(context.folder) == before


def test_a_budget_that_fails_leaves_the_run_as_it_was(prepare: Callable[..., RunContext]) -> None:
    context = prepare()
    run_stages(context.config, ("calibrate",), context.console)
    before = read_all(context.folder)
    refused = prepare("max_alerts_per_1000=20", "budget_prevalence=0.01")
    with pytest.raises(RecallNotReachableError, match=r"recall 0\.8 is reached, the alert budget fails by"):
        run_stages(refused.config, ("calibrate",), refused.console)
    assert read_all(context.folder) == before


def test_a_budget_that_fails_exits_3_and_says_by_how_much(
    prepare: Callable[..., RunContext],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    context = prepare("max_alerts_per_1000=20", "budget_prevalence=0.01")
    path = tmp_path / "c.yaml"
    path.write_text(dump_config(context.config), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["screening", "calibrate", "--config", str(path)])
    monkeypatch.setattr(cli, "entry_points", lambda group: ())  # command groups of other packages are not needed
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 3
    shown = capsys.readouterr().err
    assert "the alert budget fails by" in shown
    assert "both together hold with" in shown
    assert not context.folder.bundle.exists()


def test_an_earlier_runs_operating_points_can_still_be_read(prepare: Callable[..., RunContext]) -> None:
    context = prepare()
    calibrate.run(context)
    scorer = read_scorer(context.folder, MODEL_FILE)
    new = ("unit", "n_promises", "groups")
    old = {
        "temperature": scorer.temperature.model_dump(),
        "operating_points": [point.model_dump(mode="json", exclude=set(new)) for point in scorer.operating_points],
    }
    assert CalibratedScorer.model_validate(old) == scorer
