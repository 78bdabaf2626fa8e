"""Two runs on the same posts: refusals, paired differences against independent counts, and the promotion gate."""

import dataclasses
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, precision_score, recall_score

from reports.comparison.page import compare, validate_comparison_folder, write_comparison
from reports.comparison.promotion import is_met, judge_promotion
from reports.comparison.run_pair import RunPair, pair_runs
from reports.comparison.tables import build_alert_differences, build_probabilities, build_ranking, build_rates
from reports.results import RunResults
from screening.exceptions import ConfigError, SchemaError
from screening.taxonomy import load_taxonomy
from tests.unit.reports.conftest import clear_posts


@pytest.fixture(scope="module")
def weaker(results: RunResults) -> RunResults:
    """The comparator as a run of its own: other scores and thresholds on the same test posts."""
    other = results.comparators["tfidf"]
    controls = other.controls
    assert results.controls is not None
    assert controls is not None
    return dataclasses.replace(
        results,
        config=results.config.model_copy(update={"name": "weaker"}),
        test=other.test,
        controls=controls.assign(post_id=results.controls["post_id"].to_numpy(),
                                 control_kind=results.controls["control_kind"].to_numpy()),
        operating_points=other.operating_points,
        comparators={},
    )  # fmt: skip


@pytest.fixture(scope="module")
def pair(results: RunResults, weaker: RunResults) -> RunPair:
    shuffled = dataclasses.replace(weaker, test=weaker.test.sample(frac=1, random_state=1))
    return pair_runs(results, shuffled)


def flags(run: RunResults, target: str) -> np.ndarray:
    return run.test[f"risk_{target}"].to_numpy() >= run.point_by_target[target].threshold


def test_other_test_posts_are_refused_with_their_numbers(results: RunResults, weaker: RunResults) -> None:
    fewer = dataclasses.replace(weaker, test=weaker.test.iloc[3:])
    with pytest.raises(SchemaError, match=r"3 only in the champion's and 0 only in the challenger's"):
        pair_runs(results, fewer)


def test_other_labels_of_the_same_posts_are_refused_with_their_number(results: RunResults, weaker: RunResults) -> None:
    labels = weaker.test["label"].where(weaker.test.index >= 2, "nobody")
    with pytest.raises(SchemaError, match="found 2 of 800 posts with another"):
        pair_runs(results, dataclasses.replace(weaker, test=weaker.test.assign(label=labels)))


def test_other_targets_are_refused(results: RunResults, weaker: RunResults) -> None:
    taxonomy = weaker.taxonomy.model_copy(update={"targets": weaker.taxonomy.targets[:1]})
    with pytest.raises(SchemaError, match="same risk targets in both runs"):
        pair_runs(results, dataclasses.replace(weaker, taxonomy=taxonomy))


def test_runs_of_other_classes_are_refused_by_their_names(results: RunResults, weaker: RunResults) -> None:
    with pytest.raises(SchemaError, match=r"offmychest, bipolar and depression, .*, bipolar, elsewhere; runs of other"):
        pair_runs(results, dataclasses.replace(weaker, taxonomy=load_taxonomy("mh5_elsewhere")))


@pytest.mark.parametrize("target", ["suicidewatch", "any_risk"])
def test_rates_and_differences_are_those_of_scikit_learn(
    results: RunResults, weaker: RunResults, pair: RunPair, target: str
) -> None:
    frame = build_rates(pair).frame.query("target == @target").set_index("quantity")
    labels = next(point.labels for point in results.operating_points if point.name == target)
    y_true = results.test["label"].isin(labels)
    scores = {
        "Recall": lambda y_pred: recall_score(y_true, y_pred),
        "PPV": lambda y_pred: precision_score(y_true, y_pred),
        "Specificity": lambda y_pred: recall_score(~y_true, ~y_pred),
    }
    for name, score in scores.items():
        old, new = score(flags(results, target)), score(flags(weaker, target))
        assert frame.loc[name, "champion"] == pytest.approx(old)
        assert frame.loc[name, "challenger"] == pytest.approx(new)
        assert frame.loc[name, "difference"] == pytest.approx(new - old)
        assert frame.loc[name, "difference_low"] <= new - old <= frame.loc[name, "difference_high"]


def test_the_mcnemar_p_value_is_that_of_the_binomial_test(
    results: RunResults, weaker: RunResults, pair: RunPair
) -> None:
    frame = build_rates(pair).frame.query("target == 'any_risk'").set_index("quantity")
    others = (results.test["label"] == "offmychest").to_numpy()
    old, new = flags(results, "any_risk")[others], flags(weaker, "any_risk")[others]
    n_only_new, n_only_old = int((new & ~old).sum()), int((old & ~new).sum())
    expected = binomtest(n_only_new, n_only_new + n_only_old).pvalue
    assert frame.loc["Specificity", "p_value"] == pytest.approx(expected)


