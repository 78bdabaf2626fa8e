"""The promise itself, by repeated calibration: how often is the true recall below target?

Positives' scores come from a known distribution, so the true recall of a threshold is exact, not estimated.

Tolerance: with R repeats, the observed share of broken promises has standard deviation sqrt(p (1 - p) / R) around a
true probability p <= .05: at most .0049 for R = 2,000. We allow three of them, so a correct method fails a test with
probability below .0014; seeds are fixed, so a test that passes keeps passing.
"""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom, norm

from screening.thresholds.recall_control import compute_allowed_misses, select_threshold

pytestmark = pytest.mark.statistical

TARGET_RECALL, CONFIDENCE_LEVEL = 0.95, 0.95
N_REPEATS = 2_000
ALLOWED = 1 - CONFIDENCE_LEVEL
TOLERANCE = 3 * (ALLOWED * (1 - ALLOWED) / N_REPEATS) ** 0.5

Selector = Callable[[np.ndarray, np.ndarray], float]


def draw_positives(rng: np.random.Generator, n: int, decimals: int | None, shift: float = 0.0) -> np.ndarray:
    """Scores of positives in (0, 1): the normal distribution function of N(1 + shift, 1), rounded for ties."""
    scores = norm.cdf(rng.normal(1 + shift, 1, n))
    return scores if decimals is None else scores.round(decimals)


def compute_true_recall(threshold: float, decimals: int | None, shift: float = 0.0) -> float:
    """P(score >= threshold), exact: a score rounds to at least v when it is at least half a step below v."""
    edge = threshold if decimals is None else threshold - 0.5 * 10.0**-decimals
    return float(norm.sf(norm.ppf(np.clip(edge, 0, 1)), loc=1 + shift))


def select_promised(y_score: np.ndarray, y_true: np.ndarray) -> float:
    promise = {"target_recall": TARGET_RECALL, "confidence_level": CONFIDENCE_LEVEL}
    return select_threshold(y_score, y_true, **promise).threshold


def select_naively(y_score: np.ndarray, y_true: np.ndarray) -> float:
    """The highest score that reaches the target on the calibration posts themselves."""
    positives = np.sort(y_score[y_true])
    return float(positives[int(np.floor((1 - TARGET_RECALL) * positives.size + 1e-9))])


def measure_miss_rate(
    select: Selector, n_positive: int, decimals: int | None = None, n_negative: int = 20, shift: float = 0.0
) -> float:
    """Share of repeats in which the true recall is below target; ``shift`` moves the positives met afterwards."""
    rng = np.random.default_rng([n_positive, n_negative, 0 if decimals is None else decimals])
    y_true = np.arange(n_positive + n_negative) < n_positive
    misses = 0
    for _ in range(N_REPEATS):
        y_score = np.r_[draw_positives(rng, n_positive, decimals), rng.beta(1, 4, n_negative)]
        threshold = select(y_score, y_true)
        misses += compute_true_recall(threshold, decimals, shift) < TARGET_RECALL
    return misses / N_REPEATS


@pytest.mark.parametrize("decimals", [None, 2, 1], ids=["no ties", "two decimals", "one decimal"])
@pytest.mark.parametrize("n_positive", [59, 100, 400])
def test_promise_is_broken_no_more_often_than_promised(n_positive, decimals):
    assert measure_miss_rate(select_promised, n_positive, decimals) <= ALLOWED + TOLERANCE


@pytest.mark.parametrize("n_positive", [59, 100, 400])
def test_promise_is_as_tight_as_its_stated_confidence_without_ties(n_positive):
    rank = compute_allowed_misses(n_positive, target_recall=TARGET_RECALL, confidence_level=CONFIDENCE_LEVEL)
    exact = binom.cdf(rank, n_positive, 1 - TARGET_RECALL)
    assert measure_miss_rate(select_promised, n_positive) == pytest.approx(exact, abs=TOLERANCE)


@pytest.mark.parametrize(("n_positive", "n_missed"), [(59, 2), (100, 5), (400, 20)])
def test_naive_threshold_breaks_the_promise_about_half_the_time(n_positive, n_missed):
    """Its rank is 5 % of the positives, so it breaks with P(Binomial(n, .05) <= n_missed): .43, .62 and .56."""
    miss_rate = measure_miss_rate(select_naively, n_positive)
    assert miss_rate == pytest.approx(binom.cdf(n_missed, n_positive, 1 - TARGET_RECALL), abs=3 * 0.5 / N_REPEATS**0.5)
    assert 0.4 <= miss_rate <= 0.65


@pytest.mark.parametrize("n_negative", [0, 1_000])
def test_promise_survives_a_change_of_prevalence(n_negative):
    """Prevalence runs from 100 % to 9 % among calibration posts; recall is a matter of positives alone."""
    assert measure_miss_rate(select_promised, 100, n_negative=n_negative) <= ALLOWED + TOLERANCE


def test_promise_does_not_survive_positives_that_look_different():
    """The stated assumption is needed: positives that score lower by half a standard deviation break the promise."""
    assert measure_miss_rate(select_promised, 400, shift=-0.5) > 0.9


def test_recall_of_one_rounded_score_is_the_recall_before_rounding():
    """The oracle of the tied cases, checked against a large sample: 3.5 standard errors of .0003."""
    sample = draw_positives(np.random.default_rng(0), 10**6, 1)
    assert compute_true_recall(0.3, 1) == pytest.approx((sample >= 0.3).mean(), abs=0.001)
