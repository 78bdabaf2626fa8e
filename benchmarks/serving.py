"""How long a post waits for its score over HTTP: one client and several at once, and the largest request allowed.

    PYTHONPATH=. python benchmarks/serving.py     # needs runs/reddit2013 (benchmarks/reddit2013.py makes it)

A server of its own process (``mlflow models serve``), the posts of the test split one by one. The floor is the screener
called in a process without a server: what lies between is HTTP, JSON, checks and waiting for the others.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from pipelines.serving.registered_model import export_screener
from screening.data.preparation import load_split
from screening.scoring import Screener
from tests.integration.served_model import Server, serve

MAX_CHARACTERS, MAX_REQUEST_CHARACTERS = 40_000, 400_000
COLUMNS = ("one post a request", "n", "median, ms", "p95, ms", "p99, ms", "posts a second")


def ask(server: Server, texts: list[str]) -> float:
    """Send posts in one request; seconds."""
    posts = [{"text": text} for text in texts]
    started = time.perf_counter()
    status, answer = server.score(posts)
    seconds = time.perf_counter() - started
    assert status == 200, answer["message"]
    assert len(answer["predictions"]) == len(texts)
    return seconds


def measure_clients(server: Server, posts: list[str], n_clients: int) -> list[str]:
    """Let several clients send one post each at a time, the next as soon as the answer is there."""
    started = time.perf_counter()
    with ThreadPoolExecutor(n_clients) as clients:
        seconds = list(clients.map(lambda text: ask(server, [text]), posts))
    return summarise(f"server, {n_clients} at once", seconds, time.perf_counter() - started)


def measure_floor(screener: Screener, posts: list[str]) -> list[str]:
    """Score posts one by one without a server."""
    seconds = []
    for text in posts:
        started = time.perf_counter()
        screener.score([text])
        seconds.append(time.perf_counter() - started)
    return summarise("no server", seconds, sum(seconds))


def summarise(name: str, seconds: list[float], wall: float) -> list[str]:
    """Summarise waiting times as a row of the table."""
    p50, p95, p99 = np.quantile(seconds, (0.5, 0.95, 0.99)) * 1_000
    return [name, str(len(seconds)), f"{p50:.0f}", f"{p95:.0f}", f"{p99:.0f}", f"{len(seconds) / wall:.1f}"]


def print_row(cells: Iterable[str]) -> None:
    """Print a row of a Markdown table."""
    print("| " + " | ".join(cells) + " |")


def measure_largest(server: Server, posts: list[str]) -> None:
    """Time the largest requests the limits allow: one longest post, and a full request of such posts."""
    longest = " ".join(posts)[:MAX_CHARACTERS]
    for texts in ([longest], [longest] * (MAX_REQUEST_CHARACTERS // MAX_CHARACTERS)):
        n_characters = sum(map(len, texts))
        print(f"\n{len(texts)} posts, {n_characters:,} characters in one request: {ask(server, texts):.1f} s")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/reddit2013"))
    parser.add_argument("--posts", type=int, default=200, help="drawn from the test split")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4])
    options = parser.parse_args()
    posts = load_split(options.run / "data" / "test.parquet")["text"].sample(options.posts, random_state=3).tolist()
    words = statistics.mean(len(text.split()) for text in posts)
    with tempfile.TemporaryDirectory() as folder:
        export_screener(options.run / "bundle", Path(folder) / "screener")
        screener = Screener.load(options.run / "bundle")
        screener.score(posts[:8])  # warm up
        rows = [measure_floor(screener, posts)]
        threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
        with serve(Path(folder) / "screener", Path(folder) / "server.log", **threads) as server:
            ask(server, posts[:8])  # warm up
            rows += [measure_clients(server, posts, n_clients) for n_clients in options.clients]
            print(f"{len(posts)} posts of {words:.0f} words on average\n")
            for row in (COLUMNS, ["---"] * len(COLUMNS), *rows):
                print_row(row)
            measure_largest(server, posts)


if __name__ == "__main__":
    main()
