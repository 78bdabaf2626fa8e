"""What happens between steps: the best weights are kept, checkpoints are marked whole, training stops early."""

from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from screening.models.momentum import find_momentum_network
from screening.training.ema import WeightAverage
from screening.training.processes import wait_for_all

BEST_WEIGHTS = "best.safetensors"
WHOLE_MARKER = "whole"  # written last: a checkpoint without it was cut off by a kill


class PhaseCallback(TrainerCallback):
    """A Trainer's callback that also hears of the work before a phase's first step."""

    def on_posts_read(self, n_read: int, n_posts: int) -> None:
        """Hear how many posts a frozen encoder has read, of those whose representations the phase trains on."""


class WholeCheckpoint(TrainerCallback):
    """Save the weight average with a checkpoint, then mark the checkpoint whole.

    A checkpoint at the end of an epoch is written after the epoch's evaluation, not before: a run resumed from it would
    otherwise start the next epoch and never evaluate the last one.
    """

    def __init__(self, ema: WeightAverage | None) -> None:
        self.ema = ema

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Take the step's weights into the average."""
        if self.ema:
            self.ema.update(kwargs["model"])
        if float(state.epoch or 0).is_integer():
            control.should_save = False
        return control

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Write the checkpoint that holds this evaluation."""
        control.should_save = True
        return control

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Finish the checkpoint, once every process has written its part of it."""
        wait_for_all()
        if not state.is_world_process_zero:
            return control
        folder = Path(args.output_dir or ".") / f"checkpoint-{state.global_step}"
        if self.ema:
            self.ema.save(folder)
        (folder / WHOLE_MARKER).touch()
        return control


class FollowWithMomentum(TrainerCallback):
    """Let a momentum network follow the weights after every optimiser step."""

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Take the step's weights into the network, where there is one."""
        network = find_momentum_network(kwargs["model"])
        if network is not None:
            network.follow(kwargs["model"])


class KeepBest(TrainerCallback):
    """Keep the weights of the best evaluation so far, and stop after ``patience`` evaluations without gain.

    Parameters
    ----------
    folder : Path
        Receives ``best.safetensors``.
    metric : str
        Name in the evaluation's metrics.
    greater_is_better : bool
    patience : int
    ema : WeightAverage or None
        Its weights are the ones evaluated and kept.
    """

    def __init__(
        self, folder: Path, metric: str, *, greater_is_better: bool, patience: int, ema: WeightAverage | None
    ) -> None:
        self.folder, self.metric, self.patience, self.ema = folder, metric, patience, ema
        self.sign = 1 if greater_is_better else -1

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Compare this evaluation with all earlier ones (the log survives a resume, so this does too)."""
        n_since_best = self.count_since_best(state)
        if n_since_best == 0 and state.is_world_process_zero:
            self._save(kwargs["model"], state)
        control.should_training_stop = n_since_best >= self.patience or control.should_training_stop
        return control

    def is_finished(self, state: TrainerState) -> bool:
        """Tell whether a training with this log has nothing left to do."""
        return state.global_step >= state.max_steps or self.count_since_best(state) >= self.patience

    def count_since_best(self, state: TrainerState) -> int:
        """Count evaluations since the best one; 0 if the last is the best, or there is none."""
        values = [self.sign * entry[self.metric] for entry in state.log_history if self.metric in entry]
        return len(values) - 1 - values.index(max(values)) if values else 0

    def _save(self, model: Any, state: TrainerState) -> None:
        aside = self.folder / "best.safetensors.part"
        if self.ema:
            with self.ema.applied(model):
                save_file(model.state_dict(), aside)
        else:
            save_file(model.state_dict(), aside)
        aside.replace(self.folder / BEST_WEIGHTS)


def find_whole_checkpoint(folder: Path) -> Path | None:
    """Find the latest checkpoint that was written to its end."""
    whole = [path.parent for path in folder.glob(f"checkpoint-*/{WHOLE_MARKER}")]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
