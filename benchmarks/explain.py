"""Explanations beside Captum used the plain documented way: posts a second, peak memory, and the same order of words.

    python benchmarks/explain.py                 # needs runs/reddit2013: python benchmarks/reddit2013.py makes it
    python benchmarks/explain.py --posts 4 --reference-steps 0

Flagged test posts, drawn with a seed. Ours and the peer work in a process each and take turns, post by post in another
order each time; both explain the same score of the same float32 classifier against the same mask baseline. The peer:
one post at a time, 50 Gauss-Legendre steps in one batch. The reference: the peer's method with many steps, untimed.
"""

import argparse
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SEED = 13
PLAIN_STEPS = 50
DELTA_LIMIT = 0.05


@dataclass(frozen=True)
class Measured:
    """One post explained: token weights, relative error of their sum, steps, wall and processor seconds."""

    weights: NDArray[np.float64]
    delta: float
    n_steps: int
    wall: float
    cpu: float


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/reddit2013"))
    parser.add_argument("--posts", type=int, default=8)
    parser.add_argument("--reference-steps", type=int, default=200, help="0 leaves the reference out")
    arguments = parser.parse_args()
    if not (arguments.run / "evaluation" / "test.parquet").is_file():
        parser.error(f"{arguments.run} holds no evaluated run; python benchmarks/reddit2013.py trains one")
    posts = choose_posts(arguments.run, arguments.posts)
    context = multiprocessing.get_context("spawn")
    workers = {name: start_worker(context, name, arguments.run, posts) for name in METHODS}
    results: dict[str, list[Measured]] = {name: [] for name in METHODS}
    for post in range(len(posts)):
        names = [name for name in METHODS if name != "reference" or arguments.reference_steps]
        for name in names if post % 2 else names[::-1]:
            results[name].append(ask(workers[name], (post, arguments.reference_steps)))
        spent = (f"{name} {results[name][-1].wall:.1f} s, {results[name][-1].cpu:.1f} s of processor" for name in names)
        print(f"post {post + 1} of {len(posts)}: {'; '.join(spent)}", file=sys.stderr)
    memory = {name: ask(worker, None) for name, worker in workers.items()}
    print_speed(results, memory)
    print_agreement(results)


def choose_posts(run: Path, n_posts: int) -> list[str]:
    """Draw ids of flagged test posts."""
    scores = pd.read_parquet(run / "evaluation" / "test.parquet", columns=["post_id", "triage"])
    flagged = scores.loc[scores["triage"] != "no_flag", "post_id"].astype(str).to_numpy()
    return [str(post_id) for post_id in np.random.default_rng(SEED).permutation(flagged)[:n_posts]]


def start_worker(context: Any, name: str, run: Path, posts: list[str]) -> Connection:
    """Start a process that explains posts by one method; it answers once the classifier is loaded."""
    here, there = context.Pipe()
    context.Process(target=work, args=(there, name, run, posts), daemon=True).start()
    ask_ready = here.recv()
    assert ask_ready == "ready"
    return here


def ask(worker: Connection, request: object) -> Any:
    """Wait for a worker's answer."""
    worker.send(request)
    return worker.recv()


def work(connection: Connection, name: str, run: Path, post_ids: list[str]) -> None:
    """Explain the posts asked for; the last request, None, is answered by the memory that explaining took, in GiB."""
    from screening.bundle import load_bundle
    from screening.explain.explanations import select_urgent_head
    from screening.explain.heads import build_score

    bundle = load_bundle(run / "bundle")
    taxonomy = bundle.manifest.taxonomy
    score = build_score(select_urgent_head(taxonomy), taxonomy, bundle.manifest.temperature.temperature)
    texts = pd.read_parquet(run / "data" / "test.parquet", columns=["post_id", "text"]).set_index("post_id")["text"]
    METHODS[name](bundle, score, "one post to warm up", 2)
    before = peak_memory()
    connection.send("ready")
    while (request := connection.recv()) is not None:
        post, reference_steps = request
        wall, cpu = time.perf_counter(), time.process_time()
        weights, delta, n_steps = METHODS[name](bundle, score, texts[post_ids[post]], reference_steps)
        spent = time.perf_counter() - wall, time.process_time() - cpu
        connection.send(Measured(weights, delta, n_steps, *spent))
    connection.send(peak_memory() - before)


