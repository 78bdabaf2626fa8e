"""Batches of posts of similar length, in an order that depends on nothing but the seed and the epoch."""

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

CHUNK_BATCHES = 20  # more means less padding and less randomness


class LengthGroupedEpochSampler(Sampler[int]):
    """Shuffle, then sort by length inside chunks of several batches, so that little padding is needed.

    Unlike the stock sampler it draws nothing from torch's global state: a resumed epoch visits the same posts in the
    same order.

    Parameters
    ----------
    lengths : sequence of int
        Tokens per post.
    batch_size : int
        Posts per step, of all processes together.
    seed : int
    n_processes : int
        Processes that share each batch in equal pieces, the first piece for the first; each gets long and short posts.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int, *, n_processes: int = 1) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        self.chunk_size = batch_size * CHUNK_BATCHES
        self.seed = seed
        self.n_processes = n_processes
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order to give; the Trainer calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng((self.seed, self.epoch))
        order = rng.permutation(len(self.lengths))
        batches = [batch for start in range(0, len(order), self.chunk_size) for batch in self._sort_chunk(order, start)]
        full = [batch for batch in batches if len(batch) == self.batch_size]
        rest = [batch for batch in batches if len(batch) < self.batch_size]  # stays last, or batches would shift
        for i in rng.permutation(len(full)):
            yield from full[i].reshape(-1, self.n_processes).T.ravel().tolist()
        for batch in rest:
            yield from batch.tolist()

    def _sort_chunk(self, order: np.ndarray, start: int) -> list[np.ndarray]:
        chunk = order[start : start + self.chunk_size]
        chunk = chunk[np.argsort(-self.lengths[chunk], kind="stable")]
        return [chunk[i : i + self.batch_size] for i in range(0, len(chunk), self.batch_size)]
