"""A run with a first stage: fitted without calibration or test posts, promised for both stages, reported beside one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from pipelines.artifacts import RunFolder, write_json
from pipelines.calibrating.cascade import load_counted_controls, load_learnt_controls
from pipelines.calibrating.scorers import MODEL_FILE, read_scorer
from pipelines.run import RunContext
from pipelines.stages import calibrate, evaluate, prepare, report
from screening.bundle import load_manifest
from screening.config import RunConfig, load_config
from screening.data.preparation import load_split
from screening.exceptions import ConfigError, RecallNotReachableError
from screening.models.baseline import TfidfBaseline
from screening.scoring import Screener
from screening.taxonomy import load_taxonomy

TAXONOMY = load_taxonomy("mh5")
N_UNMET = 20
EASY = ("calibration.target_recall=0.9", "calibration.confidence_level=0.9", "cascade.max_lost_fraction=0.02")


def make_config(root: Path, *settings: str) -> RunConfig:
    fixed = [f"output_dir={root}", "name=r", "training.precision=fp32", "model.max_tokens=40"]
    sizes = ["data.n_synthetic=1200", "data.calibration_fraction=0.4", "data.test_fraction=0.2"]
    return load_config(overrides=[*fixed, *sizes, *EASY, *settings])


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, bert_classifier: Any, bert_tokenizer: Any) -> Path:
    """A run folder with synthetic posts, controls and a random classifier."""
    root = tmp_path_factory.mktemp("cascade")
    config = make_config(root)
    folder = RunFolder(config.run_dir)
    prepare.run(RunContext(config, TAXONOMY, folder, Console(quiet=True)))
    bert_classifier.save_pretrained(folder.model)
    bert_tokenizer.save_pretrained(folder.model)
    train = load_split(folder.split("train"))
    labels = np.array(TAXONOMY.encode(train["label"]))
    TfidfBaseline.fit(train["text"].tolist(), labels, 5, 0).save(folder.baseline)
    write_json(folder.history, [{"epoch": 1, "loss": 1.0}])
    return root


@pytest.fixture(scope="module")
def make_context(prepared: Path) -> Callable[..., RunContext]:
    def make(*settings: str) -> RunContext:
        config = make_config(prepared, *settings)
        return RunContext(config, TAXONOMY, RunFolder(config.run_dir), Console(quiet=True))

    return make


@pytest.fixture(scope="module")
def finished(make_context: Callable[..., RunContext], prepared: Path) -> RunContext:
    """The run calibrated, evaluated and reported with a first stage; some external posts repeat controls."""
    context = make_context("cascade.is_on=true")
    repeated = pd.concat([load_learnt_controls(context).head(12), load_counted_controls(context).head(N_UNMET)])
    labels = [TAXONOMY.names[i % 5] for i in range(len(repeated))]
    repeated[["text"]].assign(label=labels).to_csv(prepared / "external.csv", index=False)
    context = make_context("cascade.is_on=true", f"data.external={prepared / 'external.csv'}")
    for stage in (calibrate, evaluate, report):
        stage.run(context)
    return context


def test_the_promise_is_fitted_on_the_scores_of_both_stages(finished: RunContext) -> None:
    scores = pd.read_parquet(finished.folder.calibration / "calibration.parquet")
    assert scores["is_cleared"].any()
    for point in read_scorer(finished.folder, MODEL_FILE).operating_points:
        positives = scores.loc[scores["label"].isin(point.labels), f"risk_{point.name}"]
        assert (positives < point.threshold).sum() <= point.n_allowed_misses
        assert point.threshold > 0
    assert (scores.loc[scores["is_cleared"], ["risk_suicidewatch", "risk_any_risk"]] == 0).all(axis=None)
    assert load_manifest(finished.folder.bundle).first_stage is not None


def test_evaluation_scores_as_the_screener_does_and_reads_cleared_posts_beside(finished: RunContext) -> None:
    posts = load_split(finished.folder.split("test"))
    own = Screener.load(finished.folder.bundle).score(posts["text"].tolist(), posts["post_id"].tolist())
    evaluated = pd.read_parquet(finished.folder.evaluation / "test.parquet")
    same = ["post_id", "triage", "is_cleared"]
    pd.testing.assert_frame_equal(own[same], evaluated[same])
    np.testing.assert_allclose(own["risk_any_risk"], evaluated["risk_any_risk"], atol=1e-5)  # other batches
    assert own["is_cleared"].any()
    assert own.loc[own["is_cleared"]].filter(like="prob_").isna().all(axis=None)
    assert evaluated.filter(like="prob_").notna().all(axis=None)


def test_controls_the_first_stage_learnt_from_are_not_counted(finished: RunContext) -> None:
    counted = load_counted_controls(finished)["post_id"]
    evaluated = pd.read_parquet(finished.folder.evaluation / "controls.parquet")["post_id"]
    everything = load_split(finished.folder.split("controls"))["post_id"]
    assert evaluated.tolist() == counted.tolist()
    assert 0.4 < len(counted) / len(everything) < 0.6


def test_external_posts_that_repeat_what_the_first_stage_learnt_from_are_dropped(finished: RunContext) -> None:
    external = pd.read_parquet(finished.folder.evaluation / "external.parquet")
    assert len(external) == N_UNMET


def test_the_report_judges_probabilities_of_posts_that_were_read(finished: RunContext) -> None:
    is_read = ~pd.read_parquet(finished.folder.evaluation / "test.parquet")["is_cleared"]
    for name in ("calibration", "calibration_slope"):
        table = pd.read_csv(finished.folder.report / "tables" / f"{name}.csv")
        assert (table["n_samples"] == is_read.sum()).all()
    page = (finished.folder.report / "index.html").read_text(encoding="utf-8")
    assert f"the first stage cleared {(~is_read).sum()} of {len(is_read)} test posts" in page


def test_the_report_shows_the_cascade_beside_its_encoder(finished: RunContext) -> None:
    page = (finished.folder.report / "index.html").read_text(encoding="utf-8")
    assert 'id="cascade"' in page
    table = pd.read_csv(finished.folder.report / "tables" / "cascade_comparison.csv")
    assert table["scorer"].tolist() == ["cascade", "encoder alone"] * 2
    curve = pd.read_csv(finished.folder.report / "tables" / "cascade_curve.csv")
    assert (curve["is_chosen"] == "yes").sum() == 1
    assert curve["cleared"].is_monotonic_increasing


def test_without_a_cascade_nothing_is_cleared_and_every_control_is_counted(
    make_context: Callable[..., RunContext], finished: RunContext
) -> None:
    context = make_context()
    assert len(load_counted_controls(context)) > len(load_counted_controls(finished))
    assert load_counted_controls(context).equals(load_split(context.folder.split("controls")))


def test_a_cascade_without_controls_or_with_an_unknown_group_is_refused(
    make_context: Callable[..., RunContext], tmp_path: Path
) -> None:
    context = make_context("cascade.is_on=true", "cascade.control_group_column=forum")
    with pytest.raises(ConfigError, match="control_group_column names 'forum'"):
        calibrate.run(context)
    empty = RunContext(context.config, TAXONOMY, RunFolder(tmp_path), Console(quiet=True))
    with pytest.raises(ConfigError, match="no posts from outside the task"):
        load_counted_controls(empty)


def test_a_first_stage_that_loses_too_many_positives_is_refused(
    make_context: Callable[..., RunContext], finished: RunContext
) -> None:
    context = make_context("cascade.is_on=true", "cascade.max_lost_fraction=0.09", "calibration.confidence_level=0.999")
    before = (finished.folder.calibration / MODEL_FILE).read_bytes()
    with pytest.raises(RecallNotReachableError, match=r"the first stage clears \d+ of \d+ positive"):
        calibrate.run(context)
    assert (context.folder.calibration / MODEL_FILE).read_bytes() == before
