import numpy as np
import pandas as pd
import pytest
from scipy.stats import betabinom

from screening.audit.drift import compare_scores
from screening.audit.drift_measures import compute_stability_index, measure_distribution, measure_share
from screening.thresholds.operating_point import OperatingPoint

LABELS = {"calm": (1.0, 4.0, 3.5), "risk": (4.0, 1.5, 4.5)}  # beta parameters of the score, log mean of the length


def make_point(name: str = "risk", threshold: float = 0.3) -> OperatingPoint:
    return OperatingPoint(
        name=name, labels=(name,), triage="review", target_recall=0.95, confidence_level=0.95, threshold=threshold,
        n_samples=400, n_positive=100, n_allowed_misses=1, recall_lower_bound=0.95, confidence_achieved=0.963,
    )  # fmt: skip


def make_scores(n: int, seed: int, *, prevalence: float = 0.3, longer: float = 0.0, scale: float = 1.0) -> pd.DataFrame:
    """Scores and lengths of two labels; ``longer`` shifts the log length, ``scale`` squeezes scores."""
    rng = np.random.default_rng(seed)
    label = np.where(rng.random(n) < prevalence, "risk", "calm")
    a, b, length = (np.array([LABELS[name][i] for name in label]) for i in range(3))
    n_tokens = rng.lognormal(length + longer, 0.6).astype(int) + 2
    return pd.DataFrame(
        {"risk_risk": scale * rng.beta(a, b), "n_tokens": n_tokens, "is_truncated": n_tokens > 256, "label": label}
    )


REFERENCE = make_scores(1_200, seed=1)


def compare(current: pd.DataFrame, reference: pd.DataFrame = REFERENCE):
    return compare_scores(reference, current, [make_point()])


def state_of(result, name: str) -> str:
    return dict(zip((measure.name for measure in result.measures), result.states, strict=True))[name]


def test_posts_like_the_reference_are_trusted_and_nothing_is_claimed_for_them():
    result = compare(make_scores(900, seed=2))
    assert result.state == "trusted"
    assert "does not confirm" in result.sentence


def clear(scores: pd.DataFrame, fraction: float) -> pd.DataFrame:
    """Let a first stage clear the first posts: a score of 0, and no length."""
    cleared = np.arange(len(scores)) < fraction * len(scores)
    unread = {"risk_risk": 0.0, "n_tokens": 0}
    return scores.assign(
        **{name: scores[name].mask(cleared, value) for name, value in unread.items()}, is_cleared=cleared
    )


def test_posts_that_a_first_stage_cleared_move_their_own_share_and_no_score_or_length():
    result = compare(clear(make_scores(3_000, seed=2), 0.6), clear(REFERENCE, 0.05))
    assert state_of(result, "is_cleared") == "watch"
    assert result.state == "watch"
    assert {name for name in (m.name for m in result.measures) if state_of(result, name) == "trusted"} == {
        "risk_risk",
        "n_tokens",
        "is_truncated",
        "alert_rate_risk",
    }


def test_a_stream_of_which_nothing_was_read_cannot_be_compared():
    with pytest.raises(ValueError, match="two posts that were read"):
        compare(clear(make_scores(50, seed=2), 1.0), clear(REFERENCE, 0.05))


def test_a_change_of_prevalence_is_watched_and_never_breaks():
    result = compare(make_scores(5_000, seed=3, prevalence=0.01))
    assert result.state == "watch"
    assert "leaves the promise intact" in result.sentence
    assert state_of(result, "risk_risk") == "watch"
    assert state_of(result, "alert_rate_risk") == "watch"


def test_posts_longer_than_any_seen_break_the_promise():
    result = compare(make_scores(2_000, seed=4, longer=3.0))
    assert result.state == "broken"
    assert state_of(result, "n_tokens") == "broken"
    assert state_of(result, "is_truncated") == "broken"
    assert "calibrate again" in result.sentence


def test_more_truncated_posts_than_any_label_had_break_the_promise():
    current = make_scores(1_000, seed=5).assign(is_truncated=np.arange(1_000) < 200)
    highest = REFERENCE.groupby("label")["is_truncated"].mean().max()
    measure = next(m for m in compare(current).measures if m.name == "is_truncated")
    assert state_of(compare(current), "is_truncated") == "broken"
    assert measure.unseen_fraction == pytest.approx(0.2 - highest)


def test_scores_below_all_seen_break_the_promise():
    lowest = REFERENCE["risk_risk"].min()
    current = make_scores(1_000, seed=6)
    current.loc[:199, "risk_risk"] = lowest / 2
    assert state_of(compare(current), "risk_risk") == "broken"


