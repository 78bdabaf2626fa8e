"""How much memory a scoring job takes, by the number of posts: against reading the whole file first.

Short made posts in one Parquet file, and a screener that only counts characters, so that what is measured is the job
around the model: reading, checking, cleaning, ids, parts on the disk. A real model adds its own memory, which does not
grow with the number of posts. Each line is a process of its own.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.scoring.job import ScoreOptions, score_posts
from screening.bundle import MANIFEST, BundleManifest
from screening.calibration.temperature import TemperatureScaling
from screening.data.cleaning import clean_text
from screening.data.sources import read_posts_file
from screening.taxonomy import load_taxonomy

LIMIT_GIB = 3.0
GOAL_ROWS = 10_000_000
BLOCK_ROWS = 50_000


class CountingScreener:
    """Stands in for a model: its scores are lengths of texts."""

    def score(self, texts: Sequence[str], post_ids: Sequence[str], on_progress: Any = None) -> pd.DataFrame:
        """Make a score table with as many columns as a real one."""
        lengths = np.array([len(text) for text in texts], dtype=float)
        numbers = {f"prob_{i}": lengths / (i + 1_000) for i in range(9)}
        columns = {"post_id": pd.Series(list(post_ids), dtype="str"), **numbers, "n_tokens": lengths.astype(int)}
        return pd.DataFrame(columns).assign(triage="no_flag", is_truncated=False)


def write_posts(path: Path, n_rows: int) -> None:
    """Write made posts of 20 to 40 words, a block at a time."""
    rng = np.random.default_rng(5)
    words = np.array([f"word{i}" for i in range(2_000)])
    writer = None
    for start in range(0, n_rows, BLOCK_ROWS):
        counts = rng.integers(20, 40, size=min(BLOCK_ROWS, n_rows - start))
        texts = [" ".join(words[rng.integers(0, 2_000, size=count)]) for count in counts]
        ids = [f"made-{start + i:09d}" for i in range(len(texts))]
        block = pa.table({"post_id": ids, "text": texts})
        writer = writer or pq.ParquetWriter(path, block.schema)
        writer.write_table(block)
    assert writer is not None
    writer.close()


def write_bundle(folder: Path) -> None:
    """Write the manifest of a bundle without a model."""
    folder.mkdir()
    manifest = BundleManifest(
        name="made", created_at=datetime(2026, 1, 1, tzinfo=UTC), run_id="0" * 12, encoder="none", max_tokens=256,
        precision="fp32", is_synthetic=True, taxonomy=load_taxonomy("mh5"),
        temperature=TemperatureScaling(temperature=1.0, n_samples=1), operating_points=(),
    )  # fmt: skip
    (folder / MANIFEST).write_text(manifest.model_dump_json(), encoding="utf-8")


def measure(system: str, n_rows: int) -> None:
    """Do the work of one line in this process and print it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "posts.parquet"
        command = [sys.executable, __file__, "--make", str(path), "--rows", str(n_rows)]
        subprocess.run(command, check=True)  # noqa: S603  # this file itself
        write_bundle(folder / "bundle")
        started = time.monotonic()
        if system == "job":
            options = ScoreOptions(progress=False)
            score_posts([path], folder / "bundle", folder / "out", options, load_screener=lambda _: CountingScreener())  # type: ignore[arg-type,return-value]  # all the job asks of a screener
        else:
            posts = read_posts_file(path, text_column="text")
            CountingScreener().score(posts["text"].map(clean_text).tolist(), posts["post_id"].tolist())
        seconds = time.monotonic() - started
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
        sys.stdout.write(f"{system} {n_rows} {peak_mib:.1f} {seconds:.1f}\n")


def run(system: str, n_rows: int) -> tuple[float, float]:
    """Measure one line in a fresh process: peak memory in MiB, and seconds."""
    command = [sys.executable, __file__, "--system", system, "--rows", str(n_rows)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # this file itself
    _, _, peak_mib, seconds = done.stdout.split()
    return float(peak_mib), float(seconds)


def main() -> int:
    """Print the table; exit 1 if ten million posts would take more than 3 GiB."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=400_000, help="posts of the largest job measured")
    parser.add_argument("--system", choices=("job", "whole"), help=argparse.SUPPRESS)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.make:
        write_posts(asked.make, asked.rows)
        return 0
    if asked.system:
        measure(asked.system, asked.rows)
        return 0
    print(f"{'':28}{'posts':>10} {'peak MiB':>9} {'posts/s':>9}")
    peaks = {}
    for n_rows in (asked.rows // 4, asked.rows // 2, asked.rows):
        peaks[n_rows], seconds = run("job", n_rows)
        print(f"{'the job':28}{n_rows:>10,} {peaks[n_rows]:>9,.0f} {n_rows / seconds:>9,.0f}")
    whole, seconds = run("whole", asked.rows // 4)
    print(f"{'the whole file, then scores':28}{asked.rows // 4:>10,} {whole:>9,.0f} {asked.rows // 4 / seconds:>9,.0f}")
    slope = (peaks[asked.rows] - peaks[asked.rows // 4]) / (asked.rows * 3 / 4)
    goal = peaks[asked.rows] + slope * (GOAL_ROWS - asked.rows)
    print(f"each post more takes {slope * 2**20:.0f} bytes; a line drawn on to {GOAL_ROWS:,} posts: {goal:,.0f} MiB")
    return int(goal > LIMIT_GIB * 1_024)


if __name__ == "__main__":
    raise SystemExit(main())
