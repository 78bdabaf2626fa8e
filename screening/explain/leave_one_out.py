"""Whether weights put words in the order in which the score changes when each word alone is masked."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from screening.explain.aggregation import WordWeight
from screening.explain.masking import MaskedPost, MaskedScorer
from screening.metrics.rank_correlation import compute_rank_correlation

MAX_WORDS = 40


def compute_leave_one_out(
    scorer: MaskedScorer,
    texts: Sequence[str],
    words: Sequence[Sequence[WordWeight]],
    *,
    rng: np.random.Generator,
    max_words: int = MAX_WORDS,
) -> pd.DataFrame:
    """Mask words one at a time and compare the falls of the score with the words' weights, by rank.

    Parameters
    ----------
    scorer : MaskedScorer
        In ``fp32``: one word changes a score by less than bf16 resolves.
    texts, words
        As for :func:`screening.explain.faithfulness.compute_faithfulness`.
    rng : numpy.random.Generator
        Draws the words of longer posts.
    max_words : int
        All words of a post of at most so many, else so many drawn at random, so that a long post costs no more.

    Returns
    -------
    DataFrame
        One row per post: ``rank_correlation`` in [-1, 1] (Spearman's, between weights and falls; NaN where either is
        the same for all words, as in a post of one), ``n_masked`` (words masked in turn) and ``n_words``.

    Notes
    -----
    High agreement is not required of a good explanation: two words that say the same can both weigh much while each
    alone changes little. Near 0 it says that the order of words is noise.
    """
    chosen = [np.sort(rng.permutation(len(post))[:max_words]) for post in words]
    versions: list[MaskedPost] = []
    for text, post, rows in zip(texts, words, chosen, strict=True):
        versions += scorer.list_versions(text, [word.span for word in post], rows.reshape(-1, 1))
    ends = np.cumsum([1 + len(rows) for rows in chosen])
    scores = np.split(scorer.compute_scores(versions), ends[:-1])
    correlations = [
        compute_rank_correlation([post[row].weight for row in rows], part[0] - part[1:])
        for post, rows, part in zip(words, chosen, scores, strict=True)
    ]
    return pd.DataFrame(
        {
            "rank_correlation": np.array(correlations, dtype=np.float64),
            "n_masked": [len(rows) for rows in chosen],
            "n_words": [len(post) for post in words],
        }
    )
