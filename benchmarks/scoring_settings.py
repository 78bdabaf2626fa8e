"""What threads, the size of a batch and tokenising ahead are worth, for every backend and precision.

    python benchmarks/scoring_settings.py --posts 96

The same posts, window and encoder throughout, and the settings of a row take turns. The last column compares the same
posts in the same four chunks, each tokenised while the one before is computed, with each tokenised before it is.
"""

import argparse
import logging
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from unittest.mock import patch

import pandas as pd
import torch
from scoring import MAX_TOKENS, PATHS, POSTS, is_there, load_path
from transformers.utils import logging as transformers_logging

from screening.data.cleaning import clean_text
from screening.inference import forward
from screening.inference.forward import run_engine
from screening.inference.look_ahead import map_ahead
from screening.inference.precision import describe_hardware
from screening.models.classifier import RiskClassifier
from screening.models.encoder import EMBEDDED_ENCODER

Score = Callable[..., object]
BUDGETS = (512, 2_048, 4_096, 8_192, 16_384)
N_CHUNKS = 4


def take_turns(contestants: Mapping[str, Score], texts: list[str], n_rounds: int) -> dict[str, list[float]]:
    """Let each contestant run over the texts once a round, after a few posts that do not count; seconds."""
    for run in contestants.values():
        run(texts[:8])
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(n_rounds):
        for name, run in contestants.items():
            started = time.perf_counter()
            run(texts)
            seconds[name].append(time.perf_counter() - started)
    return seconds


def run_in_chunks(score: Score, mapping: object, texts: list[str]) -> object:
    """Score in a few chunks, which ``mapping`` makes ready."""
    n_posts = -(-len(texts) // N_CHUNKS)
    with patch.object(forward, "POSTS_PER_CHUNK", n_posts), patch.object(forward, "map_ahead", mapping):
        return score(texts)


def measure_row(score: Score, texts: list[str], n_rounds: int) -> tuple[list[float], float]:
    """Measure posts a second per size of a batch, and the gain of tokenising ahead."""
    by_budget = {f"{budget}": partial(score, max_tokens_per_batch=budget) for budget in BUDGETS}
    rates = [len(texts) / median(seconds) for seconds in take_turns(by_budget, texts, n_rounds).values()]
    ways = {"before": partial(run_in_chunks, score, map), "ahead": partial(run_in_chunks, score, map_ahead)}
    seconds = take_turns(ways, texts, n_rounds)
    return rates, median(before / ahead for before, ahead in zip(seconds["before"], seconds["ahead"], strict=True))


def main() -> None:
    """Measure and print a row per path and number of threads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=96, help="evenly spaced over the test file")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    texts = [clean_text(text) for text in pd.read_csv(POSTS)["text"]]
    texts = texts[:: max(1, len(texts) // options.posts)]
    classifier, tokenizer = RiskClassifier.from_encoder(EMBEDDED_ENCODER, tuple("abcde"), max_tokens=MAX_TOKENS)
    hardware, most = describe_hardware(), torch.get_num_threads()
    print(f"{len(texts)} posts, medians of {options.rounds} rounds; {hardware['cpu_model']}, {most} cores\n")
    print("| path, threads | " + " | ".join(f"{budget:,}" for budget in BUDGETS) + " | tokenised ahead |")
    print("|---" * (2 + len(BUDGETS)) + "|")
    for name, path in PATHS.items():
        for n_threads in sorted({1, most}) if is_there(path) else ():
            torch.set_num_threads(n_threads)
            engine = load_path(path, classifier, tokenizer, texts)  # compiled for as many threads
            score = partial(run_engine, engine, tokenizer, max_tokens=MAX_TOKENS, long_posts="cut")
            rates, gain = measure_row(score, texts, options.rounds)
            print(
                f"| {name}, {n_threads} | " + " | ".join(f"{rate:.1f}" for rate in rates) + f" | {gain:.3f} |",
                flush=True,
            )
        torch.set_num_threads(most)


if __name__ == "__main__":
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    main()
