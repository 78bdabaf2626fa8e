"""The one path from texts to logits, used by training, calibration, evaluation and scoring alike."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from screening.allocator import keep_freed_memory
from screening.config import LongPosts
from screening.inference.backends import Engine, load_engine
from screening.inference.batching import plan_batches, round_up
from screening.inference.look_ahead import map_ahead
from screening.inference.precision import resolve_precision
from screening.inference.windows import PostWindows, split_into_windows

Progress = Callable[[int, int], None]

PADDING_MULTIPLE = 8
MAX_TOKENS_PER_BATCH = {"cpu": 4_096, "cuda": 65_536}
POSTS_PER_CHUNK = 2_048  # tokenised together while the chunk before is computed; sorted by length within


@dataclass(frozen=True)
class Logits:
    """What a classifier says about ``n_posts`` posts, in input order.

    Attributes
    ----------
    logits : ndarray of float32, shape (n_posts, n_classes)
        Before any temperature.
    valence : ndarray of float32, shape (n_posts,)
        In [-1, 1].
    intensity : ndarray of float32, shape (n_posts,)
        In [0, 1].
    n_tokens : ndarray of int64, shape (n_posts,)
        Tokens of the whole post, special tokens included, before cutting.
    n_windows : ndarray of int64, shape (n_posts,)
        Windows the post was read in.
    is_truncated : ndarray of bool, shape (n_posts,)
        Whether the model saw only the post's beginning.
    """

    logits: NDArray[np.float32]
    valence: NDArray[np.float32]
    intensity: NDArray[np.float32]
    n_tokens: NDArray[np.int64]
    n_windows: NDArray[np.int64]
    is_truncated: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.logits)


def compute_logits(
    classifier: Any, tokenizer: Any, texts: Sequence[str], *, precision: str = "auto", **options: Any
) -> Logits:
    """Run a classifier over texts in torch, on the device it lives on.

    Parameters
    ----------
    classifier : RiskClassifier
    tokenizer, texts, **options
        As :func:`run_engine` takes them.
    precision : {"auto", "bf16", "fp32"}
        ``auto`` takes what the device runs fast (:func:`~screening.inference.precision.detect_precision`).
    """
    device = next(classifier.parameters()).device
    engine = load_engine(classifier, "torch", resolve_precision(precision, device.type))
    return run_engine(engine, tokenizer, texts, **options)


def run_engine(
    engine: Engine,
    tokenizer: Any,
    texts: Sequence[str],
    *,
    max_tokens: int,
    long_posts: LongPosts = "windows",
    max_tokens_per_batch: int | None = None,
    on_progress: Progress | None = None,
) -> Logits:
    """Run a classifier that was made ready (:func:`~screening.inference.backends.load_engine`) over texts.

    Parameters
    ----------
    engine : Engine
    tokenizer : PreTrainedTokenizerFast
        The classifier's own.
    texts : sequence of str, length n_posts
        May be empty.
    max_tokens : int
        Window of the classifier, special tokens included.
    long_posts : {"windows", "cut"}
        Read a longer post in overlapping windows and average their outputs, or read its beginning alone.
    max_tokens_per_batch : int, optional
        Memory budget; by default 4,096 on a CPU and 65,536 on a GPU.
    on_progress : callable, optional
        Called as ``on_progress(n_done, n_posts)`` after every batch, with the posts read to their end so far.

    Returns
    -------
    Logits
        Arrays of length 0 for no texts.

    Notes
    -----
    A post's result depends on its batch only through the order of floating-point sums: below 1e-4 of a logit in fp32.
    """
    keep_freed_memory()
    budget = max_tokens_per_batch or _choose_budget(engine)
    prepare = partial(_prepare, tokenizer, max_tokens=max_tokens, long_posts=long_posts, max_tokens_per_batch=budget)
    starts = range(0, max(len(texts), 1), POSTS_PER_CHUNK)  # no texts: one empty chunk gives the empty result
    chunks = map_ahead(prepare, [texts[start : start + POSTS_PER_CHUNK] for start in starts])
    parts = [
        _run_chunk(engine, chunk, partial(_report, on_progress, start, len(texts)))
        for start, chunk in zip(starts, chunks, strict=True)
    ]
    arrays = {field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Logits)}
    return Logits(**arrays)


def run_windows(
    engine: Engine, token_ids: Sequence[Sequence[int]], pad_token_id: int, max_tokens: int
) -> dict[str, NDArray[np.float32]]:
    """Run a classifier over windows that are token ids already, in batches of like lengths.

    Parameters
    ----------
    engine : Engine
    token_ids : sequence of sequence of int, length n_windows
        Special tokens included, at most ``max_tokens`` each; may be empty.
    pad_token_id, max_tokens : int
        The classifier's own.

    Returns
    -------
    dict of str to ndarray of float32
        ``logits`` of shape (n_windows, n_classes), ``valence`` and ``intensity`` of shape (n_windows,), in input order.
    """
    keep_freed_memory()
    return _run_batches(
        engine, len(token_ids), build_batches(token_ids, pad_token_id, max_tokens, _choose_budget(engine))
    )


def pad_batch(
    token_ids: Sequence[Sequence[int]], pad_token_id: int, max_tokens: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pad posts on the right to the longest one, rounded up to a multiple of eight but not beyond the window.

    Returns
    -------
    input_ids, attention_mask : tensors of int64, shape (n_posts, n_padded_tokens)
    """
    longest = max(len(ids) for ids in token_ids)
    width = max(longest, min(round_up(longest, PADDING_MULTIPLE), max_tokens))
    input_ids = torch.full((len(token_ids), width), pad_token_id, dtype=torch.long)
    attention_mask = torch.zeros_like(input_ids)
    for row, ids in enumerate(token_ids):
        input_ids[row, : len(ids)] = torch.tensor(ids, dtype=torch.long)
        attention_mask[row, : len(ids)] = 1
    return input_ids, attention_mask


