"""The audit plan of a report, against whole-number counting and a hand-made population."""

import dataclasses
from math import comb

import pandas as pd
import pytest

from reports.results import RunResults
from reports.sections.audit import PERIOD, build_audit_plan, build_audit_section
from reports.sections.cost import build_deployment
from screening.thresholds.operating_point import OperatingPoint


@pytest.fixture
def tiny(results: RunResults) -> RunResults:
    """Test recall 39/40, and 60 of 960 other posts flagged: at 1 %, 10,000 posts give 98 + 619 = 716 flags."""
    point = OperatingPoint(
        name="suicidewatch", labels=("suicidewatch",), triage="refer", target_recall=0.95, confidence_level=0.95,
        threshold=0.5, n_samples=100, n_positive=60, n_allowed_misses=0, recall_lower_bound=0.951,
        confidence_achieved=0.954,
    )  # fmt: skip
    test = pd.DataFrame(
        {
            "post_id": [f"p{i}" for i in range(1_000)],
            "label": ["suicidewatch"] * 40 + ["offmychest"] * 960,
            "risk_suicidewatch": [0.9] * 39 + [0.1] + [0.9] * 60 + [0.1] * 900,
        }
    )
    return dataclasses.replace(results, operating_points=(point,), test=test, controls=None, comparators={})


def test_reading_at_one_percent_is_the_hand_counted_one(tiny: RunResults) -> None:
    row = build_audit_plan(tiny).frame.query("prevalence_words == '1%'").iloc[0]
    n_flagged = round(100 * 39 / 40 + 9_900 / 16)
    assert row["n_flagged"] == n_flagged == 716
    assert row["n_detected"] == 97
    assert row["n_allowed_misses"] == 5  # 97 / 102 = .951, 97 / 103 = .942
    n, unflagged = int(row["n_to_read"]), PERIOD - n_flagged

    def is_enough(n_to_read: int) -> bool:
        """No one of six misses among those read: every tenth post read is a nearest one, which holds none of them."""
        far, drawn = unflagged - n_to_read // 10, n_to_read - n_to_read // 10
        return 20 * comb(far - 6, drawn) <= comb(far, drawn)

    assert is_enough(n)
    assert not is_enough(n - 1)
    assert row["fraction_to_read"] == n / unflagged
    assert row["hours_to_read"] == pytest.approx(n * 2 / 60)


def test_every_deployment_row_is_planned(results: RunResults) -> None:
    frame = build_audit_plan(results).frame
    keys = ["target", "prevalence", "other_posts"]
    pd.testing.assert_frame_equal(frame[keys], build_deployment(results).frame[keys])
    assert (frame["n_to_read"].dropna() <= PERIOD - frame["n_flagged"][frame["n_to_read"].notna()]).all()


def test_a_longer_period_asks_for_a_smaller_share(tiny: RunResults) -> None:
    row = build_audit_plan(tiny).frame.query("prevalence_words == '1%'").iloc[0]
    assert row["n_to_read"] < row["n_to_read_long"] < 3 * row["n_to_read"]


def test_where_nothing_can_be_planned_the_row_says_nothing(tiny: RunResults) -> None:
    everything = tiny.test.assign(risk_suicidewatch=0.9)
    frame = build_audit_plan(dataclasses.replace(tiny, test=everything)).frame
    assert frame["n_flagged"].tolist() == [PERIOD] * len(frame)
    assert frame["n_to_read_long"].isna().all()
    assert build_audit_plan(dataclasses.replace(tiny, test=everything)).rows


def test_section_gives_the_commands_of_this_run_and_what_voids_the_promise(tiny: RunResults) -> None:
    section = build_audit_section(tiny)
    assert section is not None
    commands = "\n".join(section.words[1:])
    for name in ("score", "audit drift", "audit plan", "audit sample", "audit estimate"):
        assert f"screening {name}" in commands
    assert f"--run {tiny.config.run_dir} --target suicidewatch" in commands
    assert any("audit contradicts" in point for point in section.points)


def test_without_an_operating_point_or_a_positive_there_is_no_section(tiny: RunResults) -> None:
    assert build_audit_section(dataclasses.replace(tiny, operating_points=())) is None
    none = dataclasses.replace(tiny, test=tiny.test.assign(label="offmychest"))
    assert build_audit_section(none) is None
