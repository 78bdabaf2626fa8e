"""The commands ``screening plan | validate | recalibrate``: what a recall promise needs, and posts of one's own."""

from pathlib import Path
from typing import Annotated

import typer

from screening.exceptions import ConfigError

EXIT_GATE = 3


def plan(
    *,
    target_recall: Annotated[float, typer.Option(help="Share of positive posts to flag, e.g. 0.95.")] = 0.95,
    confidence_level: Annotated[float, typer.Option(help="How sure the promise is to hold, e.g. 0.95.")] = 0.95,
    promises: Annotated[int, typer.Option(help="Promises that share the confidence (targets × recalls).", min=1)] = 1,
    run: Annotated[Path | None, typer.Option(help="Calibrated run folder, to estimate alerts from its scores.")] = None,
    prevalence: Annotated[float | None, typer.Option(help="Share of such posts where it will run, e.g. 0.01.")] = None,
) -> None:
    """Plan how many positive posts to label for calibration, and what that buys.

    A recall promise needs a minimum of positive calibration posts (59 for .95 at .95), none of which may then fall
    below the threshold. Further rows allow more to: the threshold rises towards the target and flags fewer posts.

    Before labelling: screening plan --target-recall .95 --confidence-level .95

    What it would cost to read: screening plan --run runs/demo --prevalence .01
    """
    from rich.console import Console

    from pipelines.promises.planning import build_plan_table, make_plan

    made = make_plan(target_recall, confidence_level, n_promises=promises, run=run, prevalence=prevalence)
    Console().print(build_plan_table(made))


def validate(  # noqa: PLR0913  # every parameter is an option of the command
    posts: Annotated[Path, typer.Argument(help="Labelled posts, drawn at random: CSV, JSONL or Parquet.")],
    bundle: Annotated[Path, typer.Option("--bundle", "-b", help="Bundle folder, e.g. runs/demo/bundle.")],
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="New .json file for the figures.")] = None,
    text_column: Annotated[str, typer.Option(help="Column with the text.")] = "text",
    label_column: Annotated[str, typer.Option(help="Column with the label: one of the bundle's, or none.")] = "label",
    id_column: Annotated[str | None, typer.Option(help="Column with a unique id; default: post_id, else rows.")] = None,
    author_column: Annotated[str | None, typer.Option(help="For a promise by author: who wrote a post.")] = None,
    group_column: Annotated[
        list[str] | None, typer.Option(help="Count recall and alerts in each group of this column too. Repeatable.")
    ] = None,
    random_sample: Annotated[
        bool, typer.Option("--random-sample", help="The posts were drawn at random, though all of them are flagged.")
    ] = False,
) -> None:
    """Find out what a bundle does on labelled posts of your own; nothing is fitted. Exit 3 if a promise fails there.

    The first thing to do with a bundle from elsewhere. Label posts from where the screener is to read, drawn at random
    whatever their score; those that are none of the bundle's labels are labelled none. Posts that the bundle was fitted
    on are left out where it lies in its run.

    screening validate labelled.csv --bundle runs/demo/bundle --group-column community
    """
    from rich.console import Console

    from pipelines.artifacts import write_json
    from pipelines.promises.validating import validate_bundle
    from pipelines.promises.words import build_group_tables, build_validation_table, describe_validation
    from screening.data.sources import Columns

    if out is not None and (out.exists() or out.suffix.lower() != ".json" or not out.parent.is_dir()):
        message = f"expected --out to name a new .json file in a folder that is there, found {out}"
        raise ConfigError(message)
    columns = Columns(text_column, label_column, id_column, author_column, groups=tuple(group_column or ()))
    progress = Console(stderr=True)
    found = validate_bundle(posts, bundle, columns, is_random_sample=random_sample, console=progress)
    Console().print(build_validation_table(found))
    for by_group in build_group_tables(found):
        Console().print(by_group)
    for line in describe_validation(found):
        typer.echo(line)
    if out is not None:
        write_json(out, found.model_dump(mode="json"))
    if found.is_contradicted:
        raise typer.Exit(EXIT_GATE)


def recalibrate(  # noqa: PLR0913  # every parameter is an option of the command
    posts: Annotated[Path, typer.Argument(help="Labelled posts, drawn at random: CSV, JSONL or Parquet.")],
    bundle: Annotated[Path, typer.Option("--bundle", "-b", help="Bundle folder, e.g. runs/demo/bundle.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for the recalibrated bundle.")],
    *,
    target_recall: Annotated[
        float | None, typer.Option(help="Share of positive posts to flag; default: the bundle's.", min=0.01, max=0.999)
    ] = None,
    confidence_level: Annotated[
        float | None, typer.Option(help="How sure the promise is; default: the bundle's.", min=0.5, max=0.9999)
    ] = None,
    family_wise: Annotated[bool, typer.Option("--family-wise", help="All targets' promises hold at once.")] = False,
    text_column: Annotated[str, typer.Option(help="Column with the text.")] = "text",
    label_column: Annotated[str, typer.Option(help="Column with the label: one of the bundle's, or none.")] = "label",
    id_column: Annotated[str | None, typer.Option(help="Column with a unique id; default: post_id, else rows.")] = None,
    author_column: Annotated[
        str | None, typer.Option(help="Promise by author: the recall of a random positive post of a random author.")
    ] = None,
    group_column: Annotated[
        list[str] | None, typer.Option(help="Promise the recall in each group of this column too. Repeatable.")
    ] = None,
    random_sample: Annotated[
        bool, typer.Option("--random-sample", help="The posts were drawn at random, though all of them are flagged.")
    ] = False,
) -> None:
    """Promise the recall for posts of your own: fit the thresholds anew, leave the model as it is.

    A promise is about posts like the calibration posts. Label posts from where the screener is to read, drawn at random
    whatever their score (`screening plan` says how many), and give them here; nothing is trained, and the old bundle
    stays. Posts that are none of the bundle's labels are labelled none. Posts of the run's training or validation split
    are left out where the bundle lies in its run.

    screening recalibrate labelled.csv --bundle runs/demo/bundle --out own-bundle
    """
    from rich.console import Console

    from pipelines.promises.recalibrating import Asked
    from pipelines.promises.recalibrating import recalibrate as recalibrate_bundle
    from pipelines.promises.words import build_recalibration_table, describe_limits
    from screening.data.sources import Columns

    asked = Asked(target_recall, confidence_level, family_wise)
    columns = Columns(text_column, label_column, id_column, author_column, groups=tuple(group_column or ()))
    done = recalibrate_bundle(
        posts, bundle, out, asked, columns, is_random_sample=random_sample, console=Console(stderr=True)
    )
    Console().print(build_recalibration_table(done))
    for line in (*describe_limits(done), *done.after):
        typer.echo(str(line))
    typer.echo(f"bundle {done.version}: {out}")
