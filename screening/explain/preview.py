"""A first look at what a score depends on: one backward pass per batch, no promise that anything adds up."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from captum.attr import InputXGradient
from numpy.typing import NDArray

from screening.allocator import keep_freed_memory
from screening.config import LongPosts
from screening.explain.aggregation import WordWeight
from screening.explain.attribution import MAX_TOKENS_PER_BATCH, plan_posts
from screening.explain.explanations import ExplainedBundle, select_urgent_head, weigh_words
from screening.explain.heads import ScoreFunction, build_score
from screening.explain.paths import PostBatch, build_forward, build_post_batch, frozen, list_fixed
from screening.explain.word_part import WordPart, add_words, list_words, select_word_part
from screening.inference.windows import split_into_windows

COLUMN_TYPES = {
    "post_id": "str",
    "head": "str",
    "start": "int64",
    "end": "int64",
    "preview_weight": "float64",
    "model_version": "str",
}


@dataclass(frozen=True)
class Preview:
    """Weights of one post as :class:`~screening.explain.attribution.Attribution` has them, unchecked."""

    weights: NDArray[np.float64]
    by_words: tuple[WordWeight, ...] = ()


def preview_posts(
    bundle: ExplainedBundle, texts: Sequence[str], post_ids: Sequence[str], *, head: str | None = None
) -> pd.DataFrame:
    """Weigh the words of many posts roughly and fast, in float32.

    Parameters
    ----------
    bundle : Bundle
    texts, post_ids : sequences of str, length n_posts
    head : str, optional
        One of :func:`~screening.explain.heads.list_heads`; by default the most urgent risk target.

    Returns
    -------
    DataFrame
        One row per word a model saw: ``post_id``, ``head``, ``start``, ``end``, ``preview_weight``,
        ``model_version``. Not the explanation table: the weight has another name, so that whatever reads explanations
        (reports, the reviewer app) refuses a preview.

    Raises
    ------
    ValueError
        If the head is unknown or texts and ids differ in number.
    """
    manifest = bundle.manifest
    chosen = head or select_urgent_head(manifest.taxonomy)
    score = build_score(chosen, manifest.taxonomy, manifest.temperature.temperature)
    previews = preview_tokens(
        bundle.classifier,
        bundle.tokenizer,
        texts,
        score,
        max_tokens=manifest.max_tokens,
        long_posts=manifest.long_posts,
        words=select_word_part(bundle, chosen),
    )
    rows = [
        (post_id, chosen, *word, bundle.version)
        for post_id, text, found in zip(post_ids, texts, previews, strict=True)
        for word in weigh_words(bundle.tokenizer, text, found, manifest.max_tokens, manifest.long_posts)
    ]
    return pd.DataFrame(rows, columns=list(COLUMN_TYPES)).astype(COLUMN_TYPES)


def preview_tokens(
    classifier: Any,
    tokenizer: Any,
    texts: Sequence[str],
    score: ScoreFunction,
    *,
    max_tokens: int,
    long_posts: LongPosts = "windows",
    max_tokens_per_batch: int = MAX_TOKENS_PER_BATCH,
    words: WordPart | None = None,
) -> list[Preview]:
    """Multiply each token's word embedding by the score's gradient there; parameters as for ``attribute_tokens``.

    Notes
    -----
    Gradient times activation, by Captum: exact where the score is linear in the embeddings, elsewhere a guess. Its sum
    is not the change of score, and where a score is saturated it shows little. Special tokens get 0. Words of a word
    model get their share of its logits times the gradient there.
    """
    keep_freed_memory()
    windows = split_into_windows(tokenizer, texts, max_tokens, long_posts)
    device = next(classifier.parameters()).device
    found: dict[int, Preview] = {}
    with frozen(classifier):
        for posts in plan_posts(windows, max_tokens_per_batch):
            batch = build_post_batch(windows, posts, tokenizer, max_tokens, device)
            batch, spans = add_words(batch, words, [texts[post] for post in posts])
            found.update(zip(posts, _preview(classifier, score, batch, spans, max_tokens_per_batch), strict=True))
    return [found[post] for post in range(len(texts))]


def _preview(
    classifier: Any,
    score: ScoreFunction,
    batch: PostBatch,
    word_spans: Sequence[NDArray[np.int64]],
    max_tokens_per_batch: int,
) -> list[Preview]:
    with torch.no_grad():
        embedded = classifier.get_input_embeddings()(batch.input_ids)
    changed = tuple(tensor.clone().requires_grad_() for tensor in (embedded, *batch.words[:1]))
    forward = build_forward(classifier, score, batch, max_tokens_per_batch)
    by_dimension = InputXGradient(forward).attribute(
        changed, additional_forward_args=list_fixed(batch)
    )  # (n_posts, n_windows, n_tokens, n_embedding), and (n_posts, n_padded_words, n_classes)
    tokens, *words = (part.detach().sum(dim=-1).double().cpu().numpy() for part in by_dimension)
    is_special = (batch.input_ids == batch.baseline_ids).cpu().numpy()
    is_token = batch.attention_mask.bool().cpu().numpy()  # (n_posts, n_windows, n_tokens)
    kept = np.where(is_special, 0.0, tokens)
    if not words:
        return [Preview(post[mask]) for post, mask in zip(kept, is_token, strict=True)]
    return [
        Preview(post[mask], list_words(spans, row))
        for post, mask, spans, row in zip(kept, is_token, word_spans, words[0], strict=True)
    ]
