"""Integrated gradients of a score with respect to word embeddings, with steps grown until the sum comes out right."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from screening.allocator import keep_freed_memory
from screening.config import LongPosts
from screening.explain.aggregation import WordWeight
from screening.explain.heads import ScoreFunction
from screening.explain.integration import GROWTH, PathIntegral
from screening.explain.paths import PostBatch, WordLogits, build_post_batch, frozen, score_posts
from screening.explain.word_part import WordPart, add_words, list_words
from screening.inference.batching import plan_batches
from screening.inference.forward import PADDING_MULTIPLE
from screening.inference.precision import SCORE_TOLERANCE
from screening.inference.windows import PostWindows, split_into_windows

Reason = Literal["", "delta", "no_change"]

DELTA_LIMIT = 0.05
FIRST_STEPS = 12
MAX_STEPS = 324
MAX_TOKENS_PER_BATCH = 2_048


@dataclass(frozen=True)
class Attribution:
    """Signed weights of one post's tokens and how far their sum is off.

    Attributes
    ----------
    weights : ndarray of float, shape (n_tokens,)
        In units of the explained score; all windows of the post one after the other, special tokens included, which
        get exactly 0. A token that two windows share stands twice, with the part of each.
    score, baseline_score : float
        The explained score of the post and of the post with every word masked.
    delta_relative : float
        ``|total - (score - baseline_score)| / |score - baseline_score|`` with the sum of all weights, of tokens and
        ``by_words``, as total; 0 for a post without words.
    n_steps : int
        Points on the path from baseline to post.
    unreliable_because : {"", "delta", "no_change"}
        Empty where ``delta_relative`` is within the limit. ``no_change``: the masked post scores the same, up to
        rounding, so that there is nothing to share out. ``delta``: the sum was still off at the last step count.
    by_words : tuple of WordWeight
        What the word model of an ensemble adds, as spans of the whole post; empty without one.
    """

    weights: NDArray[np.float64]
    score: float
    baseline_score: float
    delta_relative: float
    n_steps: int
    unreliable_because: Reason
    by_words: tuple[WordWeight, ...] = ()

    @property
    def is_reliable(self) -> bool:
        """Whether the weights add up."""
        return self.unreliable_because == ""


@dataclass(frozen=True)
class AttributionSettings:
    """How much work an explanation may cost.

    Attributes
    ----------
    delta_limit : float
        Largest relative error of the sum for an explanation to count as reliable.
    first_steps, max_steps : int
        Steps start at the first number and triple until the limit is met; never more than the second. At least 2.
    max_tokens_per_batch : int
        Memory budget of one forward and backward pass, padding included. A post with more tokens, in all its windows,
        goes step by step, some windows at a time.
    """

    delta_limit: float = DELTA_LIMIT
    first_steps: int = FIRST_STEPS
    max_steps: int = MAX_STEPS
    max_tokens_per_batch: int = MAX_TOKENS_PER_BATCH


def attribute_tokens(
    classifier: Any,
    tokenizer: Any,
    texts: Sequence[str],
    score: ScoreFunction,
    *,
    max_tokens: int,
    long_posts: LongPosts = "windows",
    settings: AttributionSettings | None = None,
    words: WordPart | None = None,
) -> list[Attribution]:
    """Share a score out over the tokens of each post, and over the words of its word model.

    Parameters
    ----------
    classifier : torch.nn.Module
        Takes ``input_ids`` and ``attention_mask``, has ``get_input_embeddings()``; weights in float32.
    tokenizer : PreTrainedTokenizerFast
    texts : sequence of str, length n_posts
    score : callable
        From the classifier's output to a tensor of shape (n_posts,), see :func:`~screening.explain.heads.build_score`.
    max_tokens : int
        Window of the classifier.
    long_posts : {"windows", "cut"}
        As the posts are scored: all windows of a post stand on one path, and the score is that of their mean.
    settings : AttributionSettings, optional
    words : WordPart, optional
        Of an ensemble: its logits are added to those of the classifier before the score is taken.

    Returns
    -------
    list of Attribution
        In input order.

    Notes
    -----
    Integrated gradients on word embeddings [1]_. The baseline keeps special tokens, length and attention mask and
    replaces every other token by the mask token (the padding token where there is none). A mask baseline rather than
    padding, because RoBERTa numbers positions by what is padding: along the path to a padded baseline the positions
    would not match, and the sum would never come out right.

    A word model [ours] takes the same path: its logits go from the intercept, which is what it says of a post without
    any known term, straight to those of the post. A word's weight is its share of the logits times the mean gradient.

    The integral is taken at the middles of equal steps. Gauss-Legendre points, Captum's default, crowd at the ends of
    the path, where nothing special happens: on flagged validation posts, 12 middles come closer to the order of
    tokens of 96 points, and more often within the limit, than 12 Gauss-Legendre points (``benchmarks/README.md``).

    References
    ----------
    .. [1] Sundararajan, Taly, Yan. Axiomatic Attribution for Deep Networks. ICML 2017, arXiv 1703.01365.
    """
    keep_freed_memory()
    settings = settings or AttributionSettings()
    windows = split_into_windows(tokenizer, texts, max_tokens, long_posts)
    device = next(classifier.parameters()).device
    found: dict[int, Attribution] = {}
    with frozen(classifier):
        for posts in plan_posts(windows, settings.max_tokens_per_batch // settings.first_steps):
            batch = build_post_batch(windows, posts, tokenizer, max_tokens, device)
            batch, spans = add_words(batch, words, [texts[post] for post in posts])
            found.update(zip(posts, _refine(classifier, score, batch, settings, spans), strict=True))
    return [found[post] for post in range(len(texts))]


def plan_posts(windows: PostWindows, max_tokens_per_batch: int) -> Iterator[list[int]]:
    """Yield batches of posts of equally many windows and like lengths."""
    longest = np.zeros(len(windows.n_tokens), dtype=np.int64)
    np.maximum.at(longest, windows.post, np.array([len(ids) for ids in windows.token_ids], dtype=np.int64))
    for n_windows in np.unique(windows.n_windows)[::-1].tolist():
        alike = np.flatnonzero(windows.n_windows == n_windows)
        for batch in plan_batches(longest[alike], max(1, max_tokens_per_batch // n_windows), PADDING_MULTIPLE):
            yield alike[batch].tolist()


def _refine(
    classifier: Any,
    score: ScoreFunction,
    batch: PostBatch,
    settings: AttributionSettings,
    word_spans: Sequence[NDArray[np.int64]],
) -> list[Attribution]:
    """Take more steps of the posts whose sum is still off."""
    ends = _score_ends(classifier, score, batch, settings.max_tokens_per_batch)
    integral = PathIntegral(
        classifier, score, batch, n_steps=settings.first_steps, max_tokens_per_batch=settings.max_tokens_per_batch
    )
    found: dict[int, Attribution] = {}
    pending = list(range(len(batch.input_ids)))
    while True:
        tokens, *words = (part.double().cpu().numpy() for part in integral.parts)
        for i, row in enumerate(pending):
            kept = tokens[i][batch.attention_mask[row].bool().cpu().numpy()]
            by_words = list_words(word_spans[row], words[0][i]) if words else ()
            found[row] = _judge(kept, by_words, *ends[row], n_steps=integral.n_steps, limit=settings.delta_limit)
        is_pending = [not found[row].is_reliable for row in pending]
        if not any(is_pending) or GROWTH * integral.n_steps > settings.max_steps:
            return [found[row] for row in range(len(batch.input_ids))]
        integral.select([i for i, wanted in enumerate(is_pending) if wanted])
        pending = [row for row, wanted in zip(pending, is_pending, strict=True) if wanted]
        integral.refine()


def _score_ends(
    classifier: Any, score: ScoreFunction, batch: PostBatch, max_tokens_per_batch: int
) -> list[tuple[float, float]]:
    """Score each post and its masked baseline, to whose logits no word of a word model adds anything."""
    no_words = WordLogits(torch.zeros_like(batch.words[0]), batch.words[1]) if batch.words else ()
    with torch.inference_mode():
        scores, baseline_scores = (
            score_posts(
                classifier,
                score,
                ids,
                batch.attention_mask,
                batch.shares,
                *words,
                max_tokens_per_batch=max_tokens_per_batch,
            )
            .double()
            .cpu()
            .tolist()
            for ids, words in ((batch.input_ids, batch.words), (batch.baseline_ids, no_words))
        )
    return list(zip(scores, baseline_scores, strict=True))


def _judge(
    weights: NDArray[np.float64],
    by_words: tuple[WordWeight, ...],
    score: float,
    baseline_score: float,
    *,
    n_steps: int,
    limit: float,
) -> Attribution:
    change = score - baseline_score
    delta = compute_relative_delta(float(weights.sum()) + sum(word.weight for word in by_words), change)
    reason: Reason = "no_change" if abs(change) <= SCORE_TOLERANCE["fp32"] else "delta"
    return Attribution(weights, score, baseline_score, delta, n_steps, "" if delta <= limit else reason, by_words)


def compute_relative_delta(total: float, change: float) -> float:
    """Compute how far a sum of weights is from the change of score it should equal, relative to that change.

    Infinite where the score does not change and the sum is not 0.

    Examples
    --------
    >>> compute_relative_delta(0.9, 1.0) < 0.11
    True
    """
    if change == 0:
        return 0.0 if total == 0 else float("inf")
    return abs(total - change) / abs(change)