def peak_memory() -> float:
    """Return the most memory this process has held so far, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def explain_ours(bundle: Any, score: Any, text: str, _: int) -> tuple[NDArray[np.float64], float, int]:
    """Explain one post with the toolkit, as its defaults are."""
    from screening.explain.attribution import attribute_tokens

    manifest = bundle.manifest
    (found,) = attribute_tokens(
        bundle.classifier, bundle.tokenizer, [text], score, max_tokens=manifest.max_tokens, long_posts="cut"
    )
    return found.weights, found.delta_relative, found.n_steps


def explain_plainly(
    bundle: Any, score: Any, text: str, _: int, *, n_steps: int = PLAIN_STEPS, **options: Any
) -> tuple[NDArray[np.float64], float, int]:
    """Explain one post with LayerIntegratedGradients the way its documentation shows."""
    import torch
    from captum.attr import LayerIntegratedGradients

    from screening.explain.paths import build_baseline

    def forward(input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = score(classifier(input_ids=input_ids, attention_mask=attention_mask))
        return output

    classifier = bundle.classifier.eval()
    encoded = bundle.tokenizer(text, truncation=True, max_length=bundle.manifest.max_tokens, return_tensors="pt")
    input_ids, attention_mask = encoded["input_ids"], encoded["attention_mask"]
    baseline = build_baseline(input_ids, bundle.tokenizer)
    by_dimension, delta = LayerIntegratedGradients(forward, classifier.get_input_embeddings()).attribute(
        input_ids,
        baselines=baseline,
        additional_forward_args=(attention_mask,),
        n_steps=n_steps,
        return_convergence_delta=True,
        **options,
    )
    weights = by_dimension.sum(dim=-1)[0].detach().double().numpy()
    change = abs(float(weights.sum()) - float(delta))  # Captum's delta is the sum less the change of score
    return weights, abs(float(delta)) / change, n_steps


def explain_long(bundle: Any, score: Any, text: str, n_steps: int) -> tuple[NDArray[np.float64], float, int]:
    """Explain one post with many steps, a few at a time."""
    return explain_plainly(bundle, score, text, n_steps, n_steps=n_steps, internal_batch_size=4)


def preview(bundle: Any, score: Any, text: str, _: int) -> tuple[NDArray[np.float64], float, int]:
    """Preview one post; batches of posts are faster still."""
    from screening.explain.preview import preview_tokens

    (found,) = preview_tokens(
        bundle.classifier, bundle.tokenizer, [text], score, max_tokens=bundle.manifest.max_tokens, long_posts="cut"
    )
    return found.weights, float("nan"), 1


METHODS: dict[str, Callable[..., tuple[NDArray[np.float64], float, int]]] = {
    "ours": explain_ours,
    "captum, plain": explain_plainly,
    "preview": preview,
    "reference": explain_long,
}


def print_speed(results: dict[str, list[Measured]], memory: dict[str, float]) -> None:
    """Print speed, memory and errors of each timed method, as Markdown."""
    n_tokens = [len(found.weights) for found in results["ours"]]
    print(f"{len(n_tokens)} flagged posts of {min(n_tokens)} to {max(n_tokens)} tokens, mean {np.mean(n_tokens):.0f}\n")
    print("| | posts a second | processor s a post | steps, mean | within 5 % | memory beyond the model, GiB |")
    print("|---|---|---|---|---|---|")
    for name in ("ours", "captum, plain", "preview"):
        found = results[name]
        wall, cpu = (sum(getattr(post, kind) for post in found) for kind in ("wall", "cpu"))
        within = "-" if name == "preview" else f"{sum(post.delta <= DELTA_LIMIT for post in found)} of {len(found)}"
        steps = np.mean([post.n_steps for post in found])
        speed = f"{len(found) / wall:.2f} | {cpu / len(found):.2f}"
        print(f"| {name} | {speed} | {steps:.1f} | {within} | {memory[name]:.2f} |")
    for kind in ("wall", "cpu"):
        ratios = [
            getattr(theirs, kind) / getattr(ours, kind)
            for ours, theirs in zip(results["ours"], results["captum, plain"], strict=True)
        ]
        total = sum(getattr(post, kind) for post in results["captum, plain"])
        total /= sum(getattr(post, kind) for post in results["ours"])
        print(f"\n{kind} time, plain over ours: {total:.1f} in all; per post {min(ratios):.1f} to {max(ratios):.1f}")


def print_agreement(results: dict[str, list[Measured]]) -> None:
    """Print Spearman's correlation of token weights, per post, as Markdown."""
    print("\n| rank correlation of token weights, per post | mean | worst |\n|---|---|---|")
    pairs = [("ours", "captum, plain"), ("ours", "reference"), ("captum, plain", "reference"), ("preview", "reference")]
    for first, second in pairs:
        if results[first] and results[second]:
            values = [correlate(a, b) for a, b in zip(results[first], results[second], strict=True)]
            print(f"| {first} with {second} | {np.mean(values):.4f} | {min(values):.4f} |")


def correlate(first: Measured, second: Measured) -> float:
    """Spearman's correlation over the post's tokens, without the special ones at both ends."""
    from scipy.stats import spearmanr

    return float(spearmanr(first.weights[1:-1], second.weights[1:-1]).statistic)


if __name__ == "__main__":
    main()
