"""The commands ``screening audit plan | sample | estimate | drift``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from screening.exceptions import ConfigError

EXIT_ALARM = 3
NEAR_SHARE = 0.1  # equals screening.audit.sampling.NEAR_SHARE, whose import would slow `screening --help`

app = typer.Typer(
    help="Find out whether recall still holds where the screener runs: read a random sample of unflagged posts.",
    no_args_is_help=True,
)

RunOption = Annotated[Path | None, typer.Option("--run", "-r", help="Run folder, e.g. runs/demo.")]
BundleOption = Annotated[Path | None, typer.Option("--bundle", "-b", help="Bundle folder, instead of --run.")]
TargetOption = Annotated[str, typer.Option("--target", "-t", help="Risk target, e.g. suicidewatch.")]
NearOption = Annotated[
    float, typer.Option(min=0, max=0.9, help="Share of the reading for the posts nearest to the threshold, all read.")
]
OutOption = Annotated[Path | None, typer.Option("--out", "-o", help="Also write the result as JSON to a new file.")]
ScoresArgument = Annotated[Path, typer.Argument(help="Score table that `screening score` wrote.")]


class MissingDecisions(StrEnum):
    """What to do with sampled posts that have no clear decision."""

    WORST = "worst"
    REFUSE = "refuse"


@app.command()
def plan(  # noqa: PLR0913  # every parameter is an option of the command
    posts: Annotated[int, typer.Option(min=2, help="Posts of the period to audit.")],
    *,
    flagged: Annotated[int | None, typer.Option(min=1, help="How many of them are flagged.")] = None,
    ppv: Annotated[float | None, typer.Option(help="Share of flagged posts that are positive, 0 to 1.")] = None,
    run: RunOption = None,
    bundle: BundleOption = None,
    target: Annotated[str, typer.Option("--target", "-t", help="Risk target; needed with --run or --bundle.")] = "",
    prevalence: Annotated[float | None, typer.Option(help="Share of positives among posts; with --run.")] = None,
    target_recall: Annotated[float | None, typer.Option(help="Recall to show; default: as promised, else .95.")] = None,
    confidence: Annotated[float | None, typer.Option(help="Confidence; default: as promised, else .95.")] = None,
    expected_recall: Annotated[float | None, typer.Option(help="Recall you believe in; for the chance column.")] = None,
    near_share: NearOption = NEAR_SHARE,
) -> None:
    """Say how many unflagged posts must be read to show that recall reaches its target.

    From your own figures: --posts --flagged --ppv, and --bundle --target for what that promises. From a run's test
    split: --posts --run --target --prevalence.
    """
    from pipelines.audit.planning import PlanRequest, plan_period
    from pipelines.audit.words import describe_outlook, describe_plan

    request = PlanRequest(
        n_posts=posts, n_flagged=flagged, ppv=ppv, run_folder=run, bundle_folder=bundle, target=target,
        prevalence=prevalence,
        target_recall=target_recall, confidence_level=confidence, expected_recall=expected_recall,
        near_share=near_share,
    )  # fmt: skip
    outlook, done = plan_period(request)
    for line in ([describe_outlook(outlook)] if outlook else []) + describe_plan(done):
        typer.echo(line)


@app.command()
def sample(  # noqa: PLR0913  # every parameter is an option of the command
    scores: ScoresArgument,
    target: TargetOption,
    n: Annotated[int, typer.Option("--n", min=1, help="Unflagged posts to read; see `screening audit plan`.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New file: .csv, .jsonl or .parquet.")],
    *,
    run: RunOption = None,
    bundle: BundleOption = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same posts.")] = 13,
    near_share: NearOption = NEAR_SHARE,
    n_flagged: Annotated[
        int | None, typer.Option(min=1, help="Flagged posts to read, drawn at random; default: all of them.")
    ] = None,
) -> None:
    """Draw the posts to read: ids, stratum and inclusion probability; no text. A manifest is written beside it."""
    from pipelines.audit.auditing import draw_sample
    from pipelines.audit.files import locate_manifest
    from pipelines.audit.score_tables import read_promise

    done = draw_sample(
        scores, out, read_promise(run, bundle), target, n,
        seed=seed, near_share=near_share, n_flagged_to_read=n_flagged,
    )  # fmt: skip
    for stratum in (*done.strata, done.flagged):
        typer.echo(f"{stratum.name}: {stratum.n_sampled:,} of {stratum.n_posts:,} posts to read")
    typer.echo(
        "give readers the ids alone, stratum and score would lead them; or let them read in the reviewer app: "
        "screening review import … --sample"
    )
    typer.echo(f"sample: {out}\nmanifest: {locate_manifest(out)}")


@app.command()
def estimate(
    sample: Annotated[Path, typer.Argument(help="Sample that `screening audit sample` wrote.")],
    decisions: Annotated[Path, typer.Option(help="Decisions on the sampled unflagged posts.")],
    flagged_decisions: Annotated[Path, typer.Option(help="Decisions on the flagged posts; may be the same file.")],
    *,
    missing: Annotated[
        MissingDecisions, typer.Option(help="Posts without a clear decision: worst case, or refuse.")
    ] = MissingDecisions.WORST,
    decision_column: Annotated[str | None, typer.Option(help="Column with the decision.")] = None,
    out: OutOption = None,
) -> None:
    """Estimate recall from the decisions; exit code 3 where the promise is contradicted."""
    from pipelines.audit.auditing import estimate_recall
    from pipelines.audit.words import describe_outcome

    _validate_new(out)
    done = estimate_recall(sample, decisions, flagged_decisions, missing=missing.value, column=decision_column)
    for line in describe_outcome(done):
        typer.echo(line)
    _write_result(out, done.model_dump(mode="json"))
    if done.estimate.verdict == "contradicted":
        raise typer.Exit(EXIT_ALARM)


@app.command()
def drift(
    scores: ScoresArgument,
    *,
    run: RunOption = None,
    bundle: BundleOption = None,
    reference: Annotated[
        Path | None, typer.Option(help="Earlier score table to compare with, instead of the run's own posts.")
    ] = None,
    out: OutOption = None,
) -> None:
    """Compare new scores with those the promise was made on; exit code 3 where posts are of a kind never seen."""
    from pipelines.audit.auditing import check_drift
    from pipelines.audit.score_tables import read_promise
    from pipelines.audit.words import describe_drift

    _validate_new(out)
    done = check_drift(scores, read_promise(run, bundle), run_folder=run, reference_path=reference)
    for line in describe_drift(done):
        typer.echo(line)
    _write_result(out, done.model_dump(mode="json") | {"sentence": done.sentence})
    if done.state == "broken":
        raise typer.Exit(EXIT_ALARM)


def _validate_new(out: Path | None) -> None:
    if out is not None and out.exists():
        message = f"{out} exists already; name another output"
        raise ConfigError(message)


def _write_result(out: Path | None, content: dict[str, object]) -> None:
    if out is not None:
        from pipelines.artifacts import write_json

        write_json(out, content)
        typer.echo(f"result: {out}")
