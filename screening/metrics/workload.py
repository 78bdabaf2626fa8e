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
Bounds = tuple[npt.ArrayLike, npt.ArrayLike]


def compute_recall_alert_curve(
    y_true: npt.ArrayLike, y_score: FloatArray, *, split: str, n_rows: int | None = None, confidence_level: float = 0.95
) -> pd.DataFrame:
    """Compute recall against alerts and false alarms at every threshold that makes a difference.

    Parameters
    ----------
    y_true : array-like of bool or 0/1, shape (n_posts,)
        Whether a post is positive.
    y_score : ndarray of float, shape (n_posts,)
        Posts with ``score >= threshold`` are flagged.
    n_rows : int, optional
        Keep at most this many thresholds: the first, the last, and others evenly between.

    Returns
    -------
    pandas.DataFrame
        One row per distinct score, highest first, ending where every post is flagged: ``threshold``, ``value``
        (recall) with exact pointwise bounds ``low`` and ``high``, ``n`` (positives), ``false_alarm_rate`` with its
        bounds and ``false_alarm_rate_n`` (other posts), ``alerts_per_1000``, ``precision``, ``n_flagged``,
        ``n_samples``, ``split``. A rate without posts to count is NaN; no rows for no posts.

    Notes
    -----
    Recall against the false-alarm rate (1 - specificity) is the ROC curve; neither depends on prevalence. Alerts and
    precision hold at the prevalence of these posts; see :func:`compute_deployment_table` for others. Bounds hold for
    one threshold fixed in advance, not for one picked from the curve.
    """
    counts = count_at_thresholds(y_true, y_score)
    n_samples = int(counts.n_flagged[-1]) if counts.n_flagged.size else 0
    n_positive = int(counts.n_true_positive[-1]) if counts.n_true_positive.size else 0
    kept = _choose_rows(counts.threshold.size, n_rows)
    threshold, n_flagged, n_hits = counts.threshold[kept], counts.n_flagged[kept], counts.n_true_positive[kept]
    recall = _divide_counts(n_hits, n_positive, confidence_level)
    alarms = _divide_counts(n_flagged - n_hits, n_samples - n_positive, confidence_level)
    frame = pd.DataFrame(
        {
            "threshold": threshold,
            **dict(zip(("value", "low", "high"), recall, strict=True)),
            "n": n_positive,
            **dict(zip(("false_alarm_rate", "false_alarm_rate_low", "false_alarm_rate_high"), alarms, strict=True)),
            "false_alarm_rate_n": n_samples - n_positive,
            "alerts_per_1000": PER_POSTS * n_flagged / max(n_samples, 1),
            "precision": n_hits / n_flagged,
            "n_flagged": n_flagged,
            "n_samples": n_samples,
        }
    )
    return frame.assign(split=split)


def _choose_rows(n: int, n_rows: int | None) -> npt.NDArray[np.int64]:
    """Choose the first place, the last, and others evenly between."""
    if n_rows is None or n <= n_rows:
        return np.arange(n)
    return np.linspace(0, n - 1, n_rows).round().astype(np.int64)


def _divide_counts(
    n_success: npt.NDArray[np.int64], n: int, confidence_level: float
) -> tuple[npt.NDArray[np.float64], ...]:
    """Share with its exact bounds; NaN where there is nothing to count."""
    if n == 0:
        undefined = np.full(n_success.shape, np.nan)
        return undefined, undefined, undefined
    return n_success / n, *compute_proportion_bounds(n_success, np.full(n_success.shape, n), confidence_level)


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
    return scale_alert_rate(share)


def scale_alert_rate(share: Estimate) -> Estimate:
    """Turn the estimated share of posts flagged into alerts per 1,000 posts."""
    if share.value is None or share.interval is None:
        return share
    low, high, level = PER_POSTS * share.interval.low, PER_POSTS * share.interval.high, share.interval.confidence_level
    interval = Interval(low=low, high=high, confidence_level=level)
    return Estimate(value=PER_POSTS * share.value, interval=interval, n_samples=share.n_samples, split=share.split)


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
    bounds = (_spread(recall_interval), _spread(false_alarm_interval))
    table = compute_workload(recall, false_alarm_rate, share, minutes_per_post, bounds=bounds)
    return pd.DataFrame({"prevalence": share, **table})


def compute_workload(
    recall: npt.ArrayLike,
    false_alarm_rate: npt.ArrayLike,
    prevalence: npt.ArrayLike,
    minutes_per_post: float,
    *,
    bounds: tuple[Bounds | None, Bounds | None] = (None, None),
) -> dict[str, npt.NDArray[np.float64]]:
    """Compute the quantities of :func:`compute_deployment_table` for many thresholds or prevalences at once.

    Parameters
    ----------
    recall, false_alarm_rate, prevalence : array-like of float, of one shape or scalars
        As there.
    bounds : pair of (low, high) arrays or None
        Bounds of recall and of the false-alarm rate; where both are given, quantities get bounds too.

    Returns
    -------
    dict of str to ndarray
        By the names of that table's columns.
    """
    hit, alarm, share = (np.asarray(values, dtype=np.float64) for values in (recall, false_alarm_rate, prevalence))
    table = _compute_deployment(hit, alarm, share, minutes_per_post)
    recall_bounds, alarm_bounds = bounds
    if recall_bounds is None or alarm_bounds is None:
        return table
    corners = [
        _compute_deployment(np.asarray(rate), np.asarray(false), share, minutes_per_post)
        for rate in recall_bounds
        for false in alarm_bounds
    ]
    columns: dict[str, npt.NDArray[np.float64]] = {}
    for name, values in table.items():
        ends = np.stack([corner[name] for corner in corners])  # fmin and fmax leave out a corner that is NaN
        columns |= {name: values, f"{name}_low": np.fmin.reduce(ends), f"{name}_high": np.fmax.reduce(ends)}
    return columns


def _spread(interval: Interval | None) -> Bounds | None:
    return None if interval is None else (interval.low, interval.high)


def _compute_deployment(
    recall: npt.NDArray[np.float64],
    false_alarm_rate: npt.NDArray[np.float64],
    prevalence: npt.NDArray[np.float64],
    minutes_per_post: float,
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
