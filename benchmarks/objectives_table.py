"""Markdown tables of finished cells: mean and standard deviation over seeds, paired differences, published figures."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import mean, stdev
from typing import Any

import numpy as np

from screening.metrics.bootstrap import compute_resampled_interval
from screening.metrics.confusion import LABEL_METRICS, compute_confusion_matrix

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
PLAIN = "cross_entropy"
BASELINE = "tfidf"
METRICS = {"accuracy": "accuracy", "macro_f1": "macro F1", "weighted_f1": "weighted F1", "macro_recall": "macro recall"}
N_REPEATS = 1_000
INTERVALS_NOTE = (
    "Intervals are over posts, for these trained models: they say nothing of another seed, and they are not corrected "
    "for the number of rows."
)
PUBLISHED: dict[str, tuple[str, ...]] = {
    "emotion": ("CMHL, 125 M parameters, F1 93.75 (arXiv 2603.14078; others 86.13 to 93.2)",),
    "goemotions": ("accuracy: BERT 60.2, SCL 56.8, LCL 64.1 (Modarres and Raeisi; base-size encoders)",),
    "empathetic_dialogues": (
        "accuracy: BERT 55, ELECTRA 56.4, SCL 56.8, LCL 57.7, GRU 30, RNN 25 (Modarres and Raeisi; base-size encoders)",
    ),
    "sst5": ("accuracy: BERT 52.5, ELECTRA 55.6, SCL 58.3, LCL 57.1 (Modarres and Raeisi; base-size encoders)",),
}
Line = dict[str, Any]


def name_ensemble(system: str) -> str:
    """Name the ensemble of an encoder with the word model."""
    return f"{system} + {BASELINE}"


def print_tables(lines: Iterable[Line], order: Sequence[str]) -> None:
    """Print one table per data set, systems in a given order; a cell run again counts once, its last line."""
    latest = {(line["data"], line["system"], line["seed"]): line for line in lines}
    cells: defaultdict[str, defaultdict[str, list[Line]]] = defaultdict(lambda: defaultdict(list))
    for (data, system, _), line in sorted(latest.items()):
        cells[data][system].append(line)
    for data, systems in cells.items():
        print_data_set(data, {name: systems[name] for name in order if name in systems})


def print_data_set(data: str, systems: dict[str, list[Line]]) -> None:
    """Print a data set's table."""
    first = next(iter(systems.values()))[0]
    print(f"\n**{data}**, {first['n']['test']:,} test posts, {first['n']['train']:,} to train on", end="")
    print(f"; target {first['target']['name']}. Mean over seeds ± standard deviation, in %.\n")
    heads = ["system", "seeds", "validation: macro F1, weighted F1, average precision", *METRICS.values()]
    heads += [
        "target: recall, precision (most probable class)",
        "target: average precision",
        "target: recall, precision, alerts per 1,000 at the promise",
        "processor min",
    ]
    print_row(heads)
    print_row(["---"] * len(heads))
    for name, lines in systems.items():
        print_row([name, str(len(lines)), *format_system(lines)])
    plain = systems.get(PLAIN, [])
    print_differences(PLAIN, {name: (lines, plain) for name, lines in systems.items() if name != PLAIN})
    ensembles = {name_ensemble(name): name for name in systems}
    alone = {name: (systems[name], systems[encoder]) for name, encoder in ensembles.items() if name in systems}
    print_differences(f"the same encoder without {BASELINE}", alone)
    for line in PUBLISHED.get(data, ()):
        print(f"\nPublished: {line}")


def format_system(lines: list[Line]) -> list[str]:
    """Format the figures of one system."""
    argmax = [line["target"]["argmax"] for line in lines]
    promised = [line["target"]["promised"] for line in lines]
    chosen_by = ("macro_f1", "weighted_f1", "average_precision")
    return [
        ", ".join(format_mean([line["validation"][metric] for line in lines]) for metric in chosen_by),
        *(format_mean([line["test"][metric] for line in lines]) for metric in METRICS),
        ", ".join(format_mean([part[key] for part in argmax]) for key in ("recall", "precision")),
        format_mean([line["test"]["average_precision"] for line in lines]),
        format_promised(promised),
        format_minutes([line["processor_seconds"] for line in lines]),
    ]


def format_minutes(seconds: list[float | None]) -> str:
    """Format the mean time of the cells that were trained in one go."""
    whole = [value for value in seconds if value is not None]
    return f"{mean(whole) / 60:.1f}" if whole else ""


