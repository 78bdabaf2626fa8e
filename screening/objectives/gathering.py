"""One loss for the whole batch when several processes each hold a share of it.

:class:`~screening.training.trainer.RiskTrainer` gathers outputs and labels *before* it calls the objective. Losses,
contrastive ones included, therefore see the whole batch without doing anything, and must not gather again.
"""

from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional

from screening.models.classifier import RiskClassifierOutput

NOT_COUNTED = -100
"""Label of a row that only fills a process's share of the batch."""


def gather_across_processes(tensor: Tensor) -> Tensor:
    """Put the rows of all processes under each other, in the order of processes; gradients flow back to their rows.

    Parameters
    ----------
    tensor : Tensor of shape (n_rows, ...)
        The same shape in every process.

    Returns
    -------
    Tensor of shape (n_processes * n_rows, ...)
        The tensor itself where there is one process.

    Notes
    -----
    If every process computes the same loss from the result, a row's gradient is ``n_processes`` times that of one
    process that holds all rows. ``DistributedDataParallel`` averages over processes, which makes it exactly that.
    """
    return cast(Tensor, _Gather.apply(tensor)) if _is_one_of_several() else tensor


def gather_batch(outputs: RiskClassifierOutput, labels: Tensor) -> tuple[RiskClassifierOutput, Tensor]:
    """Gather all outputs and labels of a batch, without the rows labelled ``NOT_COUNTED``.

    Parameters
    ----------
    outputs : RiskClassifierOutput
        Every field that is filled has one row per post.
    labels : Tensor of int64, shape (n_posts,), or of float32, shape (n_posts, 2)
        Classes or coordinates.

    Returns
    -------
    outputs : RiskClassifierOutput
        In fp32; the same object where there is one process.
    labels : Tensor of shape (n_posts_of_all_processes, ...)
    """
    if not _is_one_of_several():
        return outputs, labels
    outputs = _pad_tokens(outputs)
    rows = {name: value.float().reshape(len(value), -1) for name, value in outputs.items()}
    # one table: one message instead of one per field, and DistributedDataParallel wants a gradient for every field
    table = gather_across_processes(torch.cat(list(rows.values()), dim=1))
    labels = gather_across_processes(labels)
    is_counted = (labels != NOT_COUNTED).reshape(len(labels), -1).all(dim=1)
    columns = table[is_counted].split([value.shape[1] for value in rows.values()], dim=1)
    gathered = {name: column.reshape(-1, *outputs[name].shape[1:]) for name, column in zip(rows, columns, strict=True)}
    return RiskClassifierOutput(**gathered), labels[is_counted]


def _pad_tokens(outputs: RiskClassifierOutput) -> RiskClassifierOutput:
    """Bring fields with one column per token to the width of the process with the longest posts."""
    if outputs.detection_logits is None:
        return outputs
    width = torch.tensor(outputs.detection_logits.shape[1], device=outputs.detection_logits.device)
    dist.all_reduce(width, op=dist.ReduceOp.MAX)
    n_missing = int(width) - outputs.detection_logits.shape[1]
    padded = {
        "detection_logits": functional.pad(outputs.detection_logits, (0, n_missing)),
        "detection_targets": functional.pad(outputs.detection_targets, (0, n_missing), value=NOT_COUNTED),
    }
    return RiskClassifierOutput(**{**outputs, **padded})


def _is_one_of_several() -> bool:
    return dist.is_initialized() and dist.get_world_size() > 1


class _Gather(torch.autograd.Function):
    """``torch.distributed.nn.functional.all_gather`` does the same and is deprecated without a public successor."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        parts = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)  # the loss of every process depends on every row
        return total.chunk(dist.get_world_size())[dist.get_rank()]
