"""The page of finished cells: mean and standard deviation over seeds, paired differences, published figures."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import mean, stdev
from typing import Any

import numpy as np

from screening.metrics.bootstrap import compute_resampled_interval
from screening.metrics.confusion import LABEL_METRICS, compute_confusion_matrix

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
PLAIN = "cross_entropy"
BASELINE = "tfidf"
ABLATED = "cmhl"
N_REPEATS = 1_000
OPENING = """\
# Training methods, every finished cell

`python benchmarks/objectives.py --table` writes this page from `objectives.jsonl`. Figures in %, mean over seeds ±
standard deviation; a test split is read once per cell. Labels are what the data set's makers say: hashtags, or the
subreddit a post comes from. `+ tfidf` puts words beside the encoder, with the weight that is best on validation.
*Processor min*: cells trained in one go, on one core with AVX512-BF16; lines that name a commit, and `lcl, head`, have
the faster gradient of attention (1.1 to 1.25 times), others do not. Differences are paired by seed and post, in
points, with 95 % bootstrap intervals over posts: they hold these trained models fixed, say nothing of another seed,
and are not corrected for the number of rows."""
CLASS_HEADS = (
    "system",
    "seeds",
    "validation: macro F1, weighted F1",
    "accuracy",
    "macro F1",
    "weighted F1",
    "macro recall",
    "processor min",
)
TARGET_HEADS = (
    "system",
    "seeds",
    "validation: average precision",
    "average precision",
    "most probable class: recall, precision",
    "at the promised threshold: recall, precision, alerts per 1,000",
)
DIFFERENCE_HEADS = ("system", "seeds", "macro F1", "weighted F1", "precision at the promise")
PUBLISHED: dict[str, tuple[str, ...]] = {
    "emotion": ("CMHL, 125 M parameters, F1 93.75 (arXiv 2603.14078; others 86.13 to 93.2)",),
    "goemotions": ("accuracy: BERT 60.2, SCL 56.8, LCL 64.1 (Modarres and Raeisi; base-size encoders)",),
    "empathetic_dialogues": (
        "accuracy: BERT 55, ELECTRA 56.4, SCL 56.8, LCL 57.7, GRU 30, RNN 25 (Modarres and Raeisi; base-size encoders)",
    ),
    "sst5": ("accuracy: BERT 52.5, ELECTRA 55.6, SCL 58.3, LCL 57.1 (Modarres and Raeisi; base-size encoders)",),
}
Line = dict[str, Any]
Systems = dict[str, list[Line]]


def name_ensemble(system: str) -> str:
    """Name the ensemble of an encoder with the word model."""
    return f"{system} + {BASELINE}"


def render_page(lines: Iterable[Line], order: Sequence[str], ablations: Sequence[str]) -> str:
    """Render the Markdown page, systems in a given order; a cell run again counts once, its last line."""
    latest = {(line["data"], line["system"], line["seed"]): line for line in lines}
    cells: defaultdict[str, Systems] = defaultdict(lambda: defaultdict(list))
    for (data, system, _), line in sorted(latest.items()):
        cells[data][system].append(line)
    blocks = [OPENING]
    for data, systems in cells.items():
        blocks += render_data_set(data, {name: systems[name] for name in order if name in systems}, ablations)
    return "\n\n".join(blocks) + "\n"


def render_data_set(data: str, systems: Systems, ablations: Sequence[str]) -> Iterator[str]:
    """Render a data set's tables."""
    first = next(iter(systems.values()))[0]
    yield f"## {data}: {first['n']['test']:,} test posts, {first['n']['train']:,} to train on"
    yield from (f"Published: {line}." for line in PUBLISHED.get(data, ()))
    yield render_table(CLASS_HEADS, [[name, *format_classes(lines)] for name, lines in systems.items()])
    yield f"Target {first['target']['name']}:"
    yield render_table(TARGET_HEADS, [[name, *format_target(lines)] for name, lines in systems.items()])
    whole = {name: name.removesuffix(name_ensemble("")) for name in systems}
    yield from render_differences(PLAIN, systems, {name: PLAIN for name in systems if whole[name] not in ablations})
    yield from render_differences(
        "the same encoder without words", systems, {name: encoder for name, encoder in whole.items() if name != encoder}
    )
    yield from render_differences(f"{ABLATED}, one of its terms changed", systems, dict.fromkeys(ablations, ABLATED))


def render_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Render a Markdown table."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, ["---"] * len(heads), *rows))


def format_classes(lines: list[Line]) -> list[str]:
    """Format how well a system tells classes apart, and what it cost."""
    chosen_by = [format_mean([line["validation"][metric] for line in lines]) for metric in ("macro_f1", "weighted_f1")]
    digits = {"accuracy": 1, "macro_f1": 1, "weighted_f1": 2, "macro_recall": 1}
    found = [format_mean([line["test"][metric] for line in lines], n) for metric, n in digits.items()]
    return [
        str(len(lines)),
        ", ".join(chosen_by),
        *found,
        format_minutes([line["processor_seconds"] for line in lines]),
    ]


def format_target(lines: list[Line]) -> list[str]:
    """Format what a system finds of its data set's target."""
    argmax = [line["target"]["argmax"] for line in lines]
    return [
        str(len(lines)),
        *(format_mean([line[split]["average_precision"] for line in lines]) for split in ("validation", "test")),
        ", ".join(format_mean([part[key] for part in argmax]) for key in ("recall", "precision")),
        format_promised([line["target"]["promised"] for line in lines]),
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


def format_mean(values: list[float], digits: int = 1) -> str:
    """Format a mean of fractions in per cent, with the standard deviation where there are several."""
    spread = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.{digits}f}{spread}"


def render_differences(reference: str, systems: Systems, references: dict[str, str]) -> Iterator[str]:
    """Render differences of systems to the system each is compared with, posts resampled together."""
    paired = {
        name: pair_seeds(systems[name], systems.get(other, []))
        for name, other in references.items()
        if name in systems and name != other
    }
    rows = [
        [name, str(len(pairs)), *(compare(pairs, statistic) for statistic in STATISTICS)]
        for name, pairs in paired.items()
        if pairs
    ]
    if rows:
        yield f"Difference to {reference}:"
        yield render_table(DIFFERENCE_HEADS, rows)


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
        return "–"
    true = truths(pairs[0][0], field)
    columns = [decode(line[field]) for pair in pairs for line in pair]

    def difference(true: np.ndarray, *columns: np.ndarray) -> float:
        values = [statistic(true, column) for column in columns]
        return float(np.mean(values[::2]) - np.mean(values[1::2]))

    interval = compute_resampled_interval(difference, true, *columns, rng=np.random.default_rng(0), n_repeats=N_REPEATS)
    bounds = f" ({100 * interval.low:+.1f} to {100 * interval.high:+.1f})" if interval else ""
    return f"{100 * difference(true, *columns):+.1f}{bounds}".replace("-", "−")


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
