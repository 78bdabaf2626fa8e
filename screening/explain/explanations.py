"""The explanation table: which words of a post a score depended on, as offsets and never as text."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from screening.explain.aggregation import WordWeight, merge_pieces
from screening.explain.attribution import Attribution, AttributionSettings, attribute_tokens
from screening.explain.heads import build_score, list_heads
from screening.taxonomy import Taxonomy

COLUMN_TYPES = {
    "post_id": "str",
    "head": "str",
    "start": "int64",
    "end": "int64",
    "weight": "float64",
    "delta_relative": "float64",
    "is_reliable": "bool",
    "n_steps": "int64",
    "model_version": "str",
}


class ExplainedBundle(Protocol):
    """What an explanation needs of a screener bundle."""

    @property
    def classifier(self) -> Any: ...  # noqa: D102

    @property
    def tokenizer(self) -> Any: ...  # noqa: D102

    @property
    def manifest(self) -> Any: ...  # noqa: D102

    @property
    def version(self) -> str: ...  # noqa: D102


def select_urgent_head(taxonomy: Taxonomy) -> str:
    """Name of the head of the most urgent risk target."""
    return list_heads(taxonomy)[0]


def explain_posts(
    bundle: ExplainedBundle,
    texts: Sequence[str],
    post_ids: Sequence[str],
    *,
    head: str | None = None,
    settings: AttributionSettings | None = None,
) -> pd.DataFrame:
    """Explain posts with a bundle's classifier, in float32 whatever precision it scores in.

    Parameters
    ----------
    bundle : Bundle
        See :func:`screening.bundle.load_bundle`.
    texts, post_ids : sequences of str, length n_posts
    head : str, optional
        One of :func:`~screening.explain.heads.list_heads`; by default the most urgent risk target.
    settings : AttributionSettings, optional

    Returns
    -------
    DataFrame
        One row per word the model saw: ``post_id``, ``head``, ``start`` and ``end`` (characters ``[start, end)`` of the
        post), ``weight`` (signed; log-odds for a risk target), and, the same for all words of a post,
        ``delta_relative``, ``is_reliable``, ``n_steps``, ``model_version``. Posts without words have no row.

    Raises
    ------
    ValueError
        If the head is unknown or texts and ids differ in number.
    """
    if len(texts) != len(post_ids):
        message = f"expected one post id per text, found {len(texts)} texts and {len(post_ids)} ids"
        raise ValueError(message)
    manifest = bundle.manifest
    chosen = head or select_urgent_head(manifest.taxonomy)
    score = build_score(chosen, manifest.taxonomy, manifest.temperature.temperature)
    attributions = attribute_tokens(
        bundle.classifier, bundle.tokenizer, texts, score, max_tokens=manifest.max_tokens, settings=settings
    )
    rows = [
        (post_id, chosen, *word, found.delta_relative, found.is_reliable, found.n_steps, bundle.version)
        for post_id, text, found in zip(post_ids, texts, attributions, strict=True)
        for word in weigh_words(bundle.tokenizer, text, found, manifest.max_tokens)
    ]
    return pd.DataFrame(rows, columns=list(COLUMN_TYPES)).astype(COLUMN_TYPES)


def weigh_words(tokenizer: Any, text: str, attribution: Attribution, max_tokens: int) -> list[WordWeight]:
    """Sum a post's token weights to words; special tokens stay out."""
    encoded = tokenizer(
        text, truncation=True, max_length=max_tokens, return_offsets_mapping=True, return_special_tokens_mask=True
    )
    is_piece = np.asarray(encoded["special_tokens_mask"]) == 0
    offsets = np.asarray(encoded["offset_mapping"], dtype=np.int64).reshape(-1, 2)
    return merge_pieces(text, offsets[is_piece], attribution.weights[is_piece])
