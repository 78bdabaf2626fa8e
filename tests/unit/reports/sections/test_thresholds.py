"""Operating points and what else was promised, as tables: against the records and against counting by hand."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binomtest

from reports.checks.promise import check_promise_on_test
from reports.results import RunResults
from reports.sections.alternatives import (
    build_alternatives,
    build_alternatives_section,
    build_bands,
    build_budgets,
    build_group_promises,
)
from reports.sections.answer import build_answer
from reports.sections.recall import build_performance
from reports.sections.thresholds import build_operating_points
from screening.config import load_config
from screening.thresholds.promises import fit_promises
from screening.thresholds.scope import build_scope


@pytest.fixture(scope="module")
def promised(results: RunResults) -> Callable[..., RunResults]:
    """A function that calibrates the made run again with other settings."""

    def calibrate(*settings: str) -> RunResults:
        config = load_config(overrides=[f"calibration.{setting}" for setting in settings])
        calibration, taxonomy = results.calibration, results.taxonomy
        posts = calibration.assign(author_id=[f"a{i // 2}" for i in range(len(calibration))])
        scope = build_scope(
            posts,
            unit=config.calibration.unit,
            group_columns=config.calibration.group_columns,
            rng=np.random.default_rng(0),
        )
        risks = {target.name: calibration[f"risk_{target.name}"].to_numpy() for target in taxonomy.targets}
        promises = fit_promises(
            taxonomy.targets, risks, calibration["label"].to_numpy(), config.calibration, scope=scope
        )
        return dataclasses.replace(results, config=config, **dict(promises))

    return calibrate


def test_the_table_says_of_each_point_what_its_record_says(results: RunResults) -> None:
    table = build_operating_points(results)
    assert len(table.frame) == len(results.operating_points)
    for row, point in zip(table.frame.to_dict("records"), results.operating_points, strict=True):
        for name in ("target_recall", "confidence_level", "n_positive", "n_allowed_misses", "threshold", "n_promises"):
            assert row[name] == getattr(point, name)
        assert row["method"] == "order statistic, exact for any distribution"
        assert (row["unit"], row["n_groups"]) == ("post", 0)
    assert "made for its target alone" in table.note
    assert "n_promises" not in {column.key for column in table.columns}


def test_a_table_without_operating_points_is_empty(results: RunResults) -> None:
    assert build_operating_points(dataclasses.replace(results, operating_points=())).rows == []


def test_nothing_else_promised_gives_no_section(results: RunResults) -> None:
    assert build_alternatives_section(results) is None


def test_the_note_says_which_promises_share_the_confidence(promised: Callable[..., RunResults]) -> None:
    alone = build_operating_points(promised("other_recalls=[0.9]"))
    assert "shared by the 2 promises of one risk target" in alone.note
    assert "each one made at 97.5%" in alone.note
    assert "several targets hold together is less likely" in alone.note
    together = build_operating_points(promised("other_recalls=[0.9]", "is_family_wise=true"))
    assert "shared by the 4 promises of all risk targets" in together.note
    assert "each one made at 98.8%" in together.note
    assert "less likely" not in together.note
    assert "n_promises" in {column.key for column in together.columns}


def test_points_by_author_say_whose_recall_is_promised(promised: Callable[..., RunResults]) -> None:
    results = promised("unit=author", "target_recall=0.8", "confidence_level=0.9")
    table = build_operating_points(results)
    assert set(table.frame["unit_words"]) == {"a random positive post of a random author"}
    assert "not the share of all positive posts" in table.note
    assert "at least 80% for a random positive post of a random author with 90% confidence" in build_answer(results)[1]


def test_a_promise_by_author_is_not_judged_by_counting_posts(promised: Callable[..., RunResults]) -> None:
    results = promised("unit=author", "target_recall=0.8", "confidence_level=0.9")
    broken = dataclasses.replace(results, test=results.test.assign(risk_suicidewatch=0.0, risk_any_risk=0.0))
    assert set(build_performance(broken).frame["verdict"]) == {"unknown"}
    assert check_promise_on_test(broken).outcome == "not_measured"
    by_post = dataclasses.replace(
        broken, operating_points=tuple(p.model_copy(update={"unit": "post"}) for p in broken.operating_points)
    )
    assert set(build_performance(by_post).frame["verdict"]) == {"contradicted"}
    assert check_promise_on_test(by_post).outcome == "fail"


def test_alternatives_stand_beside_the_point_in_use_with_what_test_found(promised: Callable[..., RunResults]) -> None:
    results = promised("other_recalls=[0.9, 0.8]")
    table = build_alternatives(results)
    assert table is not None
    rows = table.frame[table.frame["name"] == "suicidewatch"]
    assert rows["target_recall"].tolist() == [0.95, 0.9, 0.8]
    assert rows["used"].tolist() == ["in use", "offered", "offered"]
    positive = (results.test["label"] == "suicidewatch").to_numpy()
    for row in rows.to_dict("records"):
        flags = results.test["risk_suicidewatch"].to_numpy() >= row["threshold"]
        exact = binomtest(int((flags & positive).sum()), int(positive.sum())).proportion_ci(0.95)
        assert row["recall"] == pytest.approx(flags[positive].mean())
        assert (row["recall_low"], row["recall_high"]) == pytest.approx((exact.low, exact.high))
        assert row["alerts_per_1000"] == pytest.approx(1_000 * flags.mean())
    assert "any of them may be chosen" in table.note


def test_each_group_has_its_row_with_its_own_positives(promised: Callable[..., RunResults]) -> None:
    results = promised("group_columns=[community]", "target_recall=0.5", "confidence_level=0.5")
    table = build_group_promises(results)
    assert table is not None
    calibration = results.calibration
    for row in table.frame.to_dict("records"):
        labels = next(target.labels for target in results.targets if target.name == row["name"])
        of_group = calibration[(calibration["community"] == row["group"]) & calibration["label"].isin(labels)]
        assert row["n_positive"] == len(of_group)
        below = (of_group[f"risk_{row['name']}"] < results.point_by_target[row["name"]].threshold).sum()
        assert below <= row["n_allowed_misses"]
    assert len(table.frame) == 2 * 3
    assert "not divided among groups" in table.note
    assert "in each group of community" in build_operating_points(results).note


def test_budgets_say_for_each_recall_whether_it_fits(promised: Callable[..., RunResults]) -> None:
    results = promised("other_recalls=[0.5]", "max_alerts_per_1000=300", "budget_prevalence=0.05")
    table = build_budgets(results)
    assert table is not None
    assert table.frame["used"].tolist() == ["in use", "in use", "offered", "offered"]
    for row, budget in zip(
        table.frame.to_dict("records"), (*results.budgets, *results.alternative_budgets), strict=True
    ):
        assert row["alerts_upper_bound"] == budget.alerts_upper_bound
        assert row["verdict"] == ("fits" if budget.alerts_upper_bound <= 300 else "does not fit")
    assert "of the same target it holds at once with 90%" in table.note
    assert "for each target alone" in table.note
    assert all("alerts for this target alone per 1,000 posts at prevalence" in str(found) for found in results.budgets)
    by_author = [found.model_copy(update={"unit": "author"}) for found in results.budgets]
    assert "one drawn of each author" in str(by_author[0])
    authors = build_budgets(dataclasses.replace(results, budgets=tuple(by_author)))
    assert authors is not None
    assert "where busy authors are flagged more often, alerts per 1,000 posts are more" in authors.note


def test_bands_count_the_test_posts_a_person_decides_on(promised: Callable[..., RunResults]) -> None:
    results = promised("abstention_false_alarm_rate=0.05")
    table = build_bands(results)
    assert table is not None
    row = table.frame.set_index("name").loc["suicidewatch"]
    scores = results.test["risk_suicidewatch"]
    negative = results.test["label"] != "suicidewatch"
    assert row["low"] == results.point_by_target["suicidewatch"].threshold
    assert row["abstain"] == pytest.approx(((scores >= row["low"]) & (scores < row["high"])).mean())
    assert row["false_alarms"] == pytest.approx((scores[negative] >= row["high"]).mean())
    assert "a person decides, no order implied" in table.note


def test_the_section_holds_what_was_asked_for_and_every_table_can_be_written(
    promised: Callable[..., RunResults],
) -> None:
    results = promised(
        "other_recalls=[0.5]", "max_alerts_per_1000=300", "budget_prevalence=0.05", "abstention_false_alarm_rate=0.05",
        "group_columns=[community]", "target_recall=0.6", "confidence_level=0.5",
    )  # fmt: skip
    section = build_alternatives_section(results)
    assert section is not None
    assert [table.name for table in section.tables] == ["group_promises", "alternatives", "budgets", "abstention"]
    assert all(len(table.rows) == len(table.frame) > 0 for table in section.tables)
