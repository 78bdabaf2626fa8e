"""Promises by author, judged by one drawn post of each author: against counting by hand and by simulation."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from pipelines.artifacts import RunFolder
from pipelines.stages.register import find_broken_promises
from pipelines.summary import build_closing_table
from reports.assembly import build_page
from reports.checks.promise import check_promise_on_test
from reports.comparison.promotion import judge_promotion
from reports.comparison.run_pair import pair_runs
from reports.comparison.tables import build_promises
from reports.render import render_html
from reports.results import RunResults
from reports.sections.promised_recall import estimate_promised_recall, judge_target
from reports.sections.recall import build_performance
from reports.sections.subgroups import find_group_columns
from reports.sections.validation_elsewhere import build_external


def promise_by_author(results: RunResults) -> RunResults:
    points = tuple(point.model_copy(update={"unit": "author"}) for point in results.operating_points)
    return dataclasses.replace(results, operating_points=points)


def let_author_write_what_is_missed(results: RunResults) -> RunResults:
    """Change the test split so that one author wrote most positives and none of those is flagged."""
    test = results.test.assign(author_code=np.arange(len(results.test)))
    positive = np.flatnonzero(test["label"] != "offmychest")
    risks = ["risk_suicidewatch", "risk_any_risk"]
    test.loc[test.index[positive], risks] = 1.0
    busy = positive[: int(0.6 * positive.size)]
    test.loc[test.index[busy], risks] = 0.0
    test.loc[test.index[busy], "author_code"] = -1
    return dataclasses.replace(promise_by_author(results), test=test)


def test_a_busy_author_counts_once(results: RunResults) -> None:
    changed = let_author_write_what_is_missed(results)
    target = changed.taxonomy.targets[-1]
    found = estimate_promised_recall(changed, target, changed.test, "test")
    positive = changed.test["label"].isin(target.labels)
    n_authors = changed.test.loc[positive, "author_code"].nunique()
    interval = binomtest(n_authors - 1, n_authors).proportion_ci(0.95)
    assert found.n_samples == n_authors
    assert found.value == pytest.approx(1 - 1 / n_authors)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((interval.low, interval.high))
    assert judge_target(changed, target, changed.test, "test") in {"confirmed", "consistent"}


def test_over_seeds_the_drawn_recall_is_the_mean_over_authors_of_their_own(results: RunResults) -> None:
    rng = np.random.default_rng(3)
    test = results.test.assign(author_code=rng.integers(0, 60, len(results.test)))
    run, target = dataclasses.replace(promise_by_author(results), test=test), results.taxonomy.targets[0]
    point = run.point_by_target[target.name].model_copy(update={"threshold": 0.5})
    positive = test[test["label"].isin(target.labels)]
    own = (positive[f"risk_{target.name}"] >= 0.5).groupby(positive["author_code"]).mean()
    values = []
    for seed in range(400):
        seeded = dataclasses.replace(
            run, operating_points=(point,), config=run.config.model_copy(update={"seed": seed})
        )
        values.append(estimate_promised_recall(seeded, target, test, "test").value)
    # a drawn share of a authors has a standard error of at most .5 / a ** .5; of the mean of 400, a twentieth; four
    assert np.mean(values) == pytest.approx(own.mean(), abs=4 * 0.5 / len(own) ** 0.5 / 20)
    assert np.std(values) > 0


@pytest.mark.statistical
def test_a_kept_promise_by_author_is_contradicted_in_at_most_one_of_forty(results: RunResults) -> None:
    """Posts of one author are all found or all missed: counting posts would contradict far more often."""
    rng = np.random.default_rng(8)
    run, target = promise_by_author(results), results.taxonomy.targets[0]
    point = run.point_by_target[target.name].model_copy(update={"threshold": 0.5, "target_recall": 0.9})
    by_author = dataclasses.replace(run, operating_points=(point,))
    by_post = dataclasses.replace(run, operating_points=(point.model_copy(update={"unit": "post"}),))
    n_contradicted = {"author": 0, "post": 0}
    for _ in range(1_000):
        author = np.repeat(np.arange(60), np.minimum(rng.zipf(1.8, 60), 100))
        found = rng.random(60) < 0.9
        scores = np.where(found, 0.8, 0.2)[author]
        table = pd.DataFrame({"label": target.labels[0], "author_code": author, f"risk_{target.name}": scores})
        table["post_id"] = np.arange(author.size).astype(str)
        for unit, results_of in (("author", by_author), ("post", by_post)):
            n_contradicted[unit] += judge_target(results_of, target, table, "test") == "contradicted"
    assert n_contradicted["author"] <= 25 + 3 * 25**0.5  # 2.5 % at most, three standard errors
    assert n_contradicted["post"] > 150


def test_the_draw_depends_on_ids_not_on_the_order_of_rows(results: RunResults) -> None:
    rng = np.random.default_rng(4)
    test = results.test.assign(author_code=rng.integers(0, 90, len(results.test)))
    run, target = promise_by_author(results), results.taxonomy.targets[0]
    shuffled = test.sample(frac=1, random_state=2)
    assert estimate_promised_recall(run, target, test, "test") == estimate_promised_recall(
        run, target, shuffled, "test"
    )


def test_nothing_judges_a_promise_by_author_by_counting_posts(results: RunResults) -> None:
    """Without author codes every verdict is unknown, although no positive post is flagged at all."""
    missed = results.test.assign(risk_suicidewatch=0.0, risk_any_risk=0.0)
    run = dataclasses.replace(
        promise_by_author(results), test=missed, external=missed.assign(post_id="x"), comparators={}
    )
    external = build_external(run)
    assert external is not None
    assert set(external.frame["verdict"]) == {"unknown"}
    assert set(build_performance(run).frame["verdict"]) == {"unknown"}
    assert check_promise_on_test(run).outcome == "not_measured"
    assert find_broken_promises(run) == []
    pair = pair_runs(run, run)
    assert set(build_promises(pair).frame["verdict"]) == {"unknown"}
    judged = [rule for rule in judge_promotion(pair) if rule.code == "GATE2"]
    assert {rule.outcome for rule in judged} == {"not_measured"}
    assert "which posts share an author" in judged[0].sentence


def test_with_author_codes_every_verdict_follows_the_drawn_posts(results: RunResults) -> None:
    missed = results.test.assign(risk_suicidewatch=0.0, risk_any_risk=0.0, author_code=np.arange(len(results.test)))
    run = dataclasses.replace(
        promise_by_author(results), test=missed, external=missed.assign(post_id="x"), comparators={}
    )
    external = build_external(run)
    assert external is not None
    assert set(external.frame["verdict"]) == {"contradicted"}
    table = build_performance(run)
    assert set(table.frame["verdict"]) == {"contradicted"}
    assert "author_recall" in {column.key for column in table.columns}
    assert check_promise_on_test(run).outcome == "fail"
    assert find_broken_promises(run) == [target.name for target in run.targets]
    judged = [rule for rule in judge_promotion(pair_runs(run, run)) if rule.code == "GATE2"]
    assert {rule.outcome for rule in judged} == {"fail"}


def test_author_codes_group_no_posts_and_stand_nowhere_on_the_page(results: RunResults) -> None:
    coded = dataclasses.replace(
        promise_by_author(results), test=results.test.assign(author_code=np.arange(len(results.test)) // 40)
    )
    assert "author_code" not in find_group_columns(coded.test, coded)
    assert "author_code" not in render_html(build_page(coded))


def test_the_closing_table_tells_both_recalls_apart_and_outlives_a_split_without_positives(results, tmp_path) -> None:
    coded = dataclasses.replace(
        promise_by_author(results), test=results.test.assign(author_code=np.arange(len(results.test)))
    )
    rows = list(build_closing_table(coded, RunFolder(tmp_path)).columns[0].cells)
    assert rows[1:3] == ["recall found", "recall found, by author"]
    none = dataclasses.replace(coded, test=coded.test[coded.test["label"] == "offmychest"])
    assert "not known" in list(build_closing_table(none, RunFolder(tmp_path)).columns[1].cells)
