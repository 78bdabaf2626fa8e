"""Commands about posts and decisions: bringing posts in, taking decisions out, and checking the record."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.review.cli_options import Database, open_as_operator, open_review
from screening.exceptions import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from apps.review.services.audit_sampling import AuditSlice, SampledPosts
    from apps.review.services.context import ReviewContext
    from apps.review.services.exporting import Export
    from apps.review.services.promises import Points

FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}


def import_(  # noqa: PLR0913, PLR0917  # one parameter per option
    scores: Annotated[Path, typer.Argument(help="Score table (.parquet, .csv) without text")],
    posts: Annotated[Path, typer.Option(help="File with post_id and text (.parquet, .csv, .jsonl)")],
    explanations: Annotated[Path | None, typer.Option(help="Explanation table for highlights")] = None,
    run: Annotated[
        Path | None, typer.Option(help="Run whose bundle made the scores: shows its recall promises")
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(help="Bundle that made the scores, instead of --run: one of `screening recalibrate` has no run"),
    ] = None,
    include_unflagged: Annotated[bool, typer.Option("--all", help="Import unflagged posts too")] = False,
    audit_fraction: Annotated[
        float | None, typer.Option(help="Share of the unflagged posts to mix in at random, to count what was missed")
    ] = None,
    audit_n: Annotated[int | None, typer.Option(help="The same as a number of posts")] = None,
    audit_seed: Annotated[int, typer.Option(help="Decides which posts these are")] = 13,
    sample: Annotated[
        Path | None,
        typer.Option(
            help="Sample that `screening audit sample` drew from these scores: imports its posts alone, in an order "
            "that does not tell which are flagged"
        ),
    ] = None,
    text_column: Annotated[str, typer.Option(help="Column with the text")] = "text",
    id_column: Annotated[
        str | None, typer.Option(help="Column with the id, as given to `screening score` (default: post_id if there)")
    ] = None,
    community_column: Annotated[
        str | None,
        typer.Option(
            help="Column the queue can be filtered by (default: community if there). Reviewers see it before judging: "
            "not for a column that gives the label away"
        ),
    ] = None,
    database: Database = None,
) -> None:
    """Put scored posts into the queue; a second import of the same posts changes nothing."""
    from apps.review.services.audit_sampling import match_sample
    from apps.review.services.tables import read_numbers, read_posts
    from screening.data.file_readers import read_table

    audit = _build_audit(audit_fraction, audit_n, audit_seed)
    if sample is not None and (audit is not None or include_unflagged):
        message = "--sample names the posts to import by itself; leave --audit-fraction, --audit-n and --all out"
        raise ConfigError(message)
    numbers = read_numbers(scores)
    points = _read_points(run, bundle, numbers)
    table = read_posts(posts, text_column=text_column, id_column=id_column, community_column=community_column)
    found = match_sample(read_table(sample), numbers, seed=audit_seed) if sample is not None else None
    context = open_review(database)
    import_tables(
        context,
        (numbers, table),
        explanations,
        points=points,
        include_unflagged=include_unflagged,
        audit=found or audit,
    )


def export(
    out: Annotated[Path, typer.Argument(help="File to write (.csv, .jsonl, .parquet)")],
    text: Annotated[
        bool, typer.Option("--text", help="Also posts and notes; keep the file as safe as the posts")
    ] = False,
    label: Annotated[
        list[str] | None,
        typer.Option(help="Labelled data instead: DECISION=LABEL, such as no_concern=no_risk; may be repeated"),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing file")] = False,
    database: Database = None,
) -> None:
    """Write decisions as a table, or with --label as data `screening run` trains on (data.source=file)."""
    from apps.review.services.exporting import export_decisions, export_labelled

    file_format = _choose_format(out, overwrite=overwrite)
    context, operator = open_as_operator(database)
    if label:
        made = export_labelled(context, operator, _read_labels(label), file_format=file_format)  # type: ignore[arg-type]  # one of FORMATS
    else:
        made = export_decisions(context, operator, file_format=file_format, with_text=text)  # type: ignore[arg-type]  # one of FORMATS
    _write(out, made)


def verify(
    known_head: Annotated[str | None, typer.Option(help="SEQ:HASH printed by an earlier check")] = None,
    database: Database = None,
) -> None:
    """Check that no event, score, note or text was changed; exit code 3 if something was."""
    from apps.review.services.verifying import verify_chain
    from screening.explain.rendering import show_visibly

    context, operator = open_as_operator(database)
    result = verify_chain(context, operator, known_head)
    if result.is_intact:
        erased = f" {result.n_erased} posts were erased." if result.n_erased else ""
        typer.echo(
            f"Intact: {result.n_events} events.{erased}\nHead {result.head}\nKeep the head elsewhere for --known-head."
        )
        return
    where = f"first bad event {result.first_bad_event}: " if result.first_bad_event is not None else ""
    typer.echo(f"NOT INTACT: {where}{show_visibly(result.problem or '')}", err=True)
    raise typer.Exit(3)


def import_tables(
    context: "ReviewContext",
    tables: "tuple[pd.DataFrame, pd.DataFrame]",
    explanations: Path | None,
    *,
    points: "Points" = ((), ()),
    include_unflagged: bool = False,
    audit: "AuditSlice | SampledPosts | None" = None,
) -> None:
    """Import scores and posts, then their highlights, and say what came of it."""
    from apps.review.identity.records import command_line_operator
    from apps.review.services.audit_sampling import SampledPosts
    from apps.review.services.importing import import_scores
    from apps.review.services.importing_explanations import import_explanations
    from apps.review.services.tables import read_numbers

    operator = command_line_operator(context.clock())
    summary = import_scores(
        context,
        operator,
        *tables,
        include_unflagged=include_unflagged,
        audit=audit,
        operating_points=points[0],
        alternatives=points[1],
    )
    is_sample = isinstance(audit, SampledPosts)
    left_out = "in the sample" if is_sample else "flagged"
    typer.echo(
        f"Imported {summary.n_imported} posts; {summary.n_already_there} were there already, "
        f"{summary.n_left_out} are not {left_out} and were left out."
    )
    if is_sample and summary.n_already_there:
        typer.echo(
            "Readers can tell posts that were there already from the others: use another --database for an audit."
        )
    if summary.n_audit:
        typer.echo(f"{summary.n_audit} unflagged posts were drawn at random and wait among the others.")
    if summary.n_audit and summary.n_audit == summary.n_imported:
        typer.echo(
            "No flagged post came with them, so readers can tell them by how long they wait. Next time draw the slice "
            "in the import that brings the flagged posts."
        )
    if summary.n_grouped:
        typer.echo(f"{summary.n_grouped} posts say nearly the same as another one; the app offers them together.")
    if summary.n_other_scores:
        typer.echo(
            f"{summary.n_other_scores} of those there already come with another model or score now; they keep the ones "
            "they were imported with. To review under the new ones, use another --database."
        )
    if explanations is not None:
        added = import_explanations(context, operator, read_numbers(explanations))
        typer.echo(f"Added highlights to {added.n_explained} posts.")
        if added.n_other_model:
            typer.echo(f"{added.n_other_model} posts got none: these highlights explain another model than theirs.")


def register_record_commands(app: typer.Typer) -> None:
    """Add these commands to the group."""
    app.command("import")(import_)
    for command in (export, verify):
        app.command()(command)


def _read_points(run: Path | None, bundle: Path | None, scores: "pd.DataFrame") -> "Points":
    from apps.review.services.promises import read_bundle_points, read_run_points

    if run is not None and bundle is not None:
        message = "expected either --run or --bundle, found both; name what made the scores"
        raise ConfigError(message)
    if bundle is not None:
        return read_bundle_points(bundle, scores)
    return read_run_points(run) if run is not None else ((), ())


def _build_audit(fraction: float | None, n_posts: int | None, seed: int) -> "AuditSlice | None":
    if fraction is None and n_posts is None:
        return None
    from pydantic import ValidationError

    from apps.review.services.audit_sampling import AuditSlice

    try:
        return AuditSlice(fraction=fraction, n_posts=n_posts, seed=seed)
    except ValidationError as error:
        message = (
            "an audit slice is --audit-fraction (above 0, at most 1) or --audit-n (at least 1), one of the two; found "
            f"{fraction} and {n_posts}"
        )
        raise ConfigError(message) from error


def _choose_format(out: Path, *, overwrite: bool) -> str:
    if out.suffix.lower() not in FORMATS:
        message = f"{out}: expected a file ending in {', '.join(FORMATS)}, found {out.suffix or 'no ending'!r}"
        raise ConfigError(message)
    if out.exists() and not overwrite:
        message = f"{out} exists already; name another file, or allow replacing it (--overwrite)"
        raise ConfigError(message)
    return FORMATS[out.suffix.lower()]


def _read_labels(pairs: list[str]) -> dict[str, str]:
    if not all("=" in pair for pair in pairs):
        message = f"expected --label DECISION=LABEL, such as no_concern=no_risk, found {', '.join(pairs)}"
        raise ConfigError(message)
    return {decision.strip(): label.strip() for decision, _, label in (pair.partition("=") for pair in pairs)}


def _write(out: Path, made: "Export") -> None:
    """Write whole or not at all, readable by its owner only."""
    aside = out.with_name(f".{out.name}.part")
    try:
        aside.unlink(missing_ok=True)
        with os.fdopen(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(made.content)
        aside.replace(out)
    except OSError as error:
        message = f"{out} cannot be written ({error.strerror}); the export stands in the record as event {made.seq}"
        raise ConfigError(message) from error
    left_out = f"; {made.n_left_out} judged posts have no label or no settled decision" if made.n_left_out else ""
    typer.echo(f"Wrote {made.n_rows} rows to {out}{left_out}.\nSHA-256 {made.sha256} (event {made.seq})")
