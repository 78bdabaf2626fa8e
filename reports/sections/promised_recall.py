"""Recall in the unit a promise counts, posts or authors: the only recall that may judge it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reports.results import binarize_labels, extract_scores
from screening.metrics.intervals import estimate_proportion
from screening.metrics.operating import PromiseVerdict, judge_promise
from screening.thresholds.scope import AUTHOR_CODE_COLUMN, PromiseScope
from screening.types import Estimate

if TYPE_CHECKING:
    import pandas as pd

    from reports.results import RunResults
    from screening.taxonomy import RiskTarget

_DRAW_KEY = 2  # a random stream of its own


def estimate_promised_recall(results: RunResults, target: RiskTarget, scores: pd.DataFrame, split: str) -> Estimate:
    """Estimate a target's recall on some posts the way its promise counts.

    Parameters
    ----------
    scores : DataFrame
        Score table with ``label``; with ``author_code`` where the promise is by author.

    Returns
    -------
    Estimate
        ``n_samples`` counts positives, or authors with a positive. No value without any, and none by author where the
        table does not say which posts share one.

    Notes
    -----
    By author, one positive post of each is drawn by the run's seed. Whether a drawn post is flagged is an independent
    draw with the probability promised, that a random positive post of a random author is flagged, however alike an
    author's posts are: so Clopper-Pearson's interval is exact. The draw does not depend on scores or row order.
    """
    point = results.point_by_target[target.name]
    drawn = binarize_labels(scores, target)
    if point.unit == "author":
        if AUTHOR_CODE_COLUMN not in scores:
            return Estimate(value=None, interval=None, n_samples=0, split=split)
        drawn = _order_posts(scores, results.config.seed).draw(drawn)
    flags = point.flag(extract_scores(scores, target))
    return estimate_proportion(int((flags & drawn).sum()), int(drawn.sum()), split=split)


def judge_target(results: RunResults, target: RiskTarget, scores: pd.DataFrame, split: str) -> PromiseVerdict:
    """Judge a target's promise by :func:`estimate_promised_recall`; ``unknown`` where there is nothing to judge by."""
    found = estimate_promised_recall(results, target, scores, split)
    return judge_promise(found, results.point_by_target[target.name].target_recall)


def _order_posts(scores: pd.DataFrame, seed: int) -> PromiseScope:
    """Put posts in a random order that their ids and the seed decide."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_DRAW_KEY,)))
    by_id = np.argsort(scores["post_id"].astype(str).to_numpy(dtype=object), kind="stable")
    return PromiseScope(authors=scores[AUTHOR_CODE_COLUMN].to_numpy(), order=by_id[rng.permutation(len(scores))])
