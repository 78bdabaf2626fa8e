"""The explanation table: which words of a post a score depended on, as offsets and never as text."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from screening.config import LongPosts
from screening.explain.aggregation import WordWeight, merge_pieces
from screening.explain.attribution import Attribution, AttributionSettings, attribute_tokens
from screening.explain.heads import build_score, list_heads
from screening.explain.word_part import select_word_part
from screening.inference.windows import locate_tokens
from screening.models.baseline import TfidfBaseline
from screening.taxonomy import Taxonomy

COLUMN_TYPES = {
    "post_id": "str",
    "head": "str",
    "start": "int64",
    "end": "int64",
    "weight": "float64",
    "delta_relative": "float64",
    "is_reliable": "bool",
    "unreliable_because": "str",
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

    @property
    def words(self) -> TfidfBaseline | None: ...  # noqa: D102


class WeighedTokens(Protocol):
    """A post's token weights, those of its windows one after the other, and what its words got from a word model."""

    @property
    def weights(self) -> NDArray[np.float64]: ...  # noqa: D102

    @property
    def by_words(self) -> Sequence[WordWeight]: ...  # noqa: D102


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
    """Explain posts with a bundle's classifier, in float32 whatever precision it scores in, and its word model.

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
        One row per word a model saw: ``post_id``, ``head``, ``start`` and ``end`` (characters ``[start, end)`` of the
        post), ``weight`` (signed; log-odds for a risk target), and, the same for all words of a post,
        ``delta_relative``, ``is_reliable``, ``unreliable_because`` (``""``, ``"delta"`` or ``"no_change"``, see
        :class:`~screening.explain.attribution.Attribution`), ``n_steps``, ``model_version``. Posts without words have
        no row. Where the encoder reads a post's beginning alone (``cut``), the words behind the cut are those that a
        word model reads (two letters or more), with what it gives them.

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
        bundle.classifier,
        bundle.tokenizer,
        texts,
        score,
        max_tokens=manifest.max_tokens,
        long_posts=manifest.long_posts,
        settings=settings,
        words=select_word_part(bundle, chosen),
    )
    rows = [
        (post_id, chosen, *word, *_list_facts(found), bundle.version)
        for post_id, text, found in zip(post_ids, texts, attributions, strict=True)
        for word in weigh_words(bundle.tokenizer, text, found, manifest.max_tokens, manifest.long_posts)
    ]
    return pd.DataFrame(rows, columns=list(COLUMN_TYPES)).astype(COLUMN_TYPES)


def weigh_words(
    tokenizer: Any, text: str, tokens: WeighedTokens, max_tokens: int, long_posts: LongPosts = "windows"
) -> list[WordWeight]:
    """Sum a post's token weights, and what a word model gave its words, to words.

    A word in the overlap of two windows gets the sum of both parts, so that words sum to what all weights sum to.
    """
    located = locate_tokens(tokenizer, text, max_tokens, long_posts)
    offsets = np.array([span for window in located for span in window], dtype=np.int64).reshape(-1, 2)
    is_piece = (offsets[:, 1] > 0) | (tokens.weights != 0)  # special tokens stand nowhere and weigh nothing
    by_words = np.array(tokens.by_words, dtype=np.float64).reshape(-1, 3)
    spans = np.concatenate([offsets[is_piece], by_words[:, :2].astype(np.int64)])
    return merge_pieces(text, spans, np.concatenate([tokens.weights[is_piece], by_words[:, 2]]))


def _list_facts(found: Attribution) -> tuple[float, bool, str, int]:
    return found.delta_relative, found.is_reliable, found.unreliable_because, found.n_steps
