"""Numbers of the recall and cost tables, against counting by hand and a second library."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from reports.results import RunResults
from reports.sections.cost import build_alerts, build_deployment
from reports.sections.recall import build_performance
from screening.config import load_config
from screening.taxonomy import load_taxonomy
from screening.thresholds.operating_point import OperatingPoint

# Ten posts: five of r/SuicideWatch with scores .9 .8 .7 .6 .2, five others with scores .65 .3 .1 .1 .1; threshold .6.
# Flagged: .9 .8 .7 .6 (true) and .65 (false). Recall 4/5, specificity 4/5, PPV 4/5, NPV 4/5, alerts 5/10.
SCORES = (0.9, 0.8, 0.7, 0.6, 0.2, 0.65, 0.3, 0.1, 0.1, 0.1)
LABELS = ("suicidewatch",) * 5 + ("offmychest",) * 5


@pytest.fixture
def tiny(results: RunResults) -> RunResults:
    point = OperatingPoint(
        name="suicidewatch", labels=("suicidewatch",), triage="refer", target_recall=0.95, confidence_level=0.95,
        threshold=0.6, n_samples=100, n_positive=60, n_allowed_misses=0, recall_lower_bound=0.951,
        confidence_achieved=0.954,
    )  # fmt: skip
    ids = [f"p{i}" for i in range(10)]
    test = pd.DataFrame({"post_id": ids, "label": LABELS, "risk_suicidewatch": SCORES})
    controls = pd.DataFrame(
        {"post_id": ["c0", "c1", "c2", "c3"], "control_kind": ["plain", "plain", "plain", "emotional"],
         "risk_suicidewatch": [0.1, 0.7, 0.2, 0.61]}
    )  # fmt: skip
    return dataclasses.replace(results, operating_points=(point,), test=test, controls=controls, comparators={})


@pytest.mark.parametrize("name", ["recall", "specificity", "ppv", "npv"])
def test_rates_on_test_are_the_hand_counted_ones_with_exact_intervals(tiny: RunResults, name: str) -> None:
    row = build_performance(tiny).frame.iloc[0]
    oracle = binomtest(4, 5).proportion_ci(method="exact")
    assert row[name] == pytest.approx(0.8)
    assert row[f"{name}_n"] == 5
    assert (row[f"{name}_low"], row[f"{name}_high"]) == pytest.approx((oracle.low, oracle.high), abs=1e-9)


def test_alerts_per_1000_count_flags_of_every_group_of_posts(tiny: RunResults) -> None:
    alerts = build_alerts(tiny).frame.set_index("posts")
    assert alerts["n_flagged"].to_dict() == {"test": 5, "controls: emotional": 1, "controls: plain": 1}
    assert alerts.loc["test", "alerts_per_1000"] == pytest.approx(500)
    assert alerts.loc["controls: plain", "alerts_per_1000"] == pytest.approx(1000 / 3)
    oracle = binomtest(1, 3).proportion_ci(method="exact")
    assert alerts.loc["controls: plain", "alerts_per_1000_high"] == pytest.approx(1000 * oracle.high)


def test_deployment_follows_a_population_counted_by_hand(tiny: RunResults) -> None:
    # 100,000 posts at 1%: 1,000 positives, 800 found; 99,000 others like the controls, of which half are flagged.
    frame = build_deployment(tiny).frame
    row = frame[(frame["prevalence_words"] == "1%") & (frame["other_posts"] == "controls")].iloc[0]
    assert row["alerts_per_1000"] == pytest.approx((800 + 49_500) / 100)
    assert row["ppv"] == pytest.approx(800 / 50_300)
    assert row["npv"] == pytest.approx(49_500 / 49_700)
    assert row["posts_read_per_true_case"] == pytest.approx(50_300 / 800)
    assert row["missed_per_1000"] == pytest.approx(2)
    assert row["reviewer_hours_per_1000"] == pytest.approx(503 * 2 / 60)
    assert (row["n_positive"], row["n_other_posts"]) == (5, 4)


def test_deployment_at_the_split_prevalence_gives_back_what_was_found_on_the_split(tiny: RunResults) -> None:
    frame = build_deployment(tiny).frame
    own = frame[frame["prevalence_words"].str.contains("test split")]
    assert own["other_posts"].tolist() == ["test split"]
    assert own["ppv"].iloc[0] == pytest.approx(build_performance(tiny).frame["ppv"].iloc[0])
    assert own["alerts_per_1000"].iloc[0] == pytest.approx(500)


def test_a_run_without_controls_has_one_reading_per_prevalence(tiny: RunResults) -> None:
    frame = build_deployment(dataclasses.replace(tiny, controls=None)).frame
    assert frame["other_posts"].unique().tolist() == ["test split"]
    assert len(frame) == len(load_config().report.prevalences) + 1


def test_a_split_without_positives_gives_undefined_rates_instead_of_numbers(tiny: RunResults) -> None:
    none = dataclasses.replace(tiny, test=tiny.test.assign(label="offmychest"), controls=None)
    row = build_performance(none).frame.iloc[0]
    assert row["recall"] is None
    assert row["verdict"] == "unknown"
    assert build_deployment(none).frame.empty


def test_a_post_at_the_threshold_is_flagged_in_single_precision_too(tiny: RunResults) -> None:
    test = tiny.test.assign(risk_suicidewatch=np.array(SCORES, dtype=np.float32))
    assert build_performance(dataclasses.replace(tiny, test=test)).frame["n_true_positive"].iloc[0] == 4


def test_every_target_of_the_taxonomy_with_a_point_is_reported(results: RunResults) -> None:
    names = [target.name for target in load_taxonomy("mh5").targets]
    assert build_performance(results).frame["target"].tolist() == names
