"""An exponential moving average of weights (Polyak averaging), saved with every checkpoint."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

EMA_FILE = "ema.safetensors"


class WeightAverage:
    """``ξ ← m ξ + (1 − m) θ`` after every optimiser step, with the early steps' bias removed as in Adam.

    Parameters
    ----------
    model : nn.Module
    decay : float in (0, 1)
        ``m``.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.n_updates = 0
        self.sums = {name: torch.zeros_like(weight) for name, weight in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the model's current weights."""
        self.n_updates += 1
        for name, weight in model.named_parameters():
            self.sums[name].lerp_(weight, 1 - self.decay)

    @contextlib.contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """Put the averaged weights into the model for the length of a ``with`` block."""
        if self.n_updates == 0:
            yield
            return
        current = {name: weight.detach().clone() for name, weight in model.named_parameters()}
        correction = 1 - self.decay**self.n_updates
        _copy_into(model, {name: total / correction for name, total in self.sums.items()})
        try:
            yield
        finally:
            _copy_into(model, current)

    def save(self, folder: Path) -> None:
        """Write the average into a checkpoint folder."""
        save_file(self.sums | {"n_updates": torch.tensor([self.n_updates])}, folder / EMA_FILE)

    def load(self, folder: Path) -> None:
        """Read the average from a checkpoint folder."""
        tensors = load_file(folder / EMA_FILE)
        self.n_updates = int(tensors.pop("n_updates").item())
        self.sums = {name: tensor.to(self.sums[name].device) for name, tensor in tensors.items()}


@torch.no_grad()
def _copy_into(model: nn.Module, weights: dict[str, Tensor]) -> None:
    for name, weight in model.named_parameters():
        weight.copy_(weights[name])
