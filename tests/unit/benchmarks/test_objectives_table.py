from typing import Any

import numpy as np
import pytest
from objectives_table import DIFFERENCE_HEADS, DIGITS, decode, format_differences, measure, pair_seeds
from sklearn.metrics import f1_score, precision_score, recall_score

from screening.metrics.bootstrap import compute_paired_difference

N_POSTS = 400


def draw_line(seed: int, share_right: float) -> dict[str, Any]:
    """Draw what a system said of the same posts, right about a share of them."""
    true = np.random.default_rng(0).integers(0, 4, N_POSTS)
    rng = np.random.default_rng(100 + seed)
    predicted = np.where(rng.random(N_POSTS) < share_right, true, rng.integers(0, 4, N_POSTS))
    flagged = (true == 1) | (rng.random(N_POSTS) < 0.2)
    texts = {"true": true, "predicted": predicted, "flagged": flagged.astype(int)}
    return {
        "seed": seed,
        "target": {"labels": [1, 3]},
        **{name: "".join(DIGITS[i] for i in values) for name, values in texts.items()},
    }


def parse(text: str) -> tuple[float, float, float]:
    value, _, interval = text.replace("−", "-").partition(" (")
    low, _, high = interval.rstrip(")").partition(" to ")
    return float(value), float(low), float(high)


def test_measures_are_those_of_scikit_learn_averaged_over_seeds() -> None:
    lines = [draw_line(seed, 0.7) for seed in (0, 1)]
    measured = {name: values[0] for name, values in measure(lines, np.ones((1, N_POSTS), dtype=np.float32)).items()}
    found = []
    for line in lines:
        true, predicted, flagged = decode(line["true"]), decode(line["predicted"]), decode(line["flagged"])
        is_positive = np.isin(true, [1, 3])
        found.append(
            {
                "macro_f1": f1_score(true, predicted, average="macro"),
                "weighted_f1": f1_score(true, predicted, average="weighted"),
                "argmax_recall": recall_score(is_positive, np.isin(predicted, [1, 3])),
                "promised_precision": precision_score(is_positive, flagged),
            }
        )
    expected = {name: np.mean([values[name] for values in found]) for name in found[0]}
    assert {name: measured[name] for name in expected} == pytest.approx(expected)


def test_a_system_differs_from_itself_by_nothing() -> None:
    line = draw_line(0, 0.7)
    assert set(format_differences([(line, line)])) == {"+0.0 (+0.0 to +0.0)"}


def test_the_interval_of_one_seed_is_the_library_s() -> None:
    pair = (draw_line(0, 0.8), draw_line(1, 0.7))
    true, first, second = (
        [int(digit) for digit in text] for text in (pair[0]["true"], pair[0]["predicted"], pair[1]["predicted"])
    )
    expected = compute_paired_difference(
        true, (first, second), n_classes=4, metric="macro_f1", split="test", rng=np.random.default_rng(3)
    )
    value, low, high = parse(dict(zip(DIFFERENCE_HEADS, format_differences([pair]), strict=True))["macro_f1"])
    assert expected.interval is not None
    assert value == pytest.approx(100 * expected.value, abs=0.05)
    ends = (100 * expected.interval.low, 100 * expected.interval.high)
    assert (low, high) == pytest.approx(ends, abs=0.6)  # quantiles of 10,000 and of 2,000 repeats: a tenth of the width


def test_more_seeds_of_the_same_systems_make_the_interval_narrower() -> None:
    pairs = [(draw_line(2 * i, 0.8), draw_line(2 * i + 1, 0.7)) for i in range(6)]
    few, many = (parse(next(format_differences(some))) for some in (pairs[:1], pairs))
    assert many[2] - many[1] < 0.7 * (few[2] - few[1])


def test_a_system_whose_promise_could_not_be_made_has_no_difference_at_the_promise() -> None:
    line = draw_line(0, 0.8)
    formatted = dict(zip(DIFFERENCE_HEADS, format_differences([(line | {"flagged": None}, line)]), strict=True))
    assert [name for name, text in formatted.items() if text == "–"] == ["promised_recall", "promised_precision"]


def test_lines_that_read_other_posts_are_not_compared() -> None:
    line, other = draw_line(0, 0.8), draw_line(0, 0.7)
    with pytest.raises(SystemExit, match="different test posts"):
        pair_seeds([line], [other | {"true": other["true"][::-1]}])
