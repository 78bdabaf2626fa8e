"""How fast posts are scored: every backend and precision beside the Hugging Face pipeline and sentence-transformers.

The same posts, window and size of encoder for all, in one run; the contestants take turns, round by round, and each
ratio is the median over rounds. Also printed: the share of what this machine's own matrix products reach, counted over
the posts' real tokens, and what reduced precision does to average precision, with the classifier of a finished run on
its validation posts. INT8 is quantised on training posts of that run, or on the posts to score where there is no run;
its share of a limit is left out, which is measured in floating point.
"""

import argparse
import logging
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import average_precision_score
from torch.nn.functional import linear
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline
from transformers.utils import logging as transformers_logging

from screening.bundle import load_bundle
from screening.config import Backend, Quantisation
from screening.data.cleaning import clean_text
from screening.data.preparation import load_split
from screening.inference.backends import Engine, is_installed, load_engine
from screening.inference.forward import run_engine
from screening.inference.precision import Precision, describe_hardware, detect_int8
from screening.inference.quantisation import N_POSTS, quantise
from screening.inference.windows import split_into_windows, tokenize
from screening.models.encoder import EMBEDDED_ENCODER, locate_embedded_encoder
from screening.scoring import compute_risk_scores

POSTS = Path("../shared/data/reddit2013_mh5/test.csv")
MAX_TOKENS = 256
PEER_BATCHES = (1, 4, 8, 16, 32)
ScoringPath = tuple[Backend, Precision, Quantisation]
PATHS: dict[str, ScoringPath] = {
    "torch, fp32": ("torch", "fp32", "none"),
    "torch, bf16": ("torch", "bf16", "none"),
    "openvino, fp32": ("openvino", "fp32", "none"),
    "openvino, bf16": ("openvino", "bf16", "none"),
    "openvino, int8": ("openvino", "bf16", "int8"),
}
DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}
Run = Callable[[Sequence[str]], object]
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


