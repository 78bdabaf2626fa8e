import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from screening.thresholds.operating_point import GroupPromise, OperatingPoint

FINITE = st.floats(allow_nan=False, allow_infinity=False)
PROBABILITY = st.floats(0, 1)


def make_point(**changes: object) -> OperatingPoint:
    fields = {
        "name": "any_risk",
        "labels": ("depression", "anxiety"),
        "triage": "review",
        "target_recall": 0.95,
        "confidence_level": 0.95,
        "threshold": 0.5,
        "n_samples": 200,
        "n_positive": 59,
        "n_allowed_misses": 0,
        "recall_lower_bound": 0.9505,
        "confidence_achieved": 0.9515,
    }
    return OperatingPoint.model_validate(fields | changes)


def test_a_score_equal_to_the_threshold_is_flagged_and_the_next_smaller_is_not():
    point = make_point(threshold=0.3)
    assert point.flag(np.array([np.nextafter(0.3, 0), 0.3, np.nextafter(0.3, 1)])).tolist() == [False, True, True]


@given(FINITE)
def test_json_keeps_every_bit_of_the_threshold(threshold):
    point = OperatingPoint.model_validate_json(make_point(threshold=threshold).model_dump_json())
    assert point.threshold == threshold
    assert point.flag(np.array([threshold])).all()


@given(FINITE)
def test_the_standard_json_module_keeps_every_bit_of_the_threshold(threshold):
    written = json.dumps(make_point(threshold=threshold).model_dump(mode="json"))
    assert (
        OperatingPoint.model_validate(json.loads(written) | {"labels": ("a",), "assumptions": ("b",)}).threshold
        == threshold
    )


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_single_precision_score_flags_itself_after_json(score):
    scores = np.array([score], dtype=np.float32)
    point = OperatingPoint.model_validate_json(make_point(threshold=float(scores[0])).model_dump_json())
    assert point.flag(scores).all()
    assert point.flag(scores.astype(np.float64)).all()


@given(st.lists(PROBABILITY, min_size=1), PROBABILITY)
def test_single_precision_scores_flag_all_that_double_precision_flags(scores, threshold):
    point = make_point(threshold=threshold)
    y_score = np.array([*scores, threshold])
    lost = point.flag(y_score) & ~point.flag(y_score.astype(np.float32))
    assert not lost.any()


def test_no_posts_give_no_flags():
    assert make_point().flag(np.array([], dtype=float)).shape == (0,)


@pytest.mark.parametrize(
    ("y_score", "expected"),
    [
        (np.array([0.1, np.nan]), "1 of 2 NaN or infinite"),
        (np.array([0.1, np.inf]), "1 of 2 NaN or infinite"),
        (np.array([0, 1]), "found int64"),
        (np.array(["0.5"]), "float32 or float64"),
        (np.array([0.5], dtype=np.float16), "found float16"),
        (np.array([[0.5]]), r"shape \(n_posts,\), found \(1, 1\)"),
    ],
)
def test_flagging_refuses_scores_that_are_not_a_row_of_finite_floats(y_score, expected):
    with pytest.raises(ValueError, match=expected):
        make_point().flag(y_score)


@pytest.mark.parametrize(
    "changes",
    [
        {"threshold": float("nan")},
        {"threshold": float("inf")},
        {"threshold": float("-inf")},
        {"target_recall": 1.0},
        {"n_allowed_misses": 59},
        {"n_positive": 201},
        {"confidence_achieved": 0.9499},
        {"recall_lower_bound": 0.9499},
        {"labels": ()},
        {"assumptions": ()},
        {"surprise": 1},
    ],
)
def test_a_record_that_keeps_no_promise_cannot_be_made(changes):
    with pytest.raises(ValidationError):
        make_point(**changes)


def make_group(**changes: object) -> GroupPromise:
    fields = {
        "column": "community",
        "group": "north",
        "n_positive": 59,
        "n_allowed_misses": 0,
        "recall_lower_bound": 0.9505,
        "confidence_achieved": 0.9515,
    }
    return GroupPromise.model_validate(fields | changes)


@pytest.mark.parametrize("changes", [{"confidence_achieved": 0.9499}, {"recall_lower_bound": 0.9499}])
def test_a_promise_that_one_group_does_not_keep_cannot_be_made(changes):
    assert make_point(groups=(make_group(),)).group_columns == ("community",)
    with pytest.raises(ValidationError, match="the promise is not kept"):
        make_point(groups=(make_group(), make_group(group="south", **changes)))


def test_a_shared_promise_is_held_to_its_own_higher_confidence():
    with pytest.raises(ValidationError, match=r"confidence 0\.9515 for 0\.975"):
        make_point(n_promises=2)
    point = make_point(n_promises=2, confidence_achieved=0.976)
    assert point.confidence_each == pytest.approx(0.975)


def test_a_record_written_before_there_were_variants_is_one_promise_about_posts():
    new = {"unit", "n_promises", "groups"}
    old = {key: value for key, value in make_point().model_dump(mode="json").items() if key not in new}
    point = OperatingPoint.model_validate_json(json.dumps(old))
    assert (point.unit, point.n_promises, point.groups, point.confidence_each) == ("post", 1, (), 0.95)


def test_a_point_is_frozen():
    with pytest.raises(ValidationError):
        make_point().threshold = 0.1


def test_printing_names_target_threshold_promise_and_counts():
    assert str(make_point()) == (
        "any_risk: flag for review at score >= 0.5; recall >= 0.95 with confidence 0.9515 "
        "(59 positives in 200 calibration posts)"
    )


def test_assumptions_travel_with_the_number():
    text = " ".join(make_point().assumptions)
    for word in ("exchangeable", "prevalence", "what positive posts look like", "fixed before"):
        assert word in text
