"""Whether the words an explanation names are the words the score depends on."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from screening.explain.aggregation import WordWeight
from screening.explain.heads import ScoreFunction
from screening.inference.forward import compute_logits

TOP_FRACTION = 0.2


def compute_faithfulness(
    classifier: Any,
    tokenizer: Any,
    texts: Sequence[str],
    words: Sequence[Sequence[WordWeight]],
    score: ScoreFunction,
    *,
    max_tokens: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Mask the words of highest weight, or all others, and see how far the score falls; compare with random words.

    Parameters
    ----------
    classifier, tokenizer, max_tokens
        As for :func:`screening.explain.attribution.attribute_tokens`; the tokenizer has a mask token.
    texts : sequence of str, length n_posts
    words : sequence of sequences of WordWeight
        Each post's words with their weights.
    score : callable
        The explained score, see :func:`screening.explain.heads.build_score`.
    rng : numpy.random.Generator
        Draws the random words, as many per post as the top ones.

    Returns
    -------
    DataFrame
        One row per post, in the unit of the score: ``comprehensiveness`` (fall of the score when the top fifth of
        words is masked; higher is better), ``sufficiency`` (fall when everything else is masked; lower is better),
        the same with the suffix ``_random``, ``n_words`` and ``n_chosen``. Posts without words have falls of 0.

    References
    ----------
    DeYoung et al., ERASER: A Benchmark to Evaluate Rationalized NLP Models, doi 10.18653/v1/2020.acl-main.408.
    Words are masked rather than removed: the post keeps its length.
    """
    n_chosen = [int(np.ceil(TOP_FRACTION * len(post))) for post in words]
    top = [
        np.argsort([-word.weight for word in post], kind="stable")[:n] for post, n in zip(words, n_chosen, strict=True)
    ]
    random = [rng.permutation(len(post))[:n] for post, n in zip(words, n_chosen, strict=True)]
    versions = [
        list(texts),
        *(_mask_all(texts, words, chosen, tokenizer.mask_token) for chosen in (top, _rest(words, top))),
        *(_mask_all(texts, words, chosen, tokenizer.mask_token) for chosen in (random, _rest(words, random))),
    ]
    flat = [text for version in versions for text in version]
    outputs = compute_logits(classifier, tokenizer, flat, max_tokens=max_tokens, precision="fp32")
    tensors = {name: torch.from_numpy(getattr(outputs, name)) for name in ("logits", "valence", "intensity")}
    whole, *masked = score(SimpleNamespace(**tensors)).numpy().astype(np.float64).reshape(len(versions), len(texts))
    names = ("comprehensiveness", "sufficiency", "comprehensiveness_random", "sufficiency_random")
    falls = {name: whole - values for name, values in zip(names, masked, strict=True)}
    return pd.DataFrame({**falls, "n_words": [len(post) for post in words], "n_chosen": n_chosen})


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


def _mask_all(
    texts: Sequence[str],
    words: Sequence[Sequence[WordWeight]],
    chosen: Sequence[NDArray[np.int64]],
    mask_token: str,
) -> list[str]:
    return [
        mask_words(text, [post[i] for i in indices], mask_token)
        for text, post, indices in zip(texts, words, chosen, strict=True)
    ]


def _rest(words: Sequence[Sequence[WordWeight]], chosen: Sequence[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    return [np.setdiff1d(np.arange(len(post)), indices) for post, indices in zip(words, chosen, strict=True)]
