"""Whether the words a score depended on are the words people marked: agreement with human rationales."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from screening.explain.aggregation import WordWeight
from screening.metrics.ranking import compute_average_precision

N_DRAWS = 20
MIN_OVERLAP = 0.5  # intersection over union from which a span counts as found
METRICS = ("token_f1", "iou_f1", "average_precision")

Span = tuple[int, int]


def compute_plausibility(
    words: Sequence[Sequence[WordWeight]],
    rationales: Sequence[Sequence[Span]],
    *,
    rng: np.random.Generator,
    n_draws: int = N_DRAWS,
) -> pd.DataFrame:
    """Compare the words of highest weight with spans that people marked, and random words with the same spans.

    Parameters
    ----------
    words : sequence of sequences of WordWeight, length n_posts
        Each post's words in reading order.
    rationales : sequence of sequences of (int, int), length n_posts
        Characters ``[start, end)`` people marked; a word belongs to a rationale if a span touches it.
    rng : numpy.random.Generator
        Shuffles weights among the words of a post.
    n_draws : int
        Shuffles per post, averaged.

    Returns
    -------
    DataFrame
        One row per post, all in [0, 1], higher is better: ``token_f1`` (marked against human words), ``iou_f1`` (runs
        of marked words against runs of human words, found from an intersection over union of 0.5), and
        ``average_precision`` (area under precision and recall of all weights, ERASER's AUPRC), the same with
        ``_random``; ``n_words``, ``n_human`` (words people marked) and ``n_marked``. NaN for a post none of whose
        words a person marked.

    Notes
    -----
    As many words are marked in each post as people mark on average over these posts (a share of the words, rounded, at
    least one): no post tells how many words its own rationale holds [1]_. A plausible explanation agrees with people;
    whether it says what the score depended on is faithfulness, another question.

    References
    ----------
    .. [1] DeYoung et al., ERASER, doi 10.18653/v1/2020.acl-main.408: token F1, IOU F1, AUPRC.
    """
    human = [mark_human_words(post, spans) for post, spans in zip(words, rationales, strict=True)]
    shares = [marks.mean() for marks in human if marks.any()]
    share = float(np.mean(shares)) if shares else 0.0
    rows = []
    for post, marks in zip(words, human, strict=True):
        weights = np.array([word.weight for word in post], dtype=np.float64)
        n_marked = max(1, round(share * len(post))) if post else 0
        found = _compare(weights, marks, n_marked)
        shuffled = np.mean([_compare(rng.permutation(weights), marks, n_marked) for _ in range(n_draws)], axis=0)
        rows.append((*found, *shuffled, len(post), int(marks.sum()), n_marked))
    columns = [*METRICS, *(f"{name}_random" for name in METRICS), "n_words", "n_human", "n_marked"]
    return pd.DataFrame(rows, columns=columns)


def mark_human_words(words: Sequence[WordWeight], spans: Sequence[Span]) -> NDArray[np.bool_]:
    """Mark the words that a span touches, shape (n_words,).

    Examples
    --------
    >>> mark_human_words([WordWeight(0, 2, 0.1), WordWeight(3, 8, 0.7)], [(5, 6)]).tolist()
    [False, True]
    """
    marks = np.zeros(len(words), dtype=bool)
    starts, ends = np.array([word.start for word in words]), np.array([word.end for word in words])
    for start, end in spans:
        marks |= (starts < end) & (ends > start)
    return marks


def _compare(weights: NDArray[np.float64], human: NDArray[np.bool_], n_marked: int) -> tuple[float, float, float]:
    """Compute token F1, IoU F1 and average precision of one post; NaN without human words."""
    if not human.any():
        return float("nan"), float("nan"), float("nan")
    marked = np.zeros_like(human)
    marked[np.argsort(-weights, kind="stable")[:n_marked]] = True
    token_f1 = 2 * (marked & human).sum() / (marked.sum() + human.sum())
    return float(token_f1), _compute_span_f1(marked, human), compute_average_precision(human, weights)


def _compute_span_f1(marked: NDArray[np.bool_], human: NDArray[np.bool_]) -> float:
    """F1 of runs of marked words, each found if its best overlap with a run of human words is large enough."""
    runs, truth = _find_runs(marked), _find_runs(human)
    n_found = sum(max(_compute_overlap(run, other) for other in truth) >= MIN_OVERLAP for run in runs)
    return 2 * n_found / (len(runs) + len(truth))


def _find_runs(marks: NDArray[np.bool_]) -> list[Span]:
    """List runs of neighbouring marked words as ``[first, last + 1)``."""
    edges = np.flatnonzero(np.diff(np.r_[False, marks, False]))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _compute_overlap(first: Span, second: Span) -> float:
    """Intersection over union of two runs of words."""
    shared = max(0, min(first[1], second[1]) - max(first[0], second[0]))
    return shared / (first[1] - first[0] + second[1] - second[0] - shared)
