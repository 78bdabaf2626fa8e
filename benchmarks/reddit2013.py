"""The classifier beside TF-IDF + logistic regression on the open Reddit posts: one run, one table.

    python benchmarks/reddit2013.py     # trains first if need be: an hour on 2 cores
    python benchmarks/reddit2013.py --set training.epochs=2 --set name=short

Both scorers see the same training posts, are calibrated on the same posts with the same promise, and are read once on
the same test posts and controls.
"""

import argparse
from dataclasses import replace
from typing import Any

from rich.console import Console

from pipelines.run import STAGES, RunContext, run_stages
from pipelines.run_results import BASELINE_NAME, load_results
from reports.results import RunResults
from reports.sections.classification import build_comparison, build_per_class, build_summary
from reports.sections.cost import build_alerts
from reports.sections.recall import build_performance
from screening.config import load_config
from screening.taxonomy import load_taxonomy


def collect_rows(results: RunResults) -> dict[str, str]:
    """Collect the figures of one scorer by name, each with its 95 % interval."""
    rows: dict[str, str] = {}
    for row in build_summary(results).frame.to_dict("records"):
        rows[str(row["metric_words"])] = write(row, "value")
    for row in build_per_class(results).frame.to_dict("records"):
        rows[f"Recall of {row['label']} (most probable class)"] = write(row, "recall")
    for row in build_performance(results).frame.to_dict("records"):
        rows[f"Recall at the {row['target']} threshold"] = write(row, "recall")
        rows[f"Precision at the {row['target']} threshold"] = write(row, "ppv")
    for row in build_alerts(results).frame.to_dict("records"):
        rows[f"Alerts per 1,000 for {row['target']}, {row['posts']}"] = write(row, "alerts_per_1000", 0)
    return rows


def write(row: dict[Any, Any], name: str, digits: int = 3) -> str:
    """Write a value with its interval, which stands under ``low`` and ``high`` in long tables."""
    low, high = ("low", "high") if name == "value" else (f"{name}_low", f"{name}_high")
    return f"{row[name]:.{digits}f} ({row[low]:.{digits}f}–{row[high]:.{digits}f})"


def main() -> None:
    """Run what is missing, then print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="pipelines/configs/reddit2013.yaml")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    arguments = parser.parse_args()
    config = load_config(arguments.config, arguments.overrides)
    console = Console(stderr=True)
    folder = run_stages(config, tuple(stage.name for stage in STAGES), console)
    results = load_results(RunContext(config, load_taxonomy(config.data.taxonomy), folder, console))
    other = results.comparators[BASELINE_NAME]
    baseline = replace(
        results, test=other.test, controls=other.controls, operating_points=other.operating_points, comparators={}
    )
    ours, theirs = collect_rows(results), collect_rows(baseline)
    print(f"Test posts: {len(results.test):,}; 95 % intervals in brackets.\n")
    print(f"| | {config.model.encoder}, as configured | {BASELINE_NAME} |\n|---|---|---|")
    for name, value in ours.items():
        print(f"| {name} | {value} | {theirs[name]} |")
    print()
    for row in build_comparison(results).frame.to_dict("records"):
        print(f"{row['metric_words']}, difference on the same posts: {write(row, 'difference')}")


if __name__ == "__main__":
    main()
