"""What happens between steps: the best weights are kept, checkpoints are marked whole, training stops early."""

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from screening.training.ema import WeightAverage

WHOLE_MARKER = "whole"  # written last: a checkpoint without it was cut off by a kill


class WholeCheckpoint(TrainerCallback):
    """Save the weight average with a checkpoint, then mark the checkpoint whole."""

    def __init__(self, ema: WeightAverage | None) -> None:
        self.ema = ema

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Take the step's weights into the average."""
        if self.ema:
            self.ema.update(kwargs["model"])
        return control

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Finish the checkpoint that was just written."""
        folder = Path(args.output_dir or ".") / f"checkpoint-{state.global_step}"
        if self.ema:
            self.ema.save(folder)
        (folder / WHOLE_MARKER).touch()
        return control


class KeepBest(TrainerCallback):
    """Keep the weights of the best evaluation so far, and stop after ``patience`` evaluations without gain.

    Parameters
    ----------
    folder : Path
        Receives ``best.safetensors`` and ``best.json``.
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
        values = [self.sign * entry[self.metric] for entry in state.log_history if self.metric in entry]
        best = max(range(len(values)), key=lambda i: values[i])
        if best == len(values) - 1:
            self._save(kwargs["model"], state, values[best] * self.sign)
        control.should_training_stop = len(values) - 1 - best >= self.patience or control.should_training_stop
        return control

    def _save(self, model: Any, state: TrainerState, value: float) -> None:
        aside = self.folder / "best.safetensors.part"
        if self.ema:
            with self.ema.applied(model):
                save_file(model.state_dict(), aside)
        else:
            save_file(model.state_dict(), aside)
        aside.replace(self.folder / "best.safetensors")
        record = {"metric": self.metric, "value": value, "step": state.global_step, "epoch": state.epoch}
        (self.folder / "best.json").write_text(json.dumps(record), encoding="utf-8")


def find_whole_checkpoint(folder: Path) -> Path | None:
    """Find the latest checkpoint that was written to its end."""
    whole = [path.parent for path in folder.glob(f"checkpoint-*/{WHOLE_MARKER}")]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
