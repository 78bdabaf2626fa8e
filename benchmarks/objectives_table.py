"""The page of finished cells: mean and standard deviation over seeds, paired differences, published figures."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from statistics import mean, stdev
from typing import Any

import numpy as np
import numpy.typing as npt

from screening.metrics.confusion import LABEL_METRICS

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
PLAIN = "cross_entropy"
BASELINE = "tfidf"
ABLATED = "cmhl"
N_REPEATS = 10_000
OPENING = """\
# Training methods, every finished cell

`python benchmarks/objectives.py --table` writes this page from `objectives.jsonl`. Figures in %, mean over seeds ±
standard deviation. A cell reads its test split once; systems were added after the first ones had been read. Labels
are what the data set's makers say: hashtags, or the subreddit a post comes from. `+ tfidf` puts words beside the
encoder, with the weight that is best on validation. *Processor min*: training and scoring of cells that were not
interrupted, on one core; lines that name a commit have the faster gradient of attention, where attention has no
dropout (reddit2013). Differences are paired by seed and post, in points, with 95 % bootstrap intervals over posts:
they hold these trained models and their thresholds fixed, take posts for independent (authors are not known), say
nothing of another seed, and are not corrected for the number of rows. Precision at the promise is taken at the recall
that the threshold happened to have, which stands beside it. Rows with words count the encoder alone in parameters and
time. A student's time is without its teachers', which are the same three for each of its seeds; set it beside the rows
of as many epochs."""
CLASS_HEADS = (
    "system",
    "parameters, M",
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
DIFFERENCE_HEADS = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "macro_recall": "macro recall",
    "argmax_recall": "target, most probable class: recall",
    "argmax_precision": "precision",
    "promised_recall": "target, at the promise: recall",
    "promised_precision": "precision",
}
PUBLISHED: dict[str, tuple[str, ...]] = {
    "emotion": (
        "CMHL, 125 M parameters, F1 93.75, macro or weighted not stated (arXiv 2603.14078; others 86.13 to 93.2); "
        "the sampling error of a weighted F1 near it on these posts is ± 1.1",
    ),
    "reddit2013": ("nothing on these posts",),
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
    yield f"Run on: {format_hardware(systems)}."
    yield render_table(CLASS_HEADS, [[name, *format_classes(lines)] for name, lines in systems.items()])
    yield f"Target {first['target']['name']}:"
    yield render_table(TARGET_HEADS, [[name, *format_target(lines)] for name, lines in systems.items()])
    whole = {name: name.removesuffix(name_ensemble("")) for name in systems}
    yield from render_differences(PLAIN, systems, {name: PLAIN for name in systems if whole[name] not in ablations})
    with_words = {name: encoder for name, encoder in whole.items() if name != encoder}
    yield from render_differences("the same encoder without words", systems, with_words)
    words = name_ensemble(PLAIN)
    kept = {name: words for name, encoder in with_words.items() if encoder not in ablations}
    yield from render_differences(words, systems, kept)
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
        f"{lines[0]['n_parameters'] / 1e6:.1f}",
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


def format_hardware(systems: Systems) -> str:
    """Format what the cells ran on, each machine with its number of lines."""
    machines = Counter(
        f"{device['cpu_model']}, {device['n_threads']} thread{' with AVX512-BF16' * device['avx512_bf16']}, "
        f"{'GPU' if device['cuda'] else 'no GPU'}, torch {device['torch_version']}"
        for lines in systems.values()
        for device in (line["hardware"] for line in lines)
    )
    return "; ".join(f"{machine} ({n} lines)" for machine, n in machines.items())


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
    spread = f" ± {100 * stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.{digits}f}{spread}"


def render_differences(reference: str, systems: Systems, references: dict[str, str]) -> Iterator[str]:
    """Render differences of systems to the system each is compared with, posts resampled together."""
    paired = {
        name: pair_seeds(systems[name], systems.get(other, []))
        for name, other in references.items()
        if name in systems and name != other
    }
    rows = [[name, str(len(pairs)), *format_differences(pairs)] for name, pairs in paired.items() if pairs]
    if rows:
        yield f"Difference to {reference}:"
        yield render_table(("system", "seeds", *DIFFERENCE_HEADS.values()), rows)


def pair_seeds(lines: list[Line], others: list[Line]) -> list[tuple[Line, Line]]:
    """Pair lines of the same seed; they must have read the same posts."""
    by_seed = {line["seed"]: line for line in others}
    pairs = [(line, by_seed[line["seed"]]) for line in lines if line["seed"] in by_seed]
    if any(one["true"] != other["true"] for one, other in pairs):
        message = "two lines of one data set were read on different test posts; run the older ones again"
        raise SystemExit(message)
    return pairs


def format_differences(pairs: list[tuple[Line, Line]]) -> Iterator[str]:
    """Format the mean difference of every metric over seeds with its interval over posts."""
    n_posts = len(pairs[0][0]["true"])
    drawn = np.random.default_rng(0).multinomial(n_posts, np.full(n_posts, 1 / n_posts), size=N_REPEATS)
    counts = np.vstack([np.ones(n_posts), drawn]).astype(np.float32)  # whose products are fast, and whole numbers
    first, second = (measure([pair[i] for pair in pairs], counts) for i in (0, 1))
    for name in DIFFERENCE_HEADS:
        if name not in first or name not in second:
            yield "–"
            continue
        differences = 100 * (first[name] - second[name])
        low, high = np.quantile(differences[1:], [0.025, 0.975])
        yield f"{differences[0]:+.1f} ({low:+.1f} to {high:+.1f})".replace("-", "−")


def measure(lines: list[Line], counts: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float64]]:
    """Measure the mean of lines that read the same posts, once for every row of how often each post counts."""
    true = decode(lines[0]["true"])
    is_positive = np.isin(true, lines[0]["target"]["labels"])
    measured: defaultdict[str, list[npt.NDArray[np.float64]]] = defaultdict(list)
    for line in lines:
        predicted = decode(line["predicted"])
        matrices = count_pairs(true, predicted, 1 + max(true.max(), predicted.max()), counts)
        for name, compute in LABEL_METRICS.items():
            measured[name].append(compute(matrices))
        flags = {"argmax": np.isin(predicted, line["target"]["labels"])}
        flags |= {"promised": decode(line["flagged"]) == 1} if line["flagged"] is not None else {}
        for rule, is_flagged in flags.items():
            matrices = count_pairs(is_positive, is_flagged, 2, counts)
            found = matrices[:, 1, 1]
            measured[f"{rule}_recall"].append(found / matrices[:, 1].sum(axis=-1))
            measured[f"{rule}_precision"].append(found / np.maximum(matrices[:, :, 1].sum(axis=-1), 1))
    return {name: np.mean(values, axis=0) for name, values in measured.items() if len(values) == len(lines)}


def count_pairs(
    true: npt.NDArray[Any], predicted: npt.NDArray[Any], n_classes: int, counts: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Count posts by true and predicted class, in matrices of shape (rows, n_classes, n_classes)."""
    names, cells = np.unique(true.astype(np.int64) * n_classes + predicted, return_inverse=True)
    matrices = np.zeros((len(counts), n_classes**2), dtype=np.float32)
    matrices[:, names] = counts @ np.eye(len(names), dtype=np.float32)[cells]
    return matrices.reshape(-1, n_classes, n_classes)


def decode(text: str) -> npt.NDArray[np.int64]:
    """Turn one digit per post into class numbers."""
    return np.array([DIGITS.index(digit) for digit in text])
