"""Loading a finished run for its report: what was measured is there, what an older run lacks is None."""

from dataclasses import replace

import pandas as pd
import pytest

from pipelines.run import RunContext
from pipelines.run_results import load_results
from reports.sections.errors import build_error_section
from reports.sections.robustness import build_robustness_section
from reports.sections.validation_elsewhere import build_validation_section
from screening.exceptions import ConfigError
from tests.unit.pipelines.conftest import make_posts


def test_everything_that_was_measured_reaches_the_report(finished: RunContext) -> None:
    results = load_results(finished)
    assert list(results.comparators) == ["TF-IDF + logistic regression", "keyword list"]
    keywords = results.comparators["keyword list"]
    assert set(keywords.rule_threshold) == {"suicidewatch", "any_risk"}
    assert keywords.rule == "any phrase found"
    assert keywords.controls is not None
    assert results.fitted_until == make_posts(400, "calibration")["created_at"].max()
    assert results.external_card is not None
    sections = (build_robustness_section(results), build_error_section(results), build_validation_section(results))
    assert [section.name for section in sections if section] == ["robustness", "errors", "validation"]
    assert "23 were read; 3 that repeat" in " ".join(sections[2].words)


def test_a_run_evaluated_before_these_measurements_still_loads(finished: RunContext) -> None:
    for path in finished.folder.evaluation.iterdir():
        if path.stem not in {"test", "baseline_test"}:
            path.unlink()
    train = pd.read_parquet(finished.folder.split("train"))
    train.drop(columns="created_at").to_parquet(finished.folder.split("train"))
    results = load_results(finished)
    assert list(results.comparators) == ["TF-IDF + logistic regression"]
    assert (results.robustness, results.text_facts, results.external, results.external_card) == (None,) * 4
    assert results.controls is None
    assert results.fitted_until is None  # no date of the training posts: nobody knows what is later
    for section in (build_robustness_section(results), build_error_section(results), build_validation_section(results)):
        assert section is not None
        assert section.words
        assert {table.name for table in section.tables} <= {"taken_for"}


def test_a_champion_that_cannot_be_one_stops_the_report(finished: RunContext) -> None:
    report = finished.config.report.model_copy(update={"champion": finished.folder.root})
    config = finished.config.model_copy(update={"report": report})
    with pytest.raises(ConfigError, match="this run itself"):
        load_results(replace(finished, config=config), with_champion=True)
