import pytest
from pydantic import ValidationError

from screening.audit.estimate import AuditEstimate, ReadStratum, bound_positives, estimate_audited_recall
from screening.audit.finite_population import compute_lower_total, compute_upper_total

PROMISE = {"target_recall": 0.95, "confidence_level": 0.95}


def stratum(name: str, n_posts: int, n_sampled: int, n_positive: int, n_missing: int = 0) -> ReadStratum:
    return ReadStratum(name=name, n_posts=n_posts, n_sampled=n_sampled, n_positive=n_positive, n_missing=n_missing)


FLAGGED, NEAR, FAR = stratum("flagged", 500, 500, 190), stratum("near", 100, 100, 3), stratum("far", 4_000, 1_000, 2)


def estimate(flagged=FLAGGED, unflagged=(NEAR, FAR)) -> AuditEstimate:
    return estimate_audited_recall(flagged, unflagged, **PROMISE)


def test_value_weighs_each_miss_by_the_inverse_of_its_inclusion_probability():
    found = estimate()
    assert found.missed.value == 3 + 2 * 4
    assert found.recall.value == pytest.approx(190 / (190 + 11))
    assert found.recall.n_samples == 190 + 3 + 2
    assert found.missed.n_samples == 1_100


def test_interval_adds_what_was_counted_near_to_the_exact_bounds_far():
    found = estimate()
    low, high = (bound(4_000, 1_000, 2, 0.95) for bound in (compute_lower_total, compute_upper_total))
    assert (found.missed.interval.low, found.missed.interval.high) == (3 + low, 3 + high)
    assert found.recall.interval.low == pytest.approx(190 / (190 + 3 + high))
    assert found.recall.interval.high == pytest.approx(190 / (190 + 3 + low))
    assert found.recall.interval.confidence_level == 0.9  # each end at .95


def test_reading_everything_leaves_no_doubt():
    found = estimate(unflagged=(NEAR, stratum("far", 4_000, 4_000, 7)))
    assert found.recall.interval.low == found.recall.value == found.recall.interval.high == 190 / 200
    assert found.verdict == "confirmed"


def test_a_sample_of_flagged_posts_widens_both_ends():
    sampled = stratum("flagged", 500, 250, 95)
    found, full = estimate(sampled), estimate()
    assert found.recall.value == pytest.approx(full.recall.value)
    assert found.recall.interval.low < full.recall.interval.low
    assert found.recall.interval.high > full.recall.interval.high
    # a fifth of the error for the flagged side, the rest for the missed: .01 and .04
    hits, missed = compute_lower_total(500, 250, 95, 0.99), 3 + compute_upper_total(4_000, 1_000, 2, 0.96)
    assert found.recall.interval.low == pytest.approx(hits / (hits + missed))


def test_missing_decisions_are_worst_at_the_low_end_and_best_at_the_high_end():
    found = estimate(stratum("flagged", 500, 500, 185, 5), (NEAR, stratum("far", 4_000, 1_000, 0, 2)))
    worst = estimate(stratum("flagged", 500, 500, 185), (NEAR, FAR))
    best = estimate(stratum("flagged", 500, 500, 190), (NEAR, stratum("far", 4_000, 1_000, 0)))
    assert found.n_missing == 7
    assert (found.recall.value, found.recall.interval.low) == (worst.recall.value, worst.recall.interval.low)
    assert found.recall.interval.high == best.recall.interval.high


def test_missing_decisions_alone_never_contradict_a_promise():
    found = estimate(unflagged=(NEAR, stratum("far", 4_000, 1_000, 0, 200)))
    assert found.recall.value < 0.5
    assert found.verdict == "consistent"


@pytest.mark.parametrize(
    ("n_missed_far", "verdict"), [(0, "consistent"), (40, "contradicted")], ids=["three near", "many far"]
)
def test_verdict_follows_the_interval(n_missed_far, verdict):
    assert estimate(unflagged=(NEAR, stratum("far", 4_000, 1_000, n_missed_far))).verdict == verdict


def test_without_any_positive_nothing_is_said():
    found = estimate(stratum("flagged", 500, 500, 0), (stratum("far", 4_000, 1_000, 0),))
    assert found.recall.value is None
    assert found.recall.interval is None
    assert found.verdict == "unknown"


def test_misses_without_a_flagged_positive_are_a_recall_of_zero_at_the_low_end():
    found = estimate(stratum("flagged", 500, 500, 0))
    assert (found.recall.value, found.recall.interval.low, found.recall.interval.high) == (0.0, 0.0, 0.0)
    assert found.verdict == "contradicted"


def test_two_strata_read_in_part_are_refused():
    with pytest.raises(ValueError, match="at most one unflagged stratum read in part, found near, far"):
        estimate(unflagged=(stratum("near", 100, 50, 0), FAR))


def test_more_decisions_than_posts_read_are_refused():
    with pytest.raises(ValueError, match="n_positive \\+ n_missing <= n_sampled"):
        estimate(stratum("flagged", 500, 500, 400, 101))
    with pytest.raises(ValidationError, match="n_sampled <= n_posts"):
        stratum("far", 10, 11, 0)


@pytest.mark.parametrize("promise", [{"target_recall": 1.0}, {"confidence_level": 0.5}])
def test_promises_no_interval_can_judge_are_refused(promise):
    with pytest.raises(ValueError, match="expected target_recall"):
        estimate_audited_recall(FLAGGED, (NEAR, FAR), **PROMISE | promise)


def test_bounds_of_strata_read_in_full_are_counts():
    assert bound_positives([NEAR, stratum("other", 10, 10, 4)], 0.95) == (7, 7)