def test_alerts_are_counted_on_test_on_other_posts_and_on_each_kind_of_controls(
    results: RunResults, weaker: RunResults, pair: RunPair
) -> None:
    frame = build_alert_differences(pair).frame.query("target == 'any_risk'").set_index("quantity")
    others = (results.test["label"] == "offmychest").to_numpy()
    expected = {
        "all test posts": (flags(results, "any_risk"), flags(weaker, "any_risk")),
        "test posts without the label": (flags(results, "any_risk")[others], flags(weaker, "any_risk")[others]),
    }
    assert results.controls is not None
    assert weaker.controls is not None
    for kind in ("emotional", "plain"):
        chosen = results.controls["control_kind"] == kind
        expected[f"controls: {kind}"] = tuple(  # type: ignore[assignment]
            run.controls.loc[chosen, "risk_any_risk"] >= run.point_by_target["any_risk"].threshold  # type: ignore[union-attr]
            for run in (results, weaker)
        )
    assert set(frame.index) == set(expected)
    for name, (old, new) in expected.items():
        assert frame.loc[name, "champion"] == pytest.approx(1000 * old.mean())
        assert frame.loc[name, "difference"] == pytest.approx(1000 * (new.mean() - old.mean()))
        assert frame.loc[name, "difference_n"] == len(old)


def test_controls_that_one_run_did_not_count_are_left_out_and_said(results: RunResults, weaker: RunResults) -> None:
    assert weaker.controls is not None
    assert results.controls is not None
    counted = np.arange(len(weaker.controls)) % 2 == 0  # the others trained a first stage
    controls = weaker.controls[counted].sample(frac=1, random_state=2)
    half = pair_runs(results, dataclasses.replace(weaker, controls=controls))
    table = build_alert_differences(half)
    row = table.frame.query("target == 'any_risk'").set_index("quantity").loc["controls: plain"]
    is_plain = results.controls["control_kind"].eq("plain").to_numpy()
    threshold = results.point_by_target["any_risk"].threshold
    flagged = results.controls["risk_any_risk"] >= threshold
    assert row["champion"] == pytest.approx(1000 * flagged[counted & is_plain].mean())
    assert row["difference_n"] == (counted & is_plain).sum()
    n = (counted & is_plain).sum()
    assert f"plain: {n} posts, of the champion's {is_plain.sum():,} and the challenger's {n})" in table.note


def test_a_kind_of_controls_that_only_one_run_scored_is_named(results: RunResults, weaker: RunResults) -> None:
    assert weaker.controls is not None
    others = weaker.controls.assign(post_id=[f"other-{i}" for i in range(len(weaker.controls))])
    table = build_alert_differences(pair_runs(results, dataclasses.replace(weaker, controls=others)))
    assert not table.frame["quantity"].str.startswith("controls").any()
    assert "emotional: 0 posts, of the champion's" in table.note
    same = build_alert_differences(pair_runs(results, weaker))
    assert "Controls are compared" not in same.note


def test_probabilities_are_compared_on_posts_that_both_runs_read(results: RunResults, weaker: RunResults) -> None:
    is_cleared = np.arange(len(weaker.test)) % 5 == 0
    cascade = dataclasses.replace(weaker, test=clear_posts(weaker.test, is_cleared))
    table = build_probabilities(pair_runs(results, cascade))
    found = table.frame.set_index(["target", "quantity"]).loc[("any_risk", "Brier score")]
    y_true = (results.test["label"] != "offmychest")[~is_cleared]
    for column, run in (("champion", results), ("challenger", weaker)):
        assert found[column] == pytest.approx(brier_score_loss(y_true, run.test["risk_any_risk"][~is_cleared]))
    assert found["difference_n"] == (~is_cleared).sum()
    assert f"cleared {is_cleared.sum()} of 800 test posts in the challenger" in table.note


def test_ranking_and_probabilities_are_those_of_scikit_learn(
    results: RunResults, weaker: RunResults, pair: RunPair
) -> None:
    names = list(results.taxonomy.names)
    ranking = build_ranking(pair).frame.set_index(["target", "quantity"])
    brier = build_probabilities(pair).frame.set_index(["target", "quantity"])
    y_true = results.test["label"] != "offmychest"
    for column, run in (("champion", results), ("challenger", weaker)):
        risk = run.test["risk_any_risk"].clip(0, 1)
        assert ranking.loc[("any_risk", "Average precision"), column] == pytest.approx(
            average_precision_score(y_true, risk)
        )
        assert brier.loc[("any_risk", "Brier score"), column] == pytest.approx(brier_score_loss(y_true, risk))
        predicted = run.test[[f"prob_{name}" for name in names]].to_numpy().argmax(axis=1)
        macro_f1 = f1_score(results.test["label"], np.array(names)[predicted], average="macro")
        assert ranking.loc[("all classes", "Macro F1"), column] == pytest.approx(macro_f1)
    for frame in (ranking, brier):
        difference = frame["challenger"] - frame["champion"]
        np.testing.assert_allclose(frame["difference"].astype(float), difference.astype(float))
        assert (frame["difference_low"] <= frame["difference_high"]).all()


