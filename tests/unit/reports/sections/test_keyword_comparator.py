import dataclasses

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from reports.assembly import build_page
from reports.results import Comparator, RunResults
from reports.sections.classification import build_comparison
from reports.sections.comparators import build_promise_comparison

ANY_PHRASE = 1 / 8


@pytest.fixture(scope="module")
def with_keywords(results: RunResults) -> RunResults:
    """The made run beside a keyword list of eight phrases: no class probabilities, most positives without a phrase."""
    generator = np.random.default_rng(6)
    assert results.controls is not None
    test = results.test[["post_id", "label"]].copy()
    controls = results.controls[["post_id", "control_kind"]].copy()
    for target in results.taxonomy.targets:
        rate = np.where(test["label"].isin(target.labels), 0.9, 0.1)
        test[f"risk_{target.name}"] = generator.poisson(rate).clip(max=8) / 8
        controls[f"risk_{target.name}"] = generator.poisson(0.05, len(controls)).clip(max=8) / 8
    points = tuple(point.model_copy(update={"threshold": 0.0}) for point in results.operating_points)
    names = [target.name for target in results.taxonomy.targets]
    keywords = Comparator("keyword list", test, controls, points, dict.fromkeys(names, ANY_PHRASE), "any phrase found")
    return dataclasses.replace(results, comparators=dict(results.comparators) | {"keyword list": keywords})


@pytest.mark.parametrize("target", ["suicidewatch", "any_risk"])
def test_the_rule_is_counted_at_one_phrase_and_the_promise_flags_everything(
    with_keywords: RunResults, target: str
) -> None:
    frame = build_promise_comparison(with_keywords).frame
    rows = frame[(frame["target"] == target) & (frame["scorer"] == "keyword list")].set_index("decision")
    keywords = with_keywords.comparators["keyword list"]
    labels = with_keywords.point_by_target[target].labels
    positives = keywords.test["label"].isin(labels)
    holds = keywords.test[f"risk_{target}"] > 0
    rule, promise = rows.loc["any phrase found"], rows.loc["the same promise"]
    n_found, n = int((holds & positives).sum()), int(positives.sum())
    assert 0 < n_found < n
    assert (rule["recall"], rule["recall_low"], rule["recall_high"]) == pytest.approx(
        (n_found / n, *proportion_confint(n_found, n, method="beta")), abs=1e-9
    )
    assert rule["ppv"] == pytest.approx(n_found / holds.sum())
    assert rule["alerts_per_1000"] == pytest.approx(1_000 * holds.mean())
    assert keywords.controls is not None
    assert rule["control_alerts"] == pytest.approx(1_000 * (keywords.controls[f"risk_{target}"] > 0).mean())
    assert (promise["recall"], promise["alerts_per_1000"], promise["control_alerts"]) == (1.0, 1_000.0, 1_000.0)


def test_a_list_names_no_classes_and_is_left_out_where_classes_are_compared(
    results: RunResults, with_keywords: RunResults
) -> None:
    with_list, without = build_comparison(with_keywords).frame, build_comparison(results).frame
    assert with_list.equals(without)
    assert "keyword list" in build_promise_comparison(with_keywords).frame["scorer"].tolist()
    assert "promise_comparison" in {table.name for table in build_page(with_keywords).tables}


def test_a_list_alone_still_gives_a_page(with_keywords: RunResults) -> None:
    alone = {"keyword list": with_keywords.comparators["keyword list"]}
    page = build_page(dataclasses.replace(with_keywords, comparators=alone))
    assert {table.name: len(table.frame) for table in page.tables}["promise_comparison"] == 6
