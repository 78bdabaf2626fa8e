"""Which sentences of a post its score depends on: each masked in turn, and the post scored again."""

import itertools
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from screening.explain.explanations import ExplainedBundle, select_urgent_head
from screening.explain.masking import MaskedPost, MaskedScorer, build_masked_scorer
from screening.models.baseline import locate_words

COLUMN_TYPES = {
    "post_id": "str",
    "head": "str",
    "start": "int64",
    "end": "int64",
    "weight": "float64",
    "model_version": "str",
}
MAX_SENTENCES = 64
# A sentence ends at its . ! ? … (also Arabic, Urdu, Hindi) and closing quotes before white space, after the full-width
# signs of Chinese and Japanese anywhere, and at the end of a line. A run of signs is looked at once, from its start.
_STOPS = ".!?\u2026\u061f\u06d4\u0964"
_WIDE_STOPS = "\u3002\uff01\uff1f"
_SENTENCE_END = re.compile(rf"(?<![{_STOPS}])[{_STOPS}]++['\"\u2019\u201d)\]]*+(?=\s)|[{_WIDE_STOPS}]++|(?=\n)")


def find_sentences(text: str) -> list[tuple[int, int]]:
    r"""Split a post into sentences, as characters ``[start, end)`` without white space around them.

    Lines end sentences. An abbreviation's full stop does too: too many sentences rather than none. A post without
    punctuation or line ends is one sentence; of a post with more than 64, neighbours are joined until so many are left.

    Examples
    --------
    >>> text = "I can't sleep. Why?! \n nobody asks"
    >>> [text[start:end] for start, end in find_sentences(text)]
    ["I can't sleep.", 'Why?!', 'nobody asks']
    """
    cuts = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    spans = []
    for start, end in itertools.pairwise(cuts):
        sentence = text[start:end]
        first = start + len(sentence) - len(sentence.lstrip())
        last = start + len(sentence.rstrip())
        if first < last:
            spans.append((first, last))
    parts = np.array_split(np.arange(len(spans)), min(len(spans), MAX_SENTENCES) or 1)
    return [(spans[part[0]][0], spans[part[-1]][1]) for part in parts if len(part)]


def occlude_sentences(
    bundle: ExplainedBundle, texts: Sequence[str], post_ids: Sequence[str], *, head: str | None = None
) -> pd.DataFrame:
    """Weigh the sentences of posts by what masking each of them does to the score, in float32.

    Parameters
    ----------
    bundle : Bundle
    texts, post_ids : sequences of str, length n_posts
    head : str, optional
        One of :func:`~screening.explain.heads.list_heads`; by default the most urgent risk target.

    Returns
    -------
    DataFrame
        One row per sentence a model read any of: ``post_id``, ``head``, ``start`` and ``end`` (characters
        ``[start, end)``), ``weight`` (the post's score less its score with every word piece of the sentence masked:
        positive where the sentence raised the score), ``model_version``.

    Raises
    ------
    ValueError
        If the head is unknown, texts and ids differ in number, or the tokenizer has no mask token.

    Notes
    -----
    Masked pieces keep their places, so windows stay where they were, and only windows that hold the sentence are run
    again. The weights of sentences need not sum to anything: two sentences that say the same each change little alone.
    To the word model of an ensemble, the words of a masked sentence are gone, and those around it make no pair.
    """
    if len(texts) != len(post_ids):
        message = f"expected one post id per text, found {len(texts)} texts and {len(post_ids)} ids"
        raise ValueError(message)
    chosen = head or select_urgent_head(bundle.manifest.taxonomy)
    scorer = build_masked_scorer(bundle, chosen)
    versions: list[MaskedPost] = []
    places: list[tuple[str, int, int, int, int]] = []  # post id, rows of the whole and the masked version, start, end
    for post_id, text in zip(post_ids, texts, strict=True):
        spans, whole = find_sentences(text), len(versions)
        read = _find_read(scorer, text, spans)
        versions += scorer.list_versions(text, spans, read.reshape(-1, 1))
        places += [(post_id, whole, whole + 1 + k, *spans[row]) for k, row in enumerate(read)]
    scores = scorer.compute_scores(versions)
    rows = [
        (post_id, chosen, start, end, scores[whole] - scores[masked], bundle.version)
        for post_id, whole, masked, start, end in places
    ]
    return pd.DataFrame(rows, columns=list(COLUMN_TYPES)).astype(COLUMN_TYPES)


def _find_read(scorer: MaskedScorer, text: str, spans: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Find the sentences that a model read any of, as rows, ascending; a word model reads every word."""
    words = locate_words(text) if scorer.words is not None else []
    by_word = np.searchsorted([end for _, end in spans], [start for start, _ in words], side="right")
    return np.intersect1d(np.arange(len(spans)), np.concatenate([by_word, *scorer.assign_tokens(text, spans)]))