def make_peers(clock: Callable[[], float], texts: Sequence[str]) -> dict[str, Run]:
    """Make the peers: the pipeline at batch 1, 32 and its best, in bfloat16 at its best, sentence-transformers."""
    from sentence_transformers import SentenceTransformer

    folder = str(locate_embedded_encoder())
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def load_pipeline(precision: Precision) -> Callable[..., object]:
        model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=5, dtype=DTYPES[precision])
        classify = pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu", top_k=None)
        return partial(classify, truncation=True, max_length=MAX_TOKENS)

    exact, reduced = load_pipeline("fp32"), load_pipeline("bf16")
    few = texts[:: max(1, len(texts) // 32)]
    best = min(PEER_BATCHES, key=lambda size: measure(partial(exact, batch_size=size), few, clock))
    peers: dict[str, Run] = {
        f"HF pipeline, fp32, batch {size}{' (its best)' if size == best else ''}": partial(exact, batch_size=size)
        for size in sorted({1, best, 32})
    }
    encoder = SentenceTransformer(folder, device="cpu")
    encoder.max_seq_length = MAX_TOKENS
    head = torch.nn.Linear(384, 5)
    return peers | {
        f"HF pipeline, bf16, batch {best}": partial(reduced, batch_size=best),
        "sentence-transformers encode + head, fp32, batch 32": lambda posts: head(
            encoder.encode(list(posts), batch_size=32, convert_to_tensor=True, show_progress_bar=False).clone()
        ),
    }


def measure(run: Run, texts: Sequence[str], clock: Callable[[], float]) -> float:
    """Run over texts once; seconds."""
    started = clock()
    run(texts)
    return clock() - started


def measure_limit(precision: Precision, clock: Callable[[], float]) -> float:
    """Highest rate of this machine's matrix products, GFLOP/s: the encoder's shapes and a square, two kernels."""
    rates = []
    for n_rows, n_in, n_out in ((4096, 384, 1152), (4096, 384, 1536), (4096, 1536, 384), (2048, 2048, 2048)):
        rows = torch.randn(n_rows, n_in).to(DTYPES[precision])
        weight, bias = torch.randn(n_out, n_in).to(DTYPES[precision]), torch.randn(n_out).to(DTYPES[precision])
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, n_rows)
        prepacked = partial(torch.ops.mkldnn._linear_pointwise, rows, packed, bias, "none", [], "")
        for multiply in (partial(linear, rows, weight, bias), prepacked):
            multiply()
            seconds = min(measure(lambda _: [multiply() for _ in range(4)], (), clock) for _ in range(3)) / 4  # noqa: B023  # called at once
            rates.append(2 * n_rows * n_in * n_out / seconds / 1e9)
    return max(rates)


def count_gflop(lengths: np.ndarray, n_layers: int = 6, n_hidden: int = 384, n_wide: int = 1536) -> float:
    """Floating-point operations of the encoder's matrix products over real tokens, attention included, in billions."""
    lengths = lengths.astype(float)
    per_token = 2 * (4 * n_hidden**2 + 2 * n_hidden * n_wide)
    return float(n_layers * (per_token * lengths + 4 * n_hidden * lengths**2).sum() / 1e9)


def is_there(path: ScoringPath) -> bool:
    """Whether the packages and the CPU a path needs are there."""
    backend, _, quantisation = path
    return is_installed(backend) and (quantisation == "none" or (find_spec("nncf") is not None and detect_int8()))


def load_path(path: ScoringPath, classifier: Any, tokenizer: Any, learnt: Sequence[str]) -> Engine:
    """Make a classifier ready to run on a path, quantised on a seeded draw of posts it may learn from."""
    backend, precision, quantisation = path
    if quantisation == "none":
        return load_engine(classifier, backend, precision)
    drawn = [learnt[i] for i in np.random.default_rng(0).permutation(len(learnt))[:N_POSTS]]
    windows = split_into_windows(tokenizer, drawn, MAX_TOKENS, "cut")
    return load_engine(classifier, backend, precision, quantise(classifier, windows.token_ids))


def read_training_posts(run: Path) -> list[str]:
    """Texts a finished run learnt from; none where there is no run."""
    path = run / "data" / "train.parquet"
    return load_split(path)["text"].tolist() if path.exists() else []


def print_average_precision(run: Path) -> None:
    """Print what each path makes of the same classifier's average precision on validation posts."""
    if not (run / "bundle").exists():
        print(f"\nNo average precision: there is no {run}/bundle (python benchmarks/reddit2013.py makes it).")
        return
    bundle, posts = load_bundle(run / "bundle"), load_split(run / "data" / "validation.parquet")
    manifest = bundle.manifest
    print(f"\n| {len(posts)} validation posts | " + " | ".join(t.name for t in manifest.taxonomy.targets) + " |")
    print("|---" * (1 + len(manifest.taxonomy.targets)) + "|")
    learnt = read_training_posts(run)
    for name, path in PATHS.items():
        if not is_there(path):
            continue
        engine = load_path(path, bundle.classifier, bundle.tokenizer, learnt)
        logits = run_engine(engine, bundle.tokenizer, posts["text"].tolist(), max_tokens=MAX_TOKENS).logits
        risks = compute_risk_scores(manifest.temperature.compute_probabilities(logits), manifest.taxonomy)
        values = [
            average_precision_score(posts["label"].isin(target.labels), risks[target.name])
            for target in manifest.taxonomy.targets
        ]
        print(f"| {name} | " + " | ".join(f"{value:.4f}" for value in values) + " |", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=96, help="evenly spaced over the test file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="processor: for one thread on a shared machine")
    parser.add_argument("--run", type=Path, default=Path("runs/reddit2013"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = CLOCKS[options.clock]
    texts = [clean_text(text) for text in pd.read_csv(POSTS)["text"]]
    texts = texts[:: max(1, len(texts) // options.posts)]
    compare(texts, read_training_posts(options.run) or texts, clock, options.rounds)
    print_average_precision(options.run)


def compare(texts: Sequence[str], learnt: Sequence[str], clock: Callable[[], float], n_rounds: int) -> None:
    """Let all contestants score the same texts in turn, and print rates, ratios and shares of the matrix limit."""
    from screening.models.classifier import RiskClassifier

    classifier, tokenizer = RiskClassifier.from_encoder(EMBEDDED_ENCODER, tuple("abcde"), max_tokens=MAX_TOKENS)
    contestants, precisions = make_peers(clock, texts), {}
    for words, path in PATHS.items():
        if is_there(path):
            name = f"ours, {words}"
            engine, precisions[name] = load_path(path, classifier, tokenizer, learnt), path[1]
            contestants[name] = partial(run_engine, engine, tokenizer, max_tokens=MAX_TOKENS, long_posts="cut")
    for run in contestants.values():
        run(texts[:8])
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    limits: dict[Precision, list[float]] = {precision: [] for precision in DTYPES}
    for _ in range(n_rounds):
        for name, run in contestants.items():
            seconds[name].append(measure(run, texts, clock))
        for precision, rates in limits.items():
            rates.append(measure_limit(precision, clock))
    lengths = np.array([len(ids) for ids in tokenize(tokenizer, texts, MAX_TOKENS)[0]])
    print_table(seconds, limits, precisions, lengths)
    share = measure(lambda posts: tokenize(tokenizer, posts, MAX_TOKENS), texts, clock) / min(
        map(min, seconds.values())
    )
    print(f"\nTokenising takes {share:.1%} of the fastest contestant's time.")


def print_table(
    seconds: dict[str, list[float]],
    limits: dict[Precision, list[float]],
    precisions: dict[str, Precision],
    lengths: np.ndarray,
) -> None:
    """Print one row per contestant; ratios are medians over rounds."""
    best = next(name for name in seconds if "its best" in name)
    gflop = count_gflop(lengths)
    hardware = describe_hardware()
    print(f"{len(lengths)} posts, {lengths.mean():.0f} tokens on average (at most {MAX_TOKENS}), {len(seconds[best])} "
          f"rounds; {hardware['cpu_model']}, AMX {hardware['amx']}, AVX512-BF16 {hardware['avx512_bf16']}, "
          f"{hardware['n_threads']} threads, torch {hardware['torch_version']}")  # fmt: skip
    print("Matrix limit: " + ", ".join(f"{name} {median(rates):.0f} GFLOP/s" for name, rates in limits.items()))
    print(
        "\n| | posts per second | beside the pipeline's best in fp32 | share of the matrix limit |\n|---|---|---|---|"
    )
    for name, taken in seconds.items():
        ratio = median(peer / own for peer, own in zip(seconds[best], taken, strict=True))
        rates = limits[precisions.get(name, "bf16" if "bf16" in name else "fp32")]
        share = median(gflop / own / limit for own, limit in zip(taken, rates, strict=True))
        of_limit = "" if "int8" in name else f"{share:.0%}"
        print(f"| {name} | {len(lengths) / median(taken):.1f} | {ratio:.2f} | {of_limit} |")


if __name__ == "__main__":
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.disable(logging.WARNING)  # the pipeline and sentence-transformers comment on their own loading
    warnings.simplefilter("ignore")
    main()
