"""A first stage in front of the encoder on a stream of mostly harmless posts: speed, and what it costs in recall.

    python benchmarks/cascade.py     # needs runs/reddit2013 (benchmarks/reddit2013.py makes it); minutes on 2 cores

The encoder's scores of calibration, test and control posts are those of the run. The first stage is fitted anew, on the
run's training posts and half of its controls, and calibrated together with the encoder on the calibration posts.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from pipelines.artifacts import RunFolder
from pipelines.calibrating.cascade import FirstStage, fit_first_stage, load_counted_controls
from pipelines.run import RunContext
from screening.bundle import compute_version
from screening.config import RunConfig, load_config
from screening.data.preparation import load_split
from screening.exceptions import RecallNotReachableError
from screening.inference.precision import SCORE_TOLERANCE
from screening.scoring import Screener
from screening.taxonomy import load_taxonomy
from screening.thresholds.cascade import combine_risks, count_losses, require_read_posts
from screening.thresholds.promises import Promises, fit_promises

LOST = (0.0, 0.0025, 0.005, 0.01, 0.02, 0.03)
STREAMS = {"communities it never saw": "subreddit", "the stream it learnt from": None}
PREVALENCE = 0.01
HF_BATCHES = (1, 8, 32)


def make_context(run: Path, column: str | None, lost: float) -> RunContext:
    """Open a finished run as if its cascade were on."""
    settings = {"is_on": True, "control_group_column": column, "max_lost_fraction": lost}
    config = load_config(
        run / "config.yaml", [f"cascade.{name}={value}" for name, value in settings.items() if value is not None]
    )
    config = RunConfig.model_validate({**config.model_dump(), "output_dir": run.parent, "name": run.name})
    return RunContext(config, load_taxonomy(config.data.taxonomy), RunFolder(run), Console(quiet=True))


def read_risks(context: RunContext, path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read the encoder's stored scores, and its risk scores by target."""
    table = pd.read_parquet(path)
    return table, {target.name: table[f"risk_{target.name}"].to_numpy() for target in context.taxonomy.targets}


def calibrate(context: RunContext, first_stage: FirstStage | None) -> Promises:
    """Fit the run's promise on the stored calibration scores, with or without the first stage."""
    table, risks = read_risks(context, context.folder.calibration / "calibration.parquet")
    labels, targets = table["label"].to_numpy(), context.taxonomy.targets
    is_read = find_read(first_stage, load_split(context.folder.split("calibration"))["text"].tolist())
    tolerance = SCORE_TOLERANCE["bf16"]
    promises = fit_promises(
        targets, combine_risks(risks, is_read), labels, context.config.calibration, score_tolerance=tolerance
    )
    require_read_posts(promises.operating_points, count_losses(is_read, labels, targets))
    return promises


def find_read(first_stage: FirstStage | None, texts: list[str]) -> Any:
    """Find the posts the encoder reads."""
    if first_stage is None:
        return np.ones(len(texts), dtype=bool)
    return first_stage.threshold.read(first_stage.gate.compute_scores(texts))


def measure_quality(context: RunContext, first_stage: FirstStage | None) -> list[dict[str, object]]:
    """Measure share cleared, recall and alerts at the promise, one row per target."""
    counted = load_counted_controls(context)
    texts = {"test": load_split(context.folder.split("test"))["text"], "controls": counted["text"]}
    is_read = {name: find_read(first_stage, part.tolist()) for name, part in texts.items()}
    shares = {
        kind: 1 - is_read["controls"][(counted["control_kind"] == kind).to_numpy()].mean()
        for kind in sorted(counted["control_kind"].unique())
    }
    cleared = ", ".join(f"{kind.removeprefix('control_')} {share:.1%}" for kind, share in shares.items())
    try:
        points = {point.name: point for point in calibrate(context, first_stage).operating_points}
    except RecallNotReachableError as error:
        refused = "; ".join(line for line in str(error).splitlines() if line.startswith("risk target"))
        return [{"target": "all", "controls cleared": cleared, "recall": f"refused: {refused}"}]
    rows = []
    test, test_risks = read_risks(context, context.folder.evaluation / "test.parquet")
    if set(test["model_version"]) != {compute_version(context.folder.bundle)}:
        message = "the run was calibrated again and not evaluated since; run first: screening evaluate"
        raise SystemExit(message)
    controls, _ = read_risks(context, context.folder.evaluation / "controls.parquet")
    controls = controls.set_index("post_id").loc[counted["post_id"]]
    for target in context.taxonomy.targets:
        on_test = points[target.name].flag(combine_risks(test_risks, is_read["test"])[target.name])
        scores = np.where(is_read["controls"], controls[f"risk_{target.name}"], 0.0)
        positive = test["label"].isin(target.labels).to_numpy()
        lost = int((positive & ~is_read["test"]).sum())
        rows.append(
            {
                "target": target.name,
                "controls cleared": cleared,
                "recall": f"{(on_test & positive).sum()}/{positive.sum()} = {on_test[positive].mean():.3f}",
                "lost by the first stage": lost,
                "precision": f"{positive[on_test].mean():.3f}",
                "alerts per 1,000, test": f"{1_000 * on_test.mean():.0f}",
                "alerts per 1,000, controls": f"{1_000 * points[target.name].flag(scores).mean():.0f}",
            }
        )
    return rows


