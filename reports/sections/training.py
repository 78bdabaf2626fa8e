"""The training history as a table and a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from reports.figures.classifier import plot_history
from reports.page import Section
from reports.tables import Column, Table

if TYPE_CHECKING:
    from reports.results import RunResults

HISTORY_CHOICES = ("train_loss", "loss", "validation_loss", "eval_loss", "validation_macro_f1", "eval_macro_f1")


def build_training_section(results: RunResults) -> Section | None:
    """Build the training history, where there is one."""
    history = results.history
    if history.empty or "epoch" not in history:
        return None
    chosen = tuple(column for column in HISTORY_CHOICES if column in history and history[column].notna().any())
    numeric = [column for column in history.columns if pd.api.types.is_numeric_dtype(history[column])]
    columns = tuple(Column(name, name.replace("_", " "), "text" if name == "epoch" else "number") for name in numeric)
    table = Table("history", "Training, by epoch", history[numeric], columns, "train and validation splits")
    pictures = (plot_history(history, chosen),) if chosen else ()
    return Section("training", "Training", pictures=pictures, folded=(table,))
