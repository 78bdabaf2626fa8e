"""What another threshold would mean: alerts, what is left to read, and which recall promise would hold."""

import streamlit as st

from apps.review.components.charts import draw_curve
from apps.review.components.labels import to_label, to_words
from apps.review.components.messages import run_page, show_message
from apps.review.components.rows import show_counts
from apps.review.components.tables import show_table
from apps.review.services.thresholds import Promise, ThresholdCurve, ThresholdNumbers, load_thresholds
from apps.review.state import load_context, refresh_session, require_signed_in

_SLIDER = "threshold"


def show() -> None:
    """Show one risk target at a time, with a threshold to slide."""
    actor, context = require_signed_in("see_thresholds"), load_context()
    st.title("Thresholds", anchor=False)
    curves = load_thresholds(context, actor)
    if not curves:
        show_message("No scored posts yet. Import some first", "calm")
        return
    st.html("<p class='quiet'>A look at what would be. Sliding changes no flag and no queue: those follow scoring.</p>")
    _show_curves(curves)


@st.fragment
def _show_curves(curves: tuple[ThresholdCurve, ...]) -> None:
    """Show one of the curves; a click in here draws this part again, from the numbers loaded with the page."""
    run_page(lambda: _show_chosen(curves))


def _show_chosen(curves: tuple[ThresholdCurve, ...]) -> None:
    refresh_session()  # the part that draws itself again skips the app's own way in
    require_signed_in("see_thresholds")
    _show_curve(_choose(curves))


def _choose(curves: tuple[ThresholdCurve, ...]) -> ThresholdCurve:
    by_target = {curve.target: curve for curve in curves}
    if len(by_target) == 1:
        return curves[0]
    labels = {target: to_label(to_words(target)) for target in by_target}
    target = st.segmented_control(
        "Risk target", list(by_target), default=curves[0].target, format_func=labels.__getitem__, required=True
    )
    return by_target.get(target or "", curves[0])


def _show_curve(curve: ThresholdCurve) -> None:
    key = f"{_SLIDER}_{curve.target}"
    first = curve.promises[0].threshold if curve.promises else 0.5
    with st.container(horizontal=True):
        for number, promise in enumerate(curve.promises):
            label = f"Promise {promise.target_recall:.0%} at {promise.threshold:.4g}"
            if st.button(label, key=f"promise_{curve.target}_{number}"):
                st.session_state[key] = promise.threshold
    st.session_state.setdefault(key, first)
    chosen = st.select_slider("Threshold", curve.thresholds, format_func=lambda value: f"{value:.4g}", key=key)
    numbers = curve.at(float(chosen))
    show_counts(_list_counts(numbers))
    _show_promise(curve, numbers)
    picture, table = st.columns([1.1, 1], gap="large")
    with picture:
        draw_curve(curve, numbers.threshold)
    with table:
        _show_table(curve, numbers)


def _list_counts(numbers: ThresholdNumbers) -> list[tuple[str, str]]:
    per_1000 = f"{numbers.alerts_per_1000:,.0f}" if numbers.alerts_per_1000 is not None else "none scored"
    return [
        (f"Alerts among {numbers.n_scored:,} scored", f"{numbers.n_alerts:,}"),
        ("Alerts per 1,000", per_1000),
        ("Of the alerts, not settled", f"{numbers.n_waiting:,}"),
    ]


def _show_promise(curve: ThresholdCurve, numbers: ThresholdNumbers) -> None:
    if numbers.promise is not None:
        show_message(numbers.promise.sentence, "done")
    elif numbers.holds:
        closest = numbers.holds[0]
        show_message(
            f"Not a calibrated point. The promise of {closest.threshold:.4g} (recall {closest.target_recall:.0%} at "
            f"confidence {closest.confidence_level:.0%}) holds here too, because a lower threshold only raises recall",
            "calm",
        )
    elif curve.promises:
        show_message(
            "No promise holds here: every calibrated threshold is lower. What would be missed is unknown", "calm"
        )
    else:
        show_message("No promise came with these scores. Import them with the run they were made by", "calm")


def _show_table(curve: ThresholdCurve, numbers: ThresholdNumbers) -> None:
    rows = [_to_cells(f"{_name(promise)}", curve.at(promise.threshold)) for promise in curve.promises]
    show_table(
        ["", "Threshold", "Alerts", "Not settled"],
        [*rows, _to_cells("Chosen", numbers)],
        caption=f"Calibrated thresholds, n = {curve.n_scored:,} scored posts",
    )


def _name(promise: Promise) -> str:
    return f"Recall {promise.target_recall:.0%}, n = {promise.n_positive:,} positives of {promise.split}"


def _to_cells(name: str, numbers: ThresholdNumbers) -> list[str]:
    return [name, f"{numbers.threshold:.4g}", f"{numbers.n_alerts:,}", f"{numbers.n_waiting:,}"]


run_page(show)
