"""Fitting the classifier: ``transformers.Trainer`` with our objectives, our sampler and an optional weight average."""

import contextlib
import math
from collections import defaultdict
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import Sampler
from transformers import Trainer

from screening.models.classifier import RiskClassifierOutput
from screening.models.momentum import find_momentum_network
from screening.objectives import CombinedObjective
from screening.objectives.gathering import NOT_COUNTED, gather_batch
from screening.training.collator import TEACHER
from screening.training.ema import WeightAverage
from screening.training.layer_rates import split_by_depth
from screening.training.perturbation import TokenPerturber, compute_saliency
from screening.training.sampler import LengthGroupedEpochSampler
from screening.training.views import repeat_posts


class RiskTrainer(Trainer):
    """A Trainer that minimises a :class:`CombinedObjective`.

    Parameters
    ----------
    objective : CombinedObjective
        Called with the model's outputs and the labels.
    ema : WeightAverage or None
        Evaluation uses the averaged weights where given.
    n_views : int
        How often each post of a training step is read; an evaluation reads it once.
    perturber : TokenPerturber or None
        Replaces tokens for the objectives that detect them.
    layer_decay : float or None
        See :func:`~screening.training.layer_rates.split_by_depth`.
    **kwargs
        As for ``transformers.Trainer``.
    """

    objective: CombinedObjective

    def __init__(
        self,
        *,
        objective: CombinedObjective,
        ema: WeightAverage | None = None,
        n_views: int = 1,
        perturber: TokenPerturber | None = None,
        layer_decay: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.objective = objective.to(self.args.device)
        self.ema = ema
        self.n_views = n_views
        self.perturber = perturber
        self.layer_decay = layer_decay
        self._parts: defaultdict[str, list[Tensor]] = defaultdict(list)

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """Compute the objective of the whole batch, all processes' posts; its parts are kept for the next log line."""
        is_training = model.training
        self.objective.train(is_training)
        progress = self.state.global_step / self.state.max_steps if is_training else 1.0
        marked = inputs | {"marked": self._mark_filling(inputs["labels"])}
        batch = repeat_posts(marked, self.n_views if is_training else 1)
        labels, marked_labels = batch.pop("labels"), batch.pop("marked")
        targets = {TEACHER: batch.pop(TEACHER)} if TEACHER in batch else {}
        targets |= self._perturb(batch, labels, targets, progress) if self.perturber else {}
        outputs = model(**batch)
        gathered, marked_labels = gather_batch(RiskClassifierOutput(**outputs, **targets), marked_labels)
        loss, parts = self.objective(self._add_queue(gathered, is_training=is_training), marked_labels, progress)
        if is_training:
            self._enqueue(gathered, marked_labels)
            for name, part in parts.items():
                self._parts[name].append(part)
        seen = {"loss": loss, "logits": outputs.logits, "pooled": outputs.pooled}
        return (loss, seen) if return_outputs else loss

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        """Create the optimiser, with lower learning rates in lower layers where asked for."""
        optimizer = super().create_optimizer(model)
        if self.layer_decay is not None:
            optimizer.param_groups = split_by_depth(
                optimizer.param_groups, model or cast(torch.nn.Module, self.model), self.layer_decay
            )
        return optimizer

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the mean of each objective since the last line to a training log line."""
        if "loss" in logs and self._parts:
            logs |= {f"loss_{name}": float(torch.stack(parts).mean()) for name, parts in self._parts.items()}
            self._parts.clear()
        super().log(logs, start_time)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Evaluate, on the averaged weights where there are any."""
        averaged = self.ema.applied(cast(torch.nn.Module, self.model)) if self.ema else contextlib.nullcontext()
        with averaged:
            return super().evaluate(*args, **kwargs)

    def _perturb(
        self, batch: dict[str, Tensor], labels: Tensor, targets: dict[str, Tensor], progress: float
    ) -> dict[str, Tensor]:
        """Put replaced tokens beside those of a batch; returns what is to be detected.

        Replacements of a training step come from torch's own generator, so that a resumed training draws the same;
        those of an evaluation are the same after every epoch.
        """
        classifier = cast(torch.nn.Module, self.model)
        is_training = classifier.training

        def compute_loss(outputs: RiskClassifierOutput) -> Tensor:
            complete = self._add_queue(RiskClassifierOutput(**outputs, **targets), is_training=is_training)
            return self.objective.compute_undetected(complete, labels, progress)

        saliency = compute_saliency(classifier, batch, compute_loss)
        generator = None if is_training else torch.Generator().manual_seed(self.args.seed)
        batch["perturbed_ids"], is_replaced = cast(TokenPerturber, self.perturber)(batch, saliency, generator)
        return {"detection_targets": is_replaced}

    def _add_queue(self, outputs: RiskClassifierOutput, *, is_training: bool) -> RiskClassifierOutput:
        """Put the keys of earlier batches beside a training step's outputs."""
        network = find_momentum_network(self.model)
        if network is None or not is_training:
            return outputs
        keys, labels = network.queue.read()
        return RiskClassifierOutput(**outputs, queued_keys=keys, queued_labels=labels)

    def _enqueue(self, outputs: RiskClassifierOutput, labels: Tensor) -> None:
        network = find_momentum_network(self.model)
        if network is not None:
            network.queue.enqueue(outputs.momentum_keys, labels)

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        dataset = cast(Any, train_dataset if train_dataset is not None else self.train_dataset)
        n_processes = self.args.world_size
        batch_size = self.args.train_batch_size * n_processes
        return LengthGroupedEpochSampler(dataset["n_tokens"], batch_size, self.args.seed, n_processes=n_processes)

    def _mark_filling(self, labels: Tensor) -> Tensor:
        """Mark the posts that accelerate repeats so that every process gets as many of a short last batch."""
        state = self.accelerator.gradient_state
        if self.args.world_size == 1 or not state.end_of_dataloader:
            return labels
        batch_size = len(labels) * self.args.world_size
        # not state.remainder, which counts one process's share after a resume
        n_left = len(state.active_dataloader.dataset) % batch_size or batch_size
        place = torch.arange(len(labels), device=labels.device) + self.args.process_index * len(labels)
        is_filling = (place >= n_left).reshape(-1, *[1] * (labels.dim() - 1))
        return labels.masked_fill(is_filling, NOT_COUNTED)


def count_steps(n_posts: int, batch_size: int, epochs: int) -> int:
    """Count optimiser steps of a whole training."""
    return math.ceil(n_posts / batch_size) * epochs
