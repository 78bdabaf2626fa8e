import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from screening.metrics.agreement import compute_cohen_kappa, compute_krippendorff_alpha

# Krippendorff (2011), section "Nominal data, any number of observers, missing data": 4 observers, 12 units.
OBSERVERS = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def to_posts(*observers: str) -> list[list[str | None]]:
    return [[None if rating == "." else rating for rating in post] for post in zip(*observers, strict=True)]


def draw_ratings(n_posts: int, seed: int) -> tuple[list[str], list[str]]:
    draws = np.random.default_rng(seed)
    first = draws.choice(list("abcd"), n_posts, p=(0.5, 0.2, 0.2, 0.1))
    second = np.where(draws.random(n_posts) < 0.6, first, draws.choice(list("abcd"), n_posts))
    return first.tolist(), second.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_kappa_equals_scikit_learn(seed: int) -> None:
    first, second = draw_ratings(200, seed)
    kappa = compute_cohen_kappa(first, second, split="test", rng=rng(), n_repeats=10)
    assert kappa.value == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)
    assert kappa.n_samples == 200


def test_posts_that_one_reader_did_not_read_are_left_out_of_kappa() -> None:
    kappa = compute_cohen_kappa(["a", "b", None, "a"], ["a", "b", "a", None], split="test", rng=rng())
    assert (kappa.value, kappa.n_samples) == (1.0, 2)


@pytest.mark.parametrize(
    ("observers", "alpha"),
    [
        (("0100000010", "1110010000"), 0.095),  # example A of Krippendorff (2011): binary, two observers
        (("aabbdcccedda", "babbbcccEddd".lower()), 0.692),  # example B: nominal, two observers
        (OBSERVERS, 0.743),  # example C: missing data
    ],
)
def test_alpha_equals_the_worked_examples(observers: tuple[str, ...], alpha: float) -> None:
    found = compute_krippendorff_alpha(to_posts(*observers), split="test", rng=rng(), n_repeats=10)
    assert found.value is not None
    assert round(found.value, 3) == alpha


def test_alpha_by_hand_on_three_posts() -> None:
    # Coincidences: post 1 (a, a) gives o_aa 2; post 2 (a, b) gives o_ab and o_ba 1; post 3 (b, b, b) gives o_bb 3.
    # n = 7, n_a = 3, n_b = 4: alpha = 1 - (7 - 1) * 2 / (49 - 9 - 16) = 1 - 12 / 24.
    found = compute_krippendorff_alpha([["a", "a"], ["a", "b"], ["b", "b", "b"]], split="test", rng=rng(), n_repeats=10)
    assert found.value == pytest.approx(0.5)
    assert found.n_samples == 3


def test_full_agreement_is_one_and_a_single_category_says_nothing() -> None:
    ratings = [["a", "a"], ["b", "b"], ["c", "c"]]
    assert compute_krippendorff_alpha(ratings, split="test", rng=rng()).value == 1.0
    for constant in (
        compute_krippendorff_alpha([["a", "a"]] * 5, split="test", rng=rng()),
        compute_cohen_kappa(["a"] * 5, ["a"] * 5, split="test", rng=rng()),
    ):
        assert (constant.value, constant.interval, constant.n_samples) == (None, None, 5)


def test_nothing_read_twice_gives_no_number() -> None:
    alone = compute_krippendorff_alpha([["a"], [None, "b"], []], split="test", rng=rng())
    none = compute_cohen_kappa([], [], split="test", rng=rng())
    assert (alone.value, alone.n_samples, none.value, none.n_samples) == (None, 0, None, 0)


def test_readers_who_guess_agree_at_zero_on_average() -> None:
    draws = np.random.default_rng(3)
    first, second = (draws.choice(list("abc"), 20_000).tolist() for _ in range(2))
    kappa = compute_cohen_kappa(first, second, split="test", rng=rng(), n_repeats=10)
    alpha = compute_krippendorff_alpha(list(zip(first, second, strict=True)), split="test", rng=rng(), n_repeats=10)
    assert kappa.value == pytest.approx(0, abs=0.02)  # standard error of kappa at 20,000 posts: about .005
    assert alpha.value == pytest.approx(kappa.value, abs=1e-3)  # both readers have the same frequencies here


def test_order_of_readers_and_of_posts_does_not_matter_to_alpha() -> None:
    posts = to_posts(*OBSERVERS)
    turned = [list(reversed(post)) for post in reversed(posts)]
    first, second = (
        compute_krippendorff_alpha(ratings, split="test", rng=rng(), n_repeats=10).value for ratings in (posts, turned)
    )
    assert first == pytest.approx(second, abs=1e-12)


def test_the_same_state_gives_the_same_interval_and_it_holds_the_value() -> None:
    first, second = draw_ratings(150, seed=1)
    one, other = (compute_cohen_kappa(first, second, split="test", rng=rng()) for _ in range(2))
    assert one == other
    assert one.interval is not None
    assert one.value is not None
    assert one.interval.low < one.value < one.interval.high


@pytest.mark.statistical
def test_the_interval_of_kappa_covers_the_true_value_about_as_often_as_it_says() -> None:
    # Second readers copy with probability .6, else draw evenly: kappa of the population from 400,000 posts.
    truth = cohen_kappa_score(*draw_ratings(400_000, seed=99))
    n_covered = 0
    for seed in range(300):
        interval = compute_cohen_kappa(*draw_ratings(120, seed), split="test", rng=rng(), n_repeats=400).interval
        assert interval is not None
        n_covered += interval.low <= truth <= interval.high
    assert 0.90 <= n_covered / 300 <= 0.985  # a percentile bootstrap of 120 posts is a little short of 95 %


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        compute_cohen_kappa(["a"], ["a", "b"], split="test", rng=rng())
