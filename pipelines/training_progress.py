"""The progress bar of a training: steps, loss, and one line per evaluation."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from transformers import TrainerControl, TrainerState, TrainingArguments

from screening.training.callbacks import PhaseCallback

LINE_EVERY_STEPS = 100


class TrainingProgress(PhaseCallback):
    """Draw steps with the time left and the current loss; print validation metrics after every epoch."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.title = "training"
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.progress = Progress(*columns, console=console)
        self.task = self.progress.add_task(self.title, total=None)

    def on_posts_read(self, n_read: int, n_posts: int) -> None:
        """Show how far a frozen encoder is with the posts."""
        title = "reading posts for the second phase"
        self.progress.update(self.task, description=title, total=n_posts, completed=n_read)
        self.progress.start()
        if n_read == n_posts:
            self.progress.stop()
            self.console.print(f"{title}: {n_posts:,} read", highlight=False)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the bar where the training starts, which is not 0 for a resumed one."""
        self.title = args.run_name or self.title
        if state.global_step:
            self.console.print(f"going on from step {state.global_step:,}", highlight=False)
        self.progress.update(self.task, description=self.title, total=state.max_steps, completed=state.global_step)
        self.progress.start()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Advance the bar."""
        self.progress.update(self.task, completed=state.global_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Show the loss, or the metrics of an evaluation."""
        logs = logs or {}
        if "loss" in logs:
            self.progress.update(self.task, description=f"{self.title}, loss {float(logs['loss']):.3f}")
            if not self.console.is_terminal and state.global_step % LINE_EVERY_STEPS == 0:  # no bar in a log file
                steps = f"step {state.global_step:,} of {state.max_steps:,}"
                self.console.print(f"{steps}: loss {float(logs['loss']):.3f}", highlight=False)
        if "eval_loss" in logs and "eval_macro_f1" not in logs:
            self.progress.console.print(
                f"{self.title}, epoch {round(state.epoch or 0)}: validation loss {logs['eval_loss']:.3f}",
                highlight=False,
            )
        if "eval_macro_f1" in logs:
            self.progress.console.print(
                f"epoch {round(state.epoch or 0)}: validation macro-F1 {logs['eval_macro_f1']:.3f}, "
                f"average precision {logs['eval_average_precision']:.3f}, loss {logs['eval_loss']:.3f}",
                highlight=False,
            )

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Take the bar down."""
        self.progress.stop()
