"""Whether the words an explanation names are the words the score depends on, against random words."""

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from screening.explain.aggregation import WordWeight
from screening.explain.heads import ScoreFunction
from screening.inference.forward import Progress, compute_logits

FRACTIONS = (0.01, 0.05, 0.10, 0.20, 0.50)
N_DRAWS = 5
KINDS = ("comprehensiveness", "sufficiency")


def compute_faithfulness(  # noqa: PLR0913  # the model in three parts, the posts in two, the rest by keyword
    classifier: Any,
    tokenizer: Any,
    texts: Sequence[str],
    words: Sequence[Sequence[WordWeight]],
    score: ScoreFunction,
    *,
    max_tokens: int,
    rng: np.random.Generator,
    n_draws: int = N_DRAWS,
    on_progress: Progress | None = None,
) -> pd.DataFrame:
    """Mask the words of highest weight, or all others, and see how far the score falls; compare with random words.

    Parameters
    ----------
    classifier, tokenizer, max_tokens
        As for :func:`screening.explain.attribution.attribute_tokens`; the tokenizer has a mask token.
    texts : sequence of str, length n_posts
    words : sequence of sequences of WordWeight
        Each post's words with their weights, as far as the model read it.
    score : callable
        The explained score, see :func:`screening.explain.heads.build_score`.
    rng : numpy.random.Generator
        Draws the random words.
    n_draws : int
        Draws of random words per post, averaged; at each share as many words as the marked ones.
    on_progress : callable, optional
        Called as ``on_progress(n_done, n_texts)`` with the masked versions scored so far.

    Returns
    -------
    DataFrame
        One row per post, in the unit of the score, for the shares of words 1, 5, 10, 20 and 50 percent (rounded up to
        whole words): ``comprehensiveness_5`` (fall of the score when these words are masked; higher is better),
        ``sufficiency_5`` (fall when all other words are masked; lower is better), the same of random words with the
        suffix ``_random``; ``…_aopc`` and ``…_aopc_random``, the mean over the five shares; ``n_words`` and
        ``n_draws``. Posts without words have falls of 0.

    Raises
    ------
    ValueError
        If the tokenizer has no mask token.

    Notes
    -----
    Words are masked rather than removed: the post keeps its words' places. A post that is longer than the window is
    cut after the last word the model saw, so that masking does not pull words into the window.

    References
    ----------
    DeYoung et al., ERASER: A Benchmark to Evaluate Rationalized NLP Models, doi 10.18653/v1/2020.acl-main.408.
    """
    if tokenizer.mask_token is None:
        message = "expected a tokenizer with a mask token, found none; faithfulness cannot be measured by masking"
        raise ValueError(message)
    read = [text[: post[-1].end] if post else text for text, post in zip(texts, words, strict=True)]
    versions = [
        version
        for text, post in zip(read, words, strict=True)
        for version in (text, *(mask_words(text, masked, tokenizer.mask_token) for masked in _plan(post, rng, n_draws)))
    ]
    scores = _score_texts(classifier, tokenizer, versions, score, max_tokens, on_progress)
    n_per_post = 1 + (1 + n_draws) * len(FRACTIONS) * len(KINDS)
    whole, masked = np.split(scores.reshape(len(texts), n_per_post), [1], axis=1)
    falls = (whole - masked).reshape(len(texts), 1 + n_draws, len(FRACTIONS), len(KINDS))
    return _tabulate(falls).assign(n_words=[len(post) for post in words], n_draws=n_draws)


def mask_words(text: str, words: Sequence[WordWeight], mask_token: str) -> str:
    """Put the mask token in the place of some words of a post.

    Examples
    --------
    >>> mask_words("so tired", [WordWeight(3, 8, 1.0)], "[MASK]")
    'so [MASK]'
    """
    for word in sorted(words, reverse=True):  # from the end, so that earlier offsets stay right
        text = text[: word.start] + mask_token + text[word.end :]
    return text


def _plan(post: Sequence[WordWeight], rng: np.random.Generator, n_draws: int) -> Iterator[list[WordWeight]]:
    """Yield the words to mask: by order (weight, then draws), by share, first the share itself, then all others."""
    by_weight = np.argsort([-word.weight for word in post], kind="stable")
    for order in (by_weight, *(rng.permutation(len(post)) for _ in range(n_draws))):
        for fraction in FRACTIONS:
            n_chosen = int(np.ceil(fraction * len(post)))
            yield [post[i] for i in order[:n_chosen]]
            yield [post[i] for i in order[n_chosen:]]


def _score_texts(
    classifier: Any,
    tokenizer: Any,
    texts: Sequence[str],
    score: ScoreFunction,
    max_tokens: int,
    on_progress: Progress | None,
) -> NDArray[np.float64]:
    """Score each different text once, in float32, shape (n_texts,); short posts give the same version many times."""
    row_by_text = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    outputs = compute_logits(
        classifier, tokenizer, list(row_by_text), max_tokens=max_tokens, precision="fp32", on_progress=on_progress
    )
    tensors = {name: torch.from_numpy(getattr(outputs, name)) for name in ("logits", "valence", "intensity")}
    scores = score(SimpleNamespace(**tensors)).numpy().astype(np.float64)
    chosen: NDArray[np.float64] = scores[[row_by_text[text] for text in texts]]
    return chosen


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
