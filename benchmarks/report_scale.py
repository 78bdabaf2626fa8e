"""How long a report of a million scored posts takes, and how much memory: a made run, in a fresh process.

The scores are made (Gaussian evidence for five classes) and mean nothing; only their number matters here. Prints the
seconds of `write_report` (on the wall, and of the processor: the same on an idle machine), the process's peak memory
with the tables loaded, and the size of the page.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from reports.render import write_report
from reports.results import Comparator, RunResults
from screening.calibration.temperature import TemperatureScaling
from screening.config import load_config
from screening.taxonomy import Taxonomy, load_taxonomy
from screening.thresholds.fitting import fit_operating_point
from screening.thresholds.operating_point import OperatingPoint
from screening.thresholds.triage import assign_triage

SHARES = np.array([0.13, 0.18, 0.14, 0.22, 0.33])
TEMPERATURE = TemperatureScaling(temperature=1.6, n_samples=10_000)
LIMIT_SECONDS, LIMIT_GIB = 60.0, 4.0


def make_scores(n: int, prefix: str, generator: np.random.Generator, *, signal: float) -> pd.DataFrame:
    """Make a score table the way the evaluate stage writes it: probabilities in single precision."""
    taxonomy = load_taxonomy("mh5")
    classes = generator.choice(SHARES.size, size=n, p=SHARES)
    evidence = generator.normal(size=(n, SHARES.size))
    evidence[np.arange(n), classes] += signal
    probabilities = TEMPERATURE.compute_probabilities(1.6 * (signal * evidence + np.log(SHARES)))
    columns = {"post_id": [f"{prefix}-{i}" for i in range(n)], "label": np.array(taxonomy.names)[classes]}
    columns |= {f"prob_{name}": probabilities[:, i].astype(np.float32) for i, name in enumerate(taxonomy.names)}
    for target in taxonomy.targets:
        risk = probabilities[:, taxonomy.target_indices(target)].sum(axis=1)
        columns[f"risk_{target.name}"] = risk.astype(np.float32).clip(0, 1)
    columns["n_tokens"] = generator.lognormal(4.2, 0.9, n).astype(int) + 3
    table = pd.DataFrame(columns)
    table["is_truncated"] = table["n_tokens"] > 256
    table["n_windows"] = 1
    table["community"] = generator.choice(["north", "south", "rare"], n, p=[0.6, 0.399_99, 0.000_01])
    table["created_at"] = pd.Timestamp("2012-01-01") + pd.to_timedelta(generator.integers(0, 1000, n), unit="D")
    return table


def fit_points(calibration: pd.DataFrame, taxonomy: Taxonomy) -> tuple[OperatingPoint, ...]:
    """Fit one operating point per target."""
    return tuple(
        fit_operating_point(
            target,
            calibration[f"risk_{target.name}"].to_numpy(),
            calibration["label"].isin(target.labels).to_numpy(),
            target_recall=0.95,
            confidence_level=0.95,
        )
        for target in taxonomy.targets
    )


def add_triage(scores: pd.DataFrame, points: tuple[OperatingPoint, ...]) -> pd.DataFrame:
    """Add the triage column."""
    return scores.assign(triage=assign_triage({p.name: scores[f"risk_{p.name}"].to_numpy() for p in points}, points))


def make_results(n_posts: int) -> RunResults:
    """Make a run with ``n_posts`` test posts, a tenth as many controls, 10,000 calibration posts and one comparator."""
    config = load_config(overrides=["data.source=reddit2013", "data.group_columns=[community]", "name=scale"])
    taxonomy, generator = load_taxonomy("mh5"), np.random.default_rng(13)
    calibration = make_scores(10_000, "calibration", generator, signal=2.2)
    weak = make_scores(10_000, "weak", generator, signal=1.2)
    points, weak_points = fit_points(calibration, taxonomy), fit_points(weak, taxonomy)
    test = add_triage(make_scores(n_posts, "test", generator, signal=2.2), points)
    controls = make_scores(n_posts // 10, "control", generator, signal=0.5).drop(columns="label")
    controls["control_kind"] = generator.choice(["plain", "emotional"], len(controls))
    others = make_scores(n_posts, "test", generator, signal=1.2).assign(label=test["label"])
    return RunResults(
        config=config,
        taxonomy=taxonomy,
        run_info={"run_id": "scale"},
        data_card={"source": "made", "is_synthetic": True},
        history=pd.DataFrame(),
        temperature=TEMPERATURE,
        operating_points=points,
        calibration=add_triage(calibration, points),
        test=test,
        controls=add_triage(controls, points),
        comparators={"other": Comparator("other scorer", add_triage(others, weak_points), None, weak_points)},
    )


def measure_peak_gib() -> float:
    """Read the process's peak resident memory; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)


def main() -> None:
    """Measure one report and print one row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=1_000_000)
    n_posts = parser.parse_args().posts
    results = make_results(n_posts)
    before, wall, cpu = measure_peak_gib(), time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        size = write_report(results, Path(folder) / "report").stat().st_size
    wall, cpu, peak = time.perf_counter() - wall, time.process_time() - cpu, measure_peak_gib()
    print("| test posts | wall, s | processor, s | peak memory before, GiB | peak memory, GiB | page, MB |")
    print("|---|---|---|---|---|---|")
    print(f"| {n_posts:,} | {wall:.1f} | {cpu:.1f} | {before:.2f} | {peak:.2f} | {size / 1e6:.2f} |")
    verdict = "kept" if wall < LIMIT_SECONDS and peak < LIMIT_GIB else "NOT kept"
    print(f"Limits for 1,000,000 posts: {LIMIT_SECONDS:.0f} s and {LIMIT_GIB:.0f} GiB: {verdict}")


if __name__ == "__main__":
    main()