Batch = tuple[NDArray[np.int64], torch.Tensor, torch.Tensor]  # indices of its windows, input_ids, attention_mask


@dataclass(frozen=True)
class _Chunk:
    """Posts ready to run."""

    windows: PostWindows
    batches: list[Batch]
    is_truncated: NDArray[np.bool_]


def _prepare(
    tokenizer: Any, texts: Sequence[str], *, max_tokens: int, long_posts: LongPosts, max_tokens_per_batch: int
) -> _Chunk:
    windows = split_into_windows(tokenizer, texts, max_tokens, long_posts)
    batches = list(build_batches(windows.token_ids, tokenizer.pad_token_id, max_tokens, max_tokens_per_batch))
    return _Chunk(windows, batches, (windows.n_tokens > max_tokens) & (long_posts == "cut"))


def build_batches(
    token_ids: Sequence[Sequence[int]], pad_token_id: int, max_tokens: int, max_tokens_per_batch: int
) -> Iterator[Batch]:
    """Pad posts in batches of like lengths, the longest first, each batch when it is asked for."""
    for batch in plan_batches([len(ids) for ids in token_ids], max_tokens_per_batch, PADDING_MULTIPLE):
        yield (batch, *pad_batch([token_ids[i] for i in batch], pad_token_id, max_tokens))


def _run_chunk(engine: Engine, chunk: _Chunk, report: Callable[[int], None]) -> Logits:
    """Run the batches, and average each output over the windows of a post."""
    windows = chunk.windows
    unread = windows.n_windows

    def count(batch: NDArray[np.int64]) -> None:
        np.subtract.at(unread, windows.post[batch], 1)
        report(int((unread == 0).sum()))

    outputs = _run_batches(engine, len(windows.token_ids), chunk.batches, count)
    return Logits(
        **{name: windows.average(values) for name, values in outputs.items()},
        n_tokens=windows.n_tokens,
        n_windows=windows.n_windows,
        is_truncated=chunk.is_truncated,
    )


def _run_batches(
    engine: Engine,
    n_windows: int,
    batches: Iterable[Batch],
    on_batch: Callable[[NDArray[np.int64]], None] | None = None,
) -> dict[str, NDArray[np.float32]]:
    outputs = _allocate(n_windows, engine.n_classes)
    for batch, input_ids, attention_mask in batches:
        for name, values in engine(input_ids, attention_mask).items():
            outputs[name][batch] = values
        if on_batch is not None:
            on_batch(batch)
    return outputs


def _choose_budget(engine: Engine) -> int:
    return MAX_TOKENS_PER_BATCH.get(engine.device_type, MAX_TOKENS_PER_BATCH["cpu"])


def _report(on_progress: Progress | None, n_before: int, n_posts: int, n_done: int) -> None:
    if on_progress is not None:
        on_progress(n_before + n_done, n_posts)


def _allocate(n_windows: int, n_classes: int) -> dict[str, NDArray[np.float32]]:
    return {
        "logits": np.zeros((n_windows, n_classes), dtype=np.float32),
        "valence": np.zeros(n_windows, dtype=np.float32),
        "intensity": np.zeros(n_windows, dtype=np.float32),
    }