def test_fewer_unseen_posts_than_the_promise_allows_to_miss_do_not_break_it():
    current = make_scores(1_000, seed=7)
    current.loc[:29, "n_tokens"] = 100_000  # 3 % of posts; a recall of .95 may miss 5 %
    assert compare(current).state == "trusted"


def test_more_alerts_than_any_label_had_are_watched_but_never_break():
    current = make_scores(1_000, seed=8).assign(risk_risk=REFERENCE["risk_risk"].max())
    assert state_of(compare(current), "alert_rate_risk") == "watch"
    assert state_of(compare(current), "risk_risk") == "watch"


def test_a_difference_beyond_chance_but_too_small_to_matter_is_trusted():
    reference, current = make_scores(60_000, seed=9), make_scores(60_000, seed=10, prevalence=0.32)
    result = compare(current, reference)
    assert min(measure.p_value for measure in result.measures) < 1e-6
    assert result.state == "trusted"


def test_a_reference_without_labels_is_one_group():
    result = compare(make_scores(900, seed=11), REFERENCE.drop(columns="label"))
    assert result.state == "trusted"
    assert result.measures[0].n_reference == 1_200


def test_one_post_is_no_stream():
    with pytest.raises(ValueError, match="at least two posts"):
        compare(REFERENCE.head(1))


def test_stability_index_by_hand():
    reference, current = np.array([0.0] * 50 + [1.0] * 50), np.array([0.0] * 20 + [1.0] * 80)
    p, q = np.array([50.5, 50.5]) / 101, np.array([20.5, 80.5]) / 101
    expected = sum((p - q) * np.log(p / q))
    assert compute_stability_index(reference, current) == pytest.approx(expected)
    assert compute_stability_index(reference.astype(bool), current.astype(bool)) == pytest.approx(expected)


def test_stability_index_is_zero_for_equal_columns_and_symmetric_in_its_bins():
    column = np.random.default_rng(0).normal(size=500)
    assert compute_stability_index(column, column) == 0
    assert compute_stability_index(column, column + 1) > compute_stability_index(column, column + 0.2) > 0


def test_share_beyond_the_range_of_the_reference_has_the_stated_distribution():
    """Of 20 new draws, those beyond the range of 30 earlier ones: 4,000 repeats against BetaBinomial(20, 2, 29)."""
    rng = np.random.default_rng(5)
    earlier, new = rng.normal(size=(4_000, 30)), rng.normal(size=(4_000, 20))
    n_beyond = ((new < earlier.min(1, keepdims=True)) | (new > earlier.max(1, keepdims=True))).sum(1)
    for n in (1, 2, 4):
        assert (n_beyond >= n).mean() == pytest.approx(betabinom.sf(n - 1, 20, 2, 29), abs=0.025)
    column = measure_distribution("x", np.arange(30.0), np.r_[np.full(16, 5.0), np.full(4, 99.0)], [30], 0.95)
    assert column.unseen_fraction == 0.2
    assert column.unseen_p_value == pytest.approx(betabinom.sf(3, 20, 2, 29))


def test_share_is_compared_with_the_label_where_it_is_highest():
    low, high = np.arange(100) < 10, np.arange(100) < 40
    current = np.arange(200) < 70
    measure = measure_share("x", np.r_[low, high], current, [low, high], 0.95)
    assert measure.reference == 0.25
    assert measure.distance == pytest.approx(0.1)
    assert measure.unseen_fraction == 0.0
    assert measure.unseen_p_value > 0.5


@pytest.mark.slow
@pytest.mark.statistical
def test_without_drift_an_alarm_of_any_kind_is_raised_in_at_most_one_of_twenty_checks():
    """2,000 pairs of small tables, where chance moves most; three standard errors of .0049 are allowed."""
    n_alarms = 0
    for i in range(2_000):
        reference, current = make_scores(150, seed=10_000 + 2 * i), make_scores(120, seed=10_001 + 2 * i)
        n_alarms += compare(current, reference).state != "trusted"
    assert n_alarms / 2_000 <= 0.05 + 3 * 0.0049


@pytest.mark.statistical
@pytest.mark.parametrize("prevalence", [0.0, 0.02, 1.0])
def test_a_change_of_prevalence_alone_is_called_broken_in_at_most_one_of_a_hundred_checks(prevalence):
    """500 pairs; three standard errors of .0044 are allowed."""
    n_broken = 0
    for i in range(500):
        reference = make_scores(300, seed=50_000 + 2 * i)
        n_broken += compare(make_scores(400, seed=50_001 + 2 * i, prevalence=prevalence), reference).state == "broken"
    assert n_broken / 500 <= 0.01 + 3 * 0.0044
