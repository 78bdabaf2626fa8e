"""Whether new posts still look like those a recall promise was made on, from scores and lengths alone (no labels).

Notes
-----
A change of prevalence moves scores and leaves the promise intact. A change of what positive posts look like moves them
too and breaks it. Scores alone cannot tell one from the other: drift is a reason to audit, and only an audit can
contradict the promise. One thing can be said without labels: when more posts than the promise allows to miss are of a
kind no calibration post was of, the promise has nothing to stand on.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from screening.audit.drift_measures import DriftMeasure, measure_distribution, measure_share
from screening.thresholds.operating_point import OperatingPoint
from screening.types import Record

DriftState = Literal["trusted", "watch", "broken"]
WATCH_ERROR, BROKEN_ERROR = 0.04, 0.01  # together: how often no drift at all may raise either
MIN_DISTANCE = 0.05
SENTENCES: dict[DriftState, str] = {
    "trusted": (
        "no drift beyond chance: the promise still rests on posts like these. This does not confirm it; an audit can."
    ),
    "watch": (
        "scores, lengths or alerts moved. A change of prevalence does that and leaves the promise intact; a change of "
        "what positive posts look like does it too and breaks it. Audit sooner than planned: only an audit can tell."
    ),
    "broken": (
        "more posts than the promise allows to miss are of a kind that calibration never saw, and no change of "
        "prevalence explains it. Do not rely on the promise; audit now, and calibrate again on labelled posts like "
        "these."
    ),
}


class DriftResult(Record):
    """Every measure with its state; the whole is as bad as its worst measure.

    A measure is ``broken`` if its unseen fraction is beyond chance and surely above ``1 - target_recall``: if positives
    were unseen as often and all of those were missed, recall would fall below target. It is ``watch`` if its distance
    is beyond chance and at least ``MIN_DISTANCE``. ``watch`` and ``broken`` together have a probability of at most 5 %
    without drift (union bound over all measures).
    """

    state: DriftState
    measures: tuple[DriftMeasure, ...] = Field(min_length=1)
    states: tuple[DriftState, ...]

    @property
    def sentence(self) -> str:
        """What the state means and what to do."""
        return SENTENCES[self.state]


def compare_scores(
    reference: pd.DataFrame, current: pd.DataFrame, operating_points: Sequence[OperatingPoint]
) -> DriftResult:
    """Compare the scores of new posts with the scores the promise was made on.

    Parameters
    ----------
    reference, current : DataFrame
        Score tables of the **same** model version with ``risk_<target>``, ``n_tokens`` and ``is_truncated``, and
        ``is_cleared`` where there is a cascade; at least two posts each that the encoder has read. Where the reference
        has ``label``, its labels bound what a change of prevalence can do. Posts that a first stage cleared count for
        the share of such posts alone: they have no score of the encoder, and no length.
    operating_points : sequence of OperatingPoint
        Their thresholds give the alert rates, the highest of their targets decides what is too many.

    Raises
    ------
    ValueError
        If fewer than two posts of a table were read.
    """
    cleared = [_find_cleared(table) for table in (reference, current)]
    has_first_stage = any(part.any() for part in cleared)
    everything = _divide_by_label(reference)
    reference, current = (table[~part] for table, part in zip((reference, current), cleared, strict=True))
    groups = _divide_by_label(reference)
    if min(len(reference), len(current)) < 2 or not groups:
        read = " that were read" if has_first_stage else ""
        message = f"expected at least two posts{read} on both sides, found {len(reference)} and {len(current)}"
        raise ValueError(message)
    n_measures = 2 * len(operating_points) + 2 + has_first_stage
    level = 1 - BROKEN_ERROR / n_measures
    sizes = [len(group) for group in groups]
    measures = [
        measure_distribution(name, reference[name].to_numpy(), current[name].to_numpy(), sizes, level)
        for name in (*(f"risk_{point.name}" for point in operating_points), "n_tokens")
    ]
    truncated = [table["is_truncated"].to_numpy(dtype=bool) for table in (reference, current, *groups)]
    measures.append(measure_share("is_truncated", truncated[0], truncated[1], truncated[2:], level))
    for point in operating_points:
        flags = [point.flag(table[f"risk_{point.name}"].to_numpy()) for table in (reference, current, *groups)]
        measures.append(measure_share(f"alert_rate_{point.name}", flags[0], flags[1], flags[2:], level))
    if has_first_stage:
        by_label = [_find_cleared(group) for group in everything]
        measures.append(measure_share("is_cleared", cleared[0], cleared[1], by_label, level))
    allowed = 1 - max(point.target_recall for point in operating_points)
    states = tuple(_judge(measure, n_measures, allowed) for measure in measures)
    worst: DriftState = "broken" if "broken" in states else "watch" if "watch" in states else "trusted"
    return DriftResult(state=worst, measures=tuple(measures), states=states)


def _judge(measure: DriftMeasure, n_measures: int, allowed_fraction: float) -> DriftState:
    """Judge one measure; more alerts or more cleared posts than any label had never break: recall may well hold."""
    may_break = not measure.name.startswith(("alert_rate_", "is_cleared"))
    is_unseen = measure.unseen_p_value <= BROKEN_ERROR / n_measures
    if may_break and is_unseen and measure.unseen_lower_bound > allowed_fraction:
        return "broken"
    has_moved = measure.p_value <= WATCH_ERROR / n_measures and measure.distance >= MIN_DISTANCE
    return "watch" if has_moved else "trusted"


def _find_cleared(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Find posts a first stage cleared, shape (n_posts,); tables from before there was one have none."""
    return table["is_cleared"].to_numpy(dtype=bool) if "is_cleared" in table else np.zeros(len(table), dtype=bool)


def _divide_by_label(reference: pd.DataFrame) -> list[pd.DataFrame]:
    """Divide the reference by label; without labels, or where one has a single post, it is one group."""
    if "label" not in reference or reference["label"].value_counts().min() < 2:
        return [reference]
    return [group for _, group in reference.groupby("label", sort=True, observed=True)]
