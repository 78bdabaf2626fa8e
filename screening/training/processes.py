"""Several processes that train one model, as ``torchrun`` starts them: the first leads, the others follow.

The leader does all of a run but the training alone; followers wait for that, take part in it and end. What happens in
between goes through :mod:`torch.distributed`: ``gloo`` on CPUs, ``nccl`` on GPUs.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from screening.exceptions import ConfigError

TIMEOUT = timedelta(hours=2)
"""Followers wait so long for a leader that reads and cleans posts, or writes a checkpoint."""


def count_processes() -> int:
    """Count the processes of this job, this one included."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def count_before() -> int:
    """Count the processes of this job that stand before this one: 0 for the leader."""
    return int(os.environ.get("RANK", "0"))


def is_follower() -> bool:
    """Tell whether another process leads this job."""
    return count_before() > 0


def count_posts_per_process(batch_size: int) -> int:
    """Divide the posts of one step among the processes.

    Raises
    ------
    ConfigError
        If they cannot all get the same number.
    """
    n_processes = count_processes()
    if batch_size % n_processes:
        nearest = max(round(batch_size / n_processes), 1) * n_processes
        message = (
            f"training.batch_size is {batch_size}, the posts of one step of all processes together, and cannot be "
            f"divided by {n_processes} processes; choose a multiple: --set training.batch_size={nearest}"
        )
        raise ConfigError(message)
    return batch_size // n_processes


def start_training() -> None:
    """Meet the followers and tell them that there is something to train."""
    _meet(is_training=True)


def wait_for_training() -> bool:
    """Meet the leader; ``False`` if it came to its end without anything to train."""
    return _meet(is_training=False)


@contextmanager
def led_followers() -> Iterator[None]:
    """Lead: whatever happens inside, no follower is left waiting."""
    if count_processes() == 1:
        yield
        return
    import torch.distributed as dist

    try:
        yield
    finally:
        if not dist.is_initialized():
            _meet(is_training=False)
        leave()


def wait_for_all() -> None:
    """Wait until every process has come here."""
    import torch.distributed as dist

    if dist.is_initialized():
        dist.barrier()


def leave() -> None:
    """Part from the other processes."""
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def _meet(*, is_training: bool) -> bool:
    """Meet all processes; what the leader says holds for all."""
    import torch
    import torch.distributed as dist

    if count_processes() == 1:
        return is_training
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=TIMEOUT)
    word = torch.tensor([is_training])
    dist.broadcast(word, src=0)
    return bool(word.item())
