"""Whether the words an explanation names are the words the score depends on, against random words."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from screening.explain.aggregation import WordWeight
from screening.explain.masking import MaskedPost, MaskedScorer

FRACTIONS = (0.01, 0.05, 0.10, 0.20, 0.50)
N_DRAWS = 5
KINDS = ("comprehensiveness", "sufficiency")


def compute_faithfulness(
    scorer: MaskedScorer,
    texts: Sequence[str],
    words: Sequence[Sequence[WordWeight]],
    *,
    rng: np.random.Generator,
    n_draws: int = N_DRAWS,
) -> pd.DataFrame:
    """Mask the words of highest weight, or all others, and see how far the score falls; compare with random words.

    Parameters
    ----------
    scorer : MaskedScorer
        In the precision the screener scores in: what is masked is scored the way the post was.
    texts : sequence of str, length n_posts
    words : sequence of sequences of WordWeight
        Each post's words with their weights, as far as the model read it, in reading order.
    rng : numpy.random.Generator
        Draws the random words.
    n_draws : int
        Draws of random words per post, averaged; at each share as many words as the marked ones.

    Returns
    -------
    DataFrame
        One row per post, in the unit of the score, for the shares of words 1, 5, 10, 20 and 50 percent (rounded up to
        whole words): ``comprehensiveness_5`` (fall of the score when these words are masked; higher is better),
        ``sufficiency_5`` (fall when all other words are masked; lower is better), the same of random words with the
        suffix ``_random``; ``…_aopc`` and ``…_aopc_random``, the mean over the five shares; ``n_words`` and
        ``n_draws``. Posts without words have falls of 0.

    References
    ----------
    DeYoung et al., ERASER: A Benchmark to Evaluate Rationalized NLP Models, doi 10.18653/v1/2020.acl-main.408.
    """
    versions: list[MaskedPost] = []
    for text, post in zip(texts, words, strict=True):
        versions += scorer.list_versions(text, [word.span for word in post], _choose_rows(post, rng, n_draws))
    n_per_post = 1 + (1 + n_draws) * len(FRACTIONS) * len(KINDS)
    scores = scorer.compute_scores(versions).reshape(len(texts), n_per_post)
    falls = (scores[:, :1] - scores[:, 1:]).reshape(len(texts), 1 + n_draws, len(FRACTIONS), len(KINDS))
    return _tabulate(falls).assign(n_words=[len(post) for post in words], n_draws=n_draws)


def _choose_rows(post: Sequence[WordWeight], rng: np.random.Generator, n_draws: int) -> Iterator[NDArray[np.int64]]:
    """Yield the words to mask: by order (weight, then draws), by share, first the share itself, then all others."""
    by_weight = np.argsort([-word.weight for word in post], kind="stable")
    for order in (by_weight, *(rng.permutation(len(post)) for _ in range(n_draws))):
        for fraction in FRACTIONS:
            n_chosen = int(np.ceil(fraction * len(post)))
            yield order[:n_chosen]
            yield order[n_chosen:]


def _tabulate(falls: NDArray[np.float64]) -> pd.DataFrame:
    """Name the falls, shape (n_posts, 1 + n_draws, n_fractions, n_kinds): marked words first, then random draws."""
    columns: dict[str, NDArray[np.float64]] = {}
    for suffix, part in (("", falls[:, 0]), ("_random", falls[:, 1:].mean(axis=1))):
        for k, kind in enumerate(KINDS):
            columns |= {
                f"{kind}_{round(100 * fraction)}{suffix}": part[:, f, k] for f, fraction in enumerate(FRACTIONS)
            }
            columns[f"{kind}_aopc{suffix}"] = part[:, :, k].mean(axis=1)
    return pd.DataFrame(columns)