def build_stream(context: RunContext, n_posts: int) -> list[str]:
    """Draw a stream with 1 % risk posts of the test split among counted controls."""
    rng = np.random.default_rng(7)
    test, controls = load_split(context.folder.split("test")), load_counted_controls(context)
    risky = {label for target in context.taxonomy.targets for label in target.labels}
    n_risk = round(PREVALENCE * n_posts)
    chosen = [*test.loc[test["label"].isin(risky), "text"].sample(n_risk, random_state=rng)]
    chosen += [*controls["text"].sample(n_posts - n_risk, random_state=rng)]
    return [chosen[i] for i in rng.permutation(n_posts)]


def build_scorers(context: RunContext, first_stage: FirstStage) -> dict[str, Callable[[Sequence[str]], object]]:
    """Build what is timed: the cascade, its encoder alone, the gate, and the pipeline of transformers."""
    alone = Screener.load(context.folder.bundle)
    bundle = alone.bundle
    update = {
        "first_stage": first_stage.threshold,
        "operating_points": calibrate(context, first_stage).operating_points,
    }
    cascade = replace(bundle, gate=first_stage.gate, manifest=bundle.manifest.model_copy(update=update))
    return {
        "cascade": replace(alone, bundle=cascade).score,
        "encoder alone": alone.score,
        "first stage": first_stage.gate.compute_scores,
        **{f"HF pipeline, batch {size}": build_pipeline(bundle, size) for size in HF_BATCHES},
    }


def build_pipeline(bundle: Any, batch_size: int) -> Callable[[Sequence[str]], object]:
    """Build ``pipeline("text-classification")`` with the same encoder; its head is random, which costs the same."""
    from transformers import BertForSequenceClassification, pipeline

    model = BertForSequenceClassification(bundle.classifier.encoder.config)
    classify = pipeline("text-classification", model=model.eval(), tokenizer=bundle.tokenizer, device=-1)
    longest = bundle.manifest.max_tokens
    return lambda texts: classify(list(texts), batch_size=batch_size, truncation=True, max_length=longest)


def time_scorers(
    scorers: dict[str, Callable[[Sequence[str]], object]], stream: list[str], rounds: int, n_slow: int
) -> pd.DataFrame:
    """Time all scorers in turns on the same posts (the pipeline on the first of them); seconds per 1,000 posts."""
    rows = []
    for turn in range(rounds + 1):
        for name, score in scorers.items():
            posts = stream[:n_slow] if name.startswith("HF") else stream
            posts = posts[:20] if turn == 0 else posts  # the first turn warms up
            started = time.perf_counter()
            score(posts)
            rows.append({"turn": turn, "scorer": name, "seconds": 1_000 * (time.perf_counter() - started) / len(posts)})
    table = pd.DataFrame(rows)
    return table[table["turn"] > 0].pivot(index="turn", columns="scorer", values="seconds")[list(scorers)]


def print_table(rows: list[dict[str, object]]) -> None:
    """Print rows as Markdown; a key a row does not have stays empty."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    print("| " + " | ".join(keys) + " |\n|" + "---|" * len(keys))
    for row in rows:
        print("| " + " | ".join(str(row.get(key, "")) for key in keys) + " |")
    print(flush=True)


def print_speed(name: str, context: RunContext, arguments: argparse.Namespace) -> None:
    """Time one stream and print posts per second, with ratios inside each turn."""
    first_stage = fit_first_stage(context)
    assert first_stage is not None
    stream = build_stream(context, arguments.posts)
    seconds = time_scorers(build_scorers(context, first_stage), stream, arguments.rounds, arguments.slow)
    slow = [column for column in seconds if column.startswith("HF")]
    best = seconds[slow].median().idxmin()
    share = find_read(first_stage, stream).mean()
    print(f"{name}: {len(stream):,} posts, 1 % risk; the encoder reads {share:.1%}; best HF setting: {best}\n")
    print_table(
        [
            {
                "scorer": column,
                "posts per second (median)": f"{1_000 / seconds[column].median():.0f}",
                "times the HF pipeline (range)": f"{(ratio := seconds[best] / seconds[column]).median():.1f} "
                f"({ratio.min():.1f} to {ratio.max():.1f})",
                "times the encoder alone": f"{(seconds['encoder alone'] / seconds[column]).median():.2f}",
            }
            for column in seconds
        ]
    )


def main() -> None:
    """Print the curve for both kinds of stream, then the speed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/reddit2013"))
    parser.add_argument("--posts", type=int, default=1_000, help="posts of the timed stream")
    parser.add_argument("--slow", type=int, default=100, help="posts the pipeline of transformers is timed on")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lost", type=float, default=0.005, help="cascade.max_lost_fraction of the timed cascade")
    parser.add_argument("--skip-speed", action="store_true")
    arguments = parser.parse_args()
    for name, column in STREAMS.items():
        rows: list[dict[str, object]] = []
        alone = make_context(arguments.run, column, 0.0)
        rows += [{"may lose": "encoder alone", **row} for row in measure_quality(alone, None)]
        for lost in LOST:
            context = make_context(arguments.run, column, lost)
            rows += [{"may lose": lost, **row} for row in measure_quality(context, fit_first_stage(context))]
        print(f"## Controls: {name} ({len(load_counted_controls(alone)):,} counted)\n")
        print_table(rows)
        if not arguments.skip_speed:
            print_speed(name, make_context(arguments.run, column, arguments.lost), arguments)


if __name__ == "__main__":
    main()
