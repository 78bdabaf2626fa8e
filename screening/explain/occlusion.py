"""Which sentences of a post its score depends on: each masked in turn, and the post scored again."""

import itertools
import re
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from screening.explain.explanations import ExplainedBundle, select_urgent_head
from screening.explain.heads import ScoreFunction, build_score
from screening.explain.paths import frozen
from screening.explain.word_part import WordPart, select_word_part
from screening.inference.batching import plan_batches
from screening.inference.forward import MAX_TOKENS_PER_BATCH, PADDING_MULTIPLE, pad_batch
from screening.inference.windows import PostWindows, locate_tokens, split_into_windows
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
    if bundle.tokenizer.mask_token_id is None:
        message = "expected a tokenizer with a mask token, found none; sentences cannot be masked"
        raise ValueError(message)
    manifest = bundle.manifest
    chosen = head or select_urgent_head(manifest.taxonomy)
    score = build_score(chosen, manifest.taxonomy, manifest.temperature.temperature)
    words = select_word_part(bundle, chosen)
    versions = [version for post, text in enumerate(texts) for version in _list_versions(bundle, words, post, text)]
    scores = _score_versions(bundle, versions, score)
    whole = {version.post: scores[i] for i, version in enumerate(versions) if version.span is None}
    rows = [
        (post_ids[version.post], chosen, *version.span, whole[version.post] - scores[i], bundle.version)
        for i, version in enumerate(versions)
        if version.span is not None
    ]
    return pd.DataFrame(rows, columns=list(COLUMN_TYPES)).astype(COLUMN_TYPES)


class _Version(NamedTuple):
    """A post with one sentence masked, or none: its windows' tokens and shares in the mean, a word model's logits."""

    post: int
    span: tuple[int, int] | None
    token_ids: list[tuple[int, ...]]
    shares: NDArray[np.float64]
    word_logits: NDArray[np.float32] | None


def _list_versions(bundle: ExplainedBundle, words: WordPart | None, post: int, text: str) -> Iterator[_Version]:
    """Yield the whole post, then each sentence masked; sentences that no model read are left out."""
    manifest = bundle.manifest
    windows = split_into_windows(bundle.tokenizer, [text], manifest.max_tokens, manifest.long_posts)
    located = locate_tokens(bundle.tokenizer, text, manifest.max_tokens, manifest.long_posts)
    spans, sentences = [np.array(window).reshape(-1, 2) for window in located], find_sentences(text)
    ends = [end for _, end in sentences]
    owners = [np.where(window[:, 1] > 0, np.searchsorted(ends, window[:, 0], "right"), -1) for window in spans]
    masked_spans: list[list[tuple[int, int]]] = [[], *([span] for span in sentences)]
    added = list(words.compute_masked_logits(text, masked_spans)) if words else [None] * len(masked_spans)
    by_word = np.searchsorted(ends, [start for start, _ in locate_words(text)] if words else [], "right")
    yield _Version(post, None, [tuple(ids) for ids in windows.token_ids], windows.weights, added[0])
    for i, span in enumerate(sentences):
        if any((owner == i).any() for owner in (*owners, by_word)):
            masked = [
                tuple(np.where(owner == i, bundle.tokenizer.mask_token_id, ids).tolist())
                for owner, ids in zip(owners, windows.token_ids, strict=True)
            ]
            yield _Version(post, span, masked, windows.weights, added[1 + i])


def _score_versions(bundle: ExplainedBundle, versions: list[_Version], score: ScoreFunction) -> NDArray[np.float64]:
    """Score versions from their windows, shape (n_versions,), running every different window once."""
    row_by_window = {ids: row for row, ids in enumerate(dict.fromkeys(ids for v in versions for ids in v.token_ids))}
    outputs = _run_windows(bundle, list(row_by_window))
    rows = [row_by_window[ids] for version in versions for ids in version.token_ids]
    windows = PostWindows(
        token_ids=[list(ids) for version in versions for ids in version.token_ids],
        post=np.repeat(np.arange(len(versions)), [len(version.token_ids) for version in versions]),
        weights=np.concatenate([np.zeros(0), *(version.shares for version in versions)]),
        n_tokens=np.zeros(len(versions), dtype=np.int64),
    )
    means = {name: torch.from_numpy(windows.average(values[rows])) for name, values in outputs.items()}
    added = [version.word_logits for version in versions if version.word_logits is not None]
    if added:
        means["logits"] = means["logits"] + torch.from_numpy(np.stack(added))
    scores: NDArray[np.float64] = score(SimpleNamespace(**means)).numpy().astype(np.float64)
    return scores


def _run_windows(bundle: ExplainedBundle, token_ids: list[tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    """Run the classifier over windows, in batches of like lengths."""
    device = next(bundle.classifier.parameters()).device
    budget = MAX_TOKENS_PER_BATCH.get(device.type, MAX_TOKENS_PER_BATCH["cpu"])
    n_classes = len(bundle.manifest.taxonomy.names)
    shapes = {"logits": (len(token_ids), n_classes), "valence": (len(token_ids),), "intensity": (len(token_ids),)}
    outputs = {name: np.zeros(shape, dtype=np.float32) for name, shape in shapes.items()}
    with frozen(bundle.classifier), torch.inference_mode():
        for batch in plan_batches([len(ids) for ids in token_ids], budget, PADDING_MULTIPLE):
            padded = pad_batch([token_ids[i] for i in batch], bundle.tokenizer.pad_token_id, bundle.manifest.max_tokens)
            output = bundle.classifier(input_ids=padded[0].to(device), attention_mask=padded[1].to(device))
            for name, values in outputs.items():
                values[batch] = getattr(output, name).float().cpu().numpy()
    return outputs
