import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.audit.estimate import ReadStratum, estimate_audited_recall
from screening.audit.plan import compute_required_reading, plan_audit
from screening.audit.sampling import allocate_reading

PROMISE = {"target_recall": 0.95, "confidence_level": 0.95}


def plan(n_posts=10_000, n_flagged=2_000, ppv=0.0475, expected_recall=0.98, **options):
    return plan_audit(n_posts, n_flagged, ppv, expected_recall=expected_recall, **PROMISE | options)


def read_after(n_unflagged: int, n_to_read: int, n_found: int, near_share: float = 0.1) -> list[ReadStratum]:
    """Strata after reading, with every miss found in the far stratum."""
    n_near, n_far = allocate_reading(n_unflagged, n_to_read, near_share)
    near = ReadStratum(name="near", n_posts=n_near, n_sampled=n_near, n_positive=0)
    return [near, ReadStratum(name="far", n_posts=n_unflagged - n_near, n_sampled=n_far, n_positive=n_found)]


def test_worked_example_of_95_at_95_takes_thousands():
    """95 flagged positives allow 5 misses (95/100); with none of 6 left in n of 8,000: (1 - n/8000)^6 <= .05."""
    done = plan(near_share=0.0)
    assert (done.n_detected, done.n_allowed_misses, done.n_unflagged) == (95, 5, 8_000)
    approximate = 8_000 * (1 - 0.05 ** (1 / 6))
    assert done.sizes[0].n_to_read == pytest.approx(approximate, abs=5)
    assert done.sizes[0].n_to_read == 3_144


def test_zero_misses_match_counting_samples_with_whole_numbers():
    n_to_read = compute_required_reading(300, 4, 0, confidence_level=0.95)

    def is_enough(n: int) -> bool:
        return math.comb(300 - 5, n) * 20 <= math.comb(300, n)

    assert is_enough(n_to_read)
    assert not is_enough(n_to_read - 1)


@pytest.mark.parametrize("near_share", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("n_found", [0, 1, 3])
def test_the_planned_number_is_the_fewest_for_which_the_estimate_confirms(n_found, near_share):
    n_to_read = compute_required_reading(3_000, 20, n_found, confidence_level=0.95, near_share=near_share)
    flagged = ReadStratum(name="flagged", n_posts=900, n_sampled=900, n_positive=380)  # 380 (1 - .95) / .95 = 20

    def judge(n: int) -> str:
        return estimate_audited_recall(flagged, read_after(3_000, n, n_found, near_share), **PROMISE).verdict

    assert judge(n_to_read) == "confirmed"
    assert judge(n_to_read - 1) != "confirmed"


@given(st.integers(0, 3), st.integers(0, 3))
def test_a_plan_holds_wherever_its_misses_are_found(n_in_near, n_in_far):
    n_found = n_in_near + n_in_far
    n_to_read = compute_required_reading(3_000, 20, n_found, confidence_level=0.95, near_share=0.1)
    near, far = read_after(3_000, n_to_read, n_in_far)
    near = near.model_copy(update={"n_positive": n_in_near})
    flagged = ReadStratum(name="flagged", n_posts=900, n_sampled=900, n_positive=380)
    assert estimate_audited_recall(flagged, [near, far], **PROMISE).verdict == "confirmed"


def test_reading_grows_with_misses_found_and_the_last_row_has_a_good_chance():
    done = plan(100_000, 20_000)
    assert [size.n_misses_found for size in done.sizes] == [0, 1, 2, 5]
    assert [size.n_to_read for size in done.sizes] == sorted(size.n_to_read for size in done.sizes)
    assert [size.chance for size in done.sizes] == sorted(size.chance for size in done.sizes)
    assert done.sizes[-1].chance >= 0.8 > done.sizes[-2].chance


def test_where_no_miss_is_allowed_nearly_every_post_must_be_read():
    done = plan(10_000, 1_500, 0.0063, near_share=0.0)
    assert (done.n_detected, done.n_allowed_misses) == (9, 0)
    assert done.sizes[0].n_to_read == 0.95 * 8_500
    assert len(done.sizes) == 1


def test_reading_hardly_depends_on_the_length_of_the_period_once_it_is_long():
    sizes = [plan(n, n // 5).sizes[0].n_to_read for n in (100_000, 1_000_000, 10_000_000)]
    assert sizes[0] < sizes[1] < sizes[2] < 1.06 * sizes[0]


def test_finding_more_misses_than_allowed_cannot_be_planned():
    with pytest.raises(ValueError, match="0 to 5 misses"):
        compute_required_reading(8_000, 5, 6, confidence_level=0.95)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n_flagged": 10_000}, "n_flagged < n_posts"),
        ({"ppv": 0.0}, "ppv"),
        ({"ppv": 0.0001}, "longer period"),
        ({"target_recall": 1.0}, "target_recall"),
        ({"expected_recall": 0.0}, "expected_recall"),
    ],
)
def test_numbers_that_plan_nothing_are_refused_with_what_was_found(changes, said):
    with pytest.raises(ValueError, match=said):
        plan(**changes)
