"""Integrated gradients of a score with respect to word embeddings, with steps grown until the sum comes out right."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from screening.explain.heads import ScoreFunction
from screening.explain.paths import Paths, build_paths, frozen
from screening.inference.batching import plan_batches
from screening.inference.forward import PADDING_MULTIPLE
from screening.inference.windows import tokenize

DELTA_LIMIT = 0.05
FIRST_STEPS = 16
MAX_STEPS = 128
MAX_TOKENS_PER_BATCH = 4_096
MAX_POSTS_PER_BATCH = 8


@dataclass(frozen=True)
class Attribution:
    """Signed weights of one post's tokens and how far their sum is off.

    Attributes
    ----------
    token_ids : ndarray of int, shape (n_tokens,)
        As the model saw them, special tokens included.
    weights : ndarray of float, shape (n_tokens,)
        In units of the explained score; special tokens get exactly 0.
    score, baseline_score : float
        The explained score of the post and of the post with every word masked.
    delta_relative : float
        ``|sum(weights) - (score - baseline_score)| / |score - baseline_score|``; 0 for a post without words.
    n_steps : int
        Points on the path from baseline to post.
    is_reliable : bool
        Whether ``delta_relative`` is within the limit.
    """

    token_ids: NDArray[np.int64]
    weights: NDArray[np.float64]
    score: float
    baseline_score: float
    delta_relative: float
    n_steps: int
    is_reliable: bool


@dataclass(frozen=True)
class AttributionSettings:
    """How much work an explanation may cost.

    Attributes
    ----------
    delta_limit : float
        Largest relative error of the sum for an explanation to count as reliable.
    first_steps, max_steps : int
        Steps start at the first number and double until the limit is met or the second is reached.
    max_tokens_per_batch : int
        Memory budget of one forward and backward pass, padding included.
    """

    delta_limit: float = DELTA_LIMIT
    first_steps: int = FIRST_STEPS
    max_steps: int = MAX_STEPS
    max_tokens_per_batch: int = MAX_TOKENS_PER_BATCH

    def list_steps(self) -> list[int]:
        """Step counts in the order they are tried."""
        steps = [self.first_steps]
        while steps[-1] < self.max_steps:
            steps.append(min(2 * steps[-1], self.max_steps))
        return steps


def attribute_tokens(
    classifier: Any,
    tokenizer: Any,
    texts: Sequence[str],
    score: ScoreFunction,
    *,
    max_tokens: int,
    settings: AttributionSettings | None = None,
) -> list[Attribution]:
    """Share a score out over the tokens of each post.

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
    settings : AttributionSettings, optional

    Returns
    -------
    list of Attribution
        In input order.

    Notes
    -----
    Integrated gradients on word embeddings [1]_, integrated by Gauss-Legendre quadrature. The baseline keeps special
    tokens, length and attention mask and replaces every other token by the mask token (the padding token where there
    is none). A mask baseline rather than padding, because RoBERTa numbers positions by what is padding: along the path
    to a padded baseline the positions would not match, and the sum would never come out right.

    References
    ----------
    .. [1] Sundararajan, Taly, Yan. Axiomatic Attribution for Deep Networks. ICML 2017, arXiv 1703.01365.
    """
    settings = settings or AttributionSettings()
    token_ids, _ = tokenize(tokenizer, texts, max_tokens)
    found: list[Attribution | None] = [None] * len(texts)
    group_budget = MAX_POSTS_PER_BATCH * max(PADDING_MULTIPLE, max((len(ids) for ids in token_ids), default=1))
    with frozen(classifier):
        for batch in plan_batches([len(ids) for ids in token_ids], group_budget, PADDING_MULTIPLE):
            for start in range(0, len(batch), MAX_POSTS_PER_BATCH):
                chosen = batch[start : start + MAX_POSTS_PER_BATCH].tolist()
                path = build_paths(classifier, tokenizer, [token_ids[i] for i in chosen], score, max_tokens)
                for i, attribution in zip(chosen, _refine(path, settings), strict=True):
                    found[i] = attribution
    return [attribution for attribution in found if attribution is not None]


def _refine(paths: Paths, settings: AttributionSettings) -> list[Attribution]:
    """Double the steps of the posts whose sum is still off."""
    found: dict[int, Attribution] = {}
    pending = list(range(len(paths.input_ids)))
    for n_steps in settings.list_steps():
        found.update(zip(pending, _attribute(paths.select(pending), n_steps, settings), strict=True))
        pending = [row for row in pending if not found[row].is_reliable]
        if not pending:
            break
    return [found[row] for row in range(len(paths.input_ids))]


def _attribute(paths: Paths, n_steps: int, settings: AttributionSettings) -> list[Attribution]:
    n_posts, width = paths.input_ids.shape
    by_dimension = paths.integrate.attribute(
        paths.input_ids,
        baselines=paths.baseline_ids,
        additional_forward_args=(paths.attention_mask,),
        n_steps=n_steps,
        internal_batch_size=max(n_posts, settings.max_tokens_per_batch // width),
    )  # (n_posts, n_tokens, n_embedding)
    weights = by_dimension.detach().sum(dim=-1).double().cpu().numpy()  # (n_posts, n_tokens)
    results = []
    for row in range(n_posts):
        length = int(paths.attention_mask[row].sum())
        change = paths.scores[row] - paths.baseline_scores[row]
        delta = compute_relative_delta(float(weights[row].sum()), float(change))
        results.append(
            Attribution(
                token_ids=paths.input_ids[row, :length].cpu().numpy(),
                weights=weights[row, :length],
                score=float(paths.scores[row]),
                baseline_score=float(paths.baseline_scores[row]),
                delta_relative=delta,
                n_steps=n_steps,
                is_reliable=delta <= settings.delta_limit,
            )
        )
    return results


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
