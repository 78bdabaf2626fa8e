"""What flags cost and what they catch: alerts, posts read per true case, missed posts, reviewer hours."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from screening.metrics.intervals import compute_proportion_bounds, estimate_proportion
from screening.metrics.ranking import count_at_thresholds
from screening.metrics.validation import FloatArray, validate_binary
from screening.types import Estimate, Interval

PER_POSTS = 1_000


def compute_recall_alert_curve(
    y_true: npt.ArrayLike, y_score: FloatArray, *, split: str, confidence_level: float = 0.95
) -> pd.DataFrame:
    """Compute recall against alerts at every threshold that makes a difference.

    Parameters
    ----------
    y_true : array-like of bool or 0/1, shape (n_posts,)
        Whether a post is positive.
    y_score : ndarray of float, shape (n_posts,)
        Posts with ``score >= threshold`` are flagged.

    Returns
    -------
    pandas.DataFrame
        One row per distinct score, highest first, ending where every post is flagged: ``threshold``, ``value``
        (recall) with exact pointwise bounds ``low`` and ``high``, ``n`` (positives), ``alerts_per_1000``,
        ``precision``, ``n_flagged``, ``n_samples``, ``split``. Recall is NaN without positives; no rows for no posts.

    Notes
    -----
    Alerts and precision hold at the prevalence of these posts; see :func:`compute_deployment_table` for others. Bounds
    hold for one threshold fixed in advance, not for one picked from the curve.
    """
    threshold, n_flagged, n_hits = count_at_thresholds(y_true, y_score)
    n_samples = int(n_flagged[-1]) if n_flagged.size else 0
    n_positive = int(n_hits[-1]) if n_hits.size else 0
    low, high = compute_proportion_bounds(n_hits, np.full(n_hits.shape, n_positive), confidence_level)
    frame = pd.DataFrame(
        {
            "threshold": threshold,
            "value": n_hits / n_positive if n_positive else np.nan,
            "low": low if n_positive else np.nan,
            "high": high if n_positive else np.nan,
            "n": n_positive,
            "alerts_per_1000": PER_POSTS * n_flagged / max(n_samples, 1),
            "precision": n_hits / n_flagged,
            "n_flagged": n_flagged,
            "n_samples": n_samples,
        }
    )
    return frame.assign(split=split)


def compute_alert_rate(flags: npt.ArrayLike, *, split: str, confidence_level: float = 0.95) -> Estimate:
    """Estimate alerts per 1,000 posts with the exact interval.

    Parameters
    ----------
    flags : array-like of bool, shape (n_posts,)
        Whether a post is flagged.

    Returns
    -------
    Estimate
        In [0, 1000], lower is less work; ``None`` for no posts.

    Examples
    --------
    >>> compute_alert_rate([True, False, False, False], split="test").value
    250.0
    """
    flagged = validate_binary(flags)
    share = estimate_proportion(int(flagged.sum()), flagged.size, split=split, confidence_level=confidence_level)
    if share.value is None or share.interval is None:
        return share
    low, high = PER_POSTS * share.interval.low, PER_POSTS * share.interval.high
    interval = Interval(low=low, high=high, confidence_level=confidence_level)
    return Estimate(value=PER_POSTS * share.value, interval=interval, n_samples=share.n_samples, split=split)


def compute_deployment_table(
    recall: float,
    false_alarm_rate: float,
    prevalences: Sequence[float],
    minutes_per_post: float,
    *,
    recall_interval: Interval | None = None,
    false_alarm_interval: Interval | None = None,
) -> pd.DataFrame:
    """Compute what a recall and a false-alarm rate mean at the prevalences of deployment.

    Parameters
    ----------
    recall : float
        Share of positives flagged, in [0, 1].
    false_alarm_rate : float
        Share of other posts flagged (1 - specificity), in [0, 1].
    prevalences : sequence of float
        Shares of positives among deployed posts, in (0, 1).
    minutes_per_post : float
        Reviewer minutes per flagged post, above 0.
    recall_interval, false_alarm_interval : Interval, optional
        Where both are given, every quantity also gets columns ``…_low`` and ``…_high``.

    Returns
    -------
    pandas.DataFrame
        One row per prevalence: ``prevalence``; ``ppv`` and ``npv`` (fractions, higher is better);
        ``alerts_per_1000``, ``posts_read_per_true_case``, ``missed_per_1000``, ``reviewer_hours_per_1000`` (lower is
        better; per 1,000 posts screened). NaN where nothing would be flagged (``ppv``, ``posts_read_per_true_case``)
        or everything would be (``npv``); infinite posts per case where flags hold no positive.

    Notes
    -----
    Bayes' rule. Assumes recall and false-alarm rate stay what they were on the split they were measured on: positives
    and negatives may change in number, not in kind. Bounds combine the two intervals' worst corners (every quantity
    moves one way in each); two intervals at 95 % together cover with at least 90 %.

    Examples
    --------
    >>> table = compute_deployment_table(0.95, 0.20, [0.01], minutes_per_post=2)
    >>> table.round(3).iloc[0].to_dict()  # doctest: +NORMALIZE_WHITESPACE
    {'prevalence': 0.01, 'ppv': 0.046, 'npv': 0.999, 'alerts_per_1000': 207.5, 'posts_read_per_true_case': 21.842,
     'missed_per_1000': 0.5, 'reviewer_hours_per_1000': 6.917}
    """
    _validate_deployment(recall, false_alarm_rate, prevalences, minutes_per_post)
    share = np.asarray(prevalences, dtype=np.float64)
    table = _compute_deployment(recall, false_alarm_rate, share, minutes_per_post)
    if recall_interval is None or false_alarm_interval is None:
        return pd.DataFrame({"prevalence": share, **table})
    corners = [
        _compute_deployment(rate, alarm, share, minutes_per_post)
        for rate in (recall_interval.low, recall_interval.high)
        for alarm in (false_alarm_interval.low, false_alarm_interval.high)
    ]
    columns: dict[str, npt.NDArray[np.float64]] = {"prevalence": share}
    for name, values in table.items():
        bounds = np.stack([corner[name] for corner in corners])  # fmin and fmax leave out a corner that is NaN
        columns |= {name: values, f"{name}_low": np.fmin.reduce(bounds), f"{name}_high": np.fmax.reduce(bounds)}
    return pd.DataFrame(columns)


def _compute_deployment(
    recall: float, false_alarm_rate: float, prevalence: npt.NDArray[np.float64], minutes_per_post: float
) -> dict[str, npt.NDArray[np.float64]]:
    hits, missed = prevalence * recall, prevalence * (1 - recall)
    false_alarms, passed = (1 - prevalence) * false_alarm_rate, (1 - prevalence) * (1 - false_alarm_rate)
    alerts = hits + false_alarms
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 / 0 is NaN, x / 0 infinite: both documented
        ppv, npv, read_per_case = hits / alerts, passed / (passed + missed), alerts / hits
    return {
        "ppv": ppv,
        "npv": npv,
        "alerts_per_1000": PER_POSTS * alerts,
        "posts_read_per_true_case": read_per_case,
        "missed_per_1000": PER_POSTS * missed,
        "reviewer_hours_per_1000": PER_POSTS * alerts * minutes_per_post / 60,
    }


def _validate_deployment(
    recall: float, false_alarm_rate: float, prevalences: Sequence[float], minutes_per_post: float
) -> None:
    rates_are_valid = 0 <= recall <= 1 and 0 <= false_alarm_rate <= 1
    if rates_are_valid and all(0 < share < 1 for share in prevalences) and 0 < minutes_per_post < float("inf"):
        return
    message = (
        "expected recall and false_alarm_rate in [0, 1], prevalences in (0, 1) and minutes_per_post above 0, found "
        f"{recall}, {false_alarm_rate}, {list(prevalences)}, {minutes_per_post}"
    )
    raise ValueError(message)