def test_a_challenger_with_more_false_alarms_does_not_pass(pair: RunPair) -> None:
    failed = {rule.code for rule in judge_promotion(pair) if rule.outcome == "fail"}
    assert {"GATE4", "GATE5"} <= failed  # the weaker scorer pays for the same promise with reading


def test_a_challenger_that_is_the_champion_passes_with_differences_of_nothing(results: RunResults) -> None:
    same = pair_runs(results, results)
    comparison = compare(same)
    assert comparison.is_met
    assert "Gate met" in comparison.verdict
    assert all(rule.outcome == "pass" for rule in comparison.rules)
    assert (build_rates(same).frame["difference"] == 0).all()


def test_a_better_challenger_passes_and_is_not_called_better(results: RunResults, weaker: RunResults) -> None:
    champion = dataclasses.replace(weaker, controls=None)  # made controls of the two are not the same posts
    comparison = compare(pair_runs(champion, results), n_runs=5)
    assert comparison.is_met
    assert "5 runs have read this test split" in comparison.verdict
    assert "no proof of a gain" in comparison.verdict
    assert "better" not in comparison.verdict


@pytest.mark.parametrize(
    "change",
    [
        {"target_recall": 0.9},
        {"confidence_level": 0.9},
        {"n_promises": None},
    ],
)
def test_a_weaker_promise_does_not_pass(results: RunResults, change: dict[str, float | None]) -> None:
    champion = results
    if "n_promises" in change:  # the champion's promises hold together, the challenger's each alone
        shared = tuple(point.model_copy(update={"n_promises": 2}) for point in results.operating_points)
        champion = dataclasses.replace(results, operating_points=shared)
        change = {}
    points = tuple(point.model_copy(update=change) for point in results.operating_points)
    rules = judge_promotion(pair_runs(champion, dataclasses.replace(results, operating_points=points)))
    assert {rule.code for rule in rules if rule.outcome == "fail"} == {"GATE1"}


def test_a_target_without_an_operating_point_does_not_pass(results: RunResults) -> None:
    fewer = dataclasses.replace(results, operating_points=results.operating_points[:1])
    rules = judge_promotion(pair_runs(results, fewer))
    assert [rule.sentence for rule in rules if rule.outcome == "fail"] == [
        "any_risk: the challenger has no operating point."
    ]


def test_a_champion_without_a_promise_cannot_be_replaced_unseen(results: RunResults) -> None:
    nothing = dataclasses.replace(results, operating_points=())
    assert not is_met(judge_promotion(pair_runs(nothing, nothing)))


def test_a_challenger_that_finds_fewer_positives_fails_on_recall_and_on_its_promise(results: RunResults) -> None:
    strict = tuple(point.model_copy(update={"threshold": 0.97}) for point in results.operating_points)
    rules = judge_promotion(pair_runs(results, dataclasses.replace(results, operating_points=strict)))
    assert {"GATE2", "GATE3"} <= {rule.code for rule in rules if rule.outcome == "fail"}
    worse = next(rule for rule in rules if rule.code == "GATE3" and rule.outcome == "fail")
    assert "0 of" in worse.sentence  # the challenger alone finds none
    assert worse.sentence.endswith(": worse.")


def test_rules_name_numbers_with_interval_and_n(pair: RunPair) -> None:
    for rule in judge_promotion(pair):
        if rule.code != "GATE1":
            assert "95%" in rule.sentence
            assert any(character.isdigit() for character in rule.sentence)


class Closing(HTMLParser):
    """Check that the page is closed and loads nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads.extend(
            value or "" for name, value in attrs if name in ("src", "href") and not (value or "").startswith("#")
        )


def test_the_page_and_the_json_are_written_together(pair: RunPair, tmp_path: Path) -> None:
    comparison = compare(pair)
    path = write_comparison(comparison, tmp_path / "out")
    assert sorted(file.name for file in path.parent.iterdir()) == ["comparison.html", "comparison.json"]
    html = path.read_text(encoding="utf-8")
    checker = Closing()
    checker.feed(html)
    assert checker.loads == []
    assert "May the challenger take the champion&#39;s place?" in html
    content = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert content["is_met"] is False
    assert content["verdict"] == comparison.verdict
    assert set(content["tables"]) == {"promises", "rates", "alert_differences", "ranking", "probabilities"}
    assert "test-7" not in html
    write_comparison(comparison, tmp_path / "out")  # an earlier comparison is replaced


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(ConfigError, match="found 1 other files"):
        validate_comparison_folder(tmp_path)
    assert (tmp_path / "thesis.txt").exists()
