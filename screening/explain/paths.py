"""The straight line from a masked post to the post itself, over all windows of the post at once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch.utils.checkpoint import checkpoint

from screening.explain.heads import ScoreFunction
from screening.inference.forward import pad_batch
from screening.inference.windows import PostWindows

OUTPUTS = ("logits", "valence", "intensity")


class WordLogits(NamedTuple):
    """What the word model of an ensemble adds to the logits of some posts; its path starts at the intercept.

    Attributes
    ----------
    shares : tensor of float32, shape (n_posts, n_padded_words, n_classes)
        Of each word; 0 behind a post's last.
    intercept : tensor of float32, shape (n_posts, n_classes)
    """

    shares: torch.Tensor
    intercept: torch.Tensor


@dataclass(frozen=True)
class PostBatch:
    """Some posts of equally many windows, and their masked baselines.

    Attributes
    ----------
    input_ids, baseline_ids, attention_mask : tensors of int64, shape (n_posts, n_windows, n_padded_tokens)
    shares : tensor of float32, shape (n_posts, n_windows)
        Of each window in its post's mean; they sum to 1 per post.
    words : WordLogits or empty
        Of an ensemble.
    """

    input_ids: torch.Tensor
    baseline_ids: torch.Tensor
    attention_mask: torch.Tensor
    shares: torch.Tensor
    words: WordLogits | tuple[()] = ()

    def select(self, rows: list[int]) -> "PostBatch":
        """Keep some of the posts."""
        chosen = {name: tensor[rows] for name, tensor in vars(self).items() if name != "words"}
        return replace(self, **chosen, words=WordLogits(*(tensor[rows] for tensor in self.words)) if self.words else ())


def build_post_batch(
    windows: PostWindows, posts: Sequence[int], tokenizer: Any, max_tokens: int, device: torch.device
) -> PostBatch:
    """Pad all windows of some posts, which have equally many, to one length and build their baselines."""
    rows = [row for post in posts for row in (windows.post == post).nonzero()[0].tolist()]
    shape = (len(posts), len(rows) // len(posts), -1)
    padded = pad_batch([windows.token_ids[row] for row in rows], tokenizer.pad_token_id, max_tokens)
    input_ids, attention_mask = (part.to(device).view(shape) for part in padded)
    shares = torch.tensor(windows.weights[rows], dtype=torch.float32, device=device).view(shape[:2])
    return PostBatch(input_ids, build_baseline(input_ids, tokenizer), attention_mask, shares)


def build_baseline(input_ids: torch.Tensor, tokenizer: Any) -> torch.Tensor:
    """Replace every token that is not special by the mask token, or by padding where the tokenizer has no mask."""
    blank = tokenizer.mask_token_id if tokenizer.mask_token_id is not None else tokenizer.pad_token_id
    names = ("pad", "cls", "sep", "bos", "eos")  # not "unk": an unknown word is a word
    kept = {getattr(tokenizer, f"{name}_token_id") for name in names} - {None}
    is_kept = torch.isin(input_ids, torch.tensor(sorted(kept), device=input_ids.device))
    return torch.where(is_kept, input_ids, blank)


def score_posts(
    classifier: Any,
    score: ScoreFunction,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    shares: torch.Tensor,
    *words: torch.Tensor,
    max_tokens_per_batch: int,
    embedded: torch.Tensor | None = None,
) -> torch.Tensor:
    """Score posts from all their windows, shape (n_posts,): the score of the mean that the screener takes.

    ``words`` are empty, or the two tensors of :class:`WordLogits`, which are added to the mean once; ``embedded``, of
    shape (n_posts, n_windows, n_padded_tokens, n_embedding), takes the place of what the word embeddings give.

    Notes
    -----
    Windows beyond the memory budget are read some at a time, and read again for the gradient, so that a long post takes
    more time but no more memory than its budget and its embeddings.
    """
    mean = average_windows(_read_windows(classifier, input_ids, attention_mask, embedded, max_tokens_per_batch), shares)
    if words:
        added = WordLogits(*words)
        mean.logits = mean.logits + added.intercept + added.shares.sum(dim=1)
    return score(mean)


def build_forward(
    classifier: Any, score: ScoreFunction, batch: PostBatch, max_tokens_per_batch: int
) -> Callable[..., torch.Tensor]:
    """Build what Captum differentiates: a function of a batch's embeddings and, of an ensemble, its words' shares.

    It takes these first, then the batch's ids, mask and window shares and, of an ensemble, the intercept: those that
    :func:`list_fixed` lists.
    """
    n_changed = len(batch.words[:1])

    def forward(embedded: torch.Tensor, *inputs: torch.Tensor) -> torch.Tensor:
        word_shares, fixed = inputs[:n_changed], inputs[n_changed:]
        return score_posts(
            classifier,
            score,
            *fixed[:3],
            *word_shares,
            *fixed[3:],
            embedded=embedded,
            max_tokens_per_batch=max_tokens_per_batch,
        )

    return forward


def list_fixed(batch: PostBatch) -> tuple[torch.Tensor, ...]:
    """List what stays the same along a path."""
    return batch.input_ids, batch.attention_mask, batch.shares, *batch.words[1:]


def _read_windows(
    classifier: Any,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    embedded: torch.Tensor | None,
    max_tokens_per_batch: int,
) -> SimpleNamespace:
    tensors = [tensor.flatten(0, 1) for tensor in (input_ids, attention_mask, embedded) if tensor is not None]
    n_windows = max(1, max_tokens_per_batch // input_ids.shape[-1])
    read = partial(_read, classifier)
    if len(tensors[0]) <= n_windows:
        parts = [read(*tensors)]
    else:
        parts = [
            checkpoint(read, *part, use_reentrant=False, preserve_rng_state=False)
            for part in zip(*(tensor.split(n_windows) for tensor in tensors), strict=True)
        ]
    joined = (torch.cat(values) for values in zip(*parts, strict=True))
    return SimpleNamespace(**dict(zip(OUTPUTS, joined, strict=True)))


def _read(
    classifier: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor, embedded: torch.Tensor | None = None
) -> tuple[torch.Tensor, ...]:
    with nullcontext() if embedded is None else _replace_output(classifier.get_input_embeddings(), embedded):
        output = classifier(input_ids=input_ids, attention_mask=attention_mask)
    return tuple(getattr(output, name) for name in OUTPUTS)


@contextmanager
def _replace_output(layer: torch.nn.Module, output: torch.Tensor) -> Iterator[None]:
    hook = layer.register_forward_hook(lambda *_: output)
    try:
        yield
    finally:
        hook.remove()


def average_windows(output: Any, shares: torch.Tensor) -> SimpleNamespace:
    """Average a classifier's output over each post's windows; ``shares`` has shape (n_posts, n_windows)."""
    values = {name: getattr(output, name).unflatten(0, tuple(shares.shape)) for name in OUTPUTS}
    return SimpleNamespace(**{name: torch.einsum("pw...,pw->p...", part, shares) for name, part in values.items()})


@contextmanager
def frozen(classifier: Any) -> Iterator[None]:
    """Switch to evaluation mode without weight gradients: only the embeddings' gradient is wanted."""
    was_training = classifier.training
    trainable = [parameter for parameter in classifier.parameters() if parameter.requires_grad]
    classifier.eval()
    for parameter in trainable:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)
        classifier.train(was_training)