def format_promised(parts: list[dict[str, float] | None]) -> str:
    """Format what the promised threshold did on test."""
    kept = [part for part in parts if part is not None]
    if len(kept) < len(parts) or not kept:
        return "too few calibration posts"
    rates = (format_mean([part[key] for part in kept]) for key in ("recall", "precision"))
    return ", ".join([*rates, f"{mean(part['alerts_per_1000'] for part in kept):.0f}"])


def format_mean(values: list[float]) -> str:
    """Format a mean of fractions in per cent, with the standard deviation where there are several."""
    spread = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{spread}"


def print_differences(reference: str, compared: dict[str, tuple[list[Line], list[Line]]]) -> None:
    """Print differences of each system's lines to those it is compared with, posts resampled together."""
    paired = {name: pairs for name, both in compared.items() if (pairs := pair_seeds(*both))}
    if not paired:
        return
    print(f"\nDifference to {reference}, same seeds and posts, points; 95 % bootstrap interval over posts:\n")
    print_row(["system", "seeds", "macro F1", "weighted F1", "precision at the promise"])
    print_row(["---"] * 5)
    for name, pairs in paired.items():
        print_row([name, str(len(pairs)), *(compare(pairs, statistic) for statistic in STATISTICS)])
    print(f"\n{INTERVALS_NOTE}")


def pair_seeds(lines: list[Line], others: list[Line]) -> list[tuple[Line, Line]]:
    """Pair lines of the same seed; they must have read the same posts."""
    by_seed = {line["seed"]: line for line in others}
    pairs = [(line, by_seed[line["seed"]]) for line in lines if line["seed"] in by_seed]
    if any(one["true"] != other["true"] for one, other in pairs):
        message = "two lines of one data set were read on different test posts; run the older ones again"
        raise SystemExit(message)
    return pairs


def compare(pairs: list[tuple[Line, Line]], statistic: Callable[[np.ndarray, np.ndarray], float]) -> str:
    """Format the mean difference of a statistic over seeds with its interval over posts."""
    field = STATISTICS[statistic]
    if any(line[field] is None for pair in pairs for line in pair):
        return "-"
    true = truths(pairs[0][0], field)
    columns = [decode(line[field]) for pair in pairs for line in pair]

    def difference(true: np.ndarray, *columns: np.ndarray) -> float:
        values = [statistic(true, column) for column in columns]
        return float(np.mean(values[::2]) - np.mean(values[1::2]))

    interval = compute_resampled_interval(difference, true, *columns, rng=np.random.default_rng(0), n_repeats=N_REPEATS)
    bounds = f" ({100 * interval.low:+.1f} to {100 * interval.high:+.1f})" if interval else ""
    return f"{100 * difference(true, *columns):+.1f}{bounds}"


def truths(line: Line, field: str) -> np.ndarray:
    """Return classes, or for flags whether a post is one of the target's."""
    true = decode(line["true"])
    return true if field == "predicted" else np.isin(true, line["target"]["labels"])


def decode(text: str) -> np.ndarray:
    """Turn one digit per post into class numbers."""
    return np.array([DIGITS.index(digit) for digit in text])


def macro_f1(true: np.ndarray, predicted: np.ndarray) -> float:
    """Compute macro F1."""
    return compute_label_metric("macro_f1", true, predicted)


def weighted_f1(true: np.ndarray, predicted: np.ndarray) -> float:
    """Compute weighted F1."""
    return compute_label_metric("weighted_f1", true, predicted)


def precision(is_positive: np.ndarray, is_flagged: np.ndarray) -> float:
    """Compute precision; 0 without a flag."""
    return float((is_positive & (is_flagged == 1)).sum() / max(int(is_flagged.sum()), 1))


def compute_label_metric(name: Any, true: np.ndarray, predicted: np.ndarray) -> float:
    """Compute a label metric over all classes that can stand in a line."""
    matrix = compute_confusion_matrix(true, predicted, n_classes=len(DIGITS))
    return float(LABEL_METRICS[name](matrix))  # type: ignore[index]


STATISTICS: dict[Callable[[np.ndarray, np.ndarray], float], str] = {
    macro_f1: "predicted",
    weighted_f1: "predicted",
    precision: "flagged",
}
"""What is compared, and the field of a line it reads."""


def print_row(cells: Sequence[str]) -> None:
    """Print a row of a Markdown table."""
    print("| " + " | ".join(cells) + " |")
