"""``screening review``: start the app, import posts, add people, check the record."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from screening.exceptions import ConfigError, MissingArtifactError

if TYPE_CHECKING:
    import pandas as pd

    from apps.review.services.context import ReviewContext

PASSWORD_VARIABLE = "SCREENING_REVIEW_PASSWORD"  # noqa: S105  # the name of a variable, not a password
DEMO_USER = "reviewer"

app = typer.Typer(help="Review flagged posts in the browser.", no_args_is_help=False)

Database = Annotated[
    str | None,
    typer.Option("--database", help="File or URL of the review database [default: $SCREENING_REVIEW_DB, or review.db]"),
]
Address = Annotated[str, typer.Option(help="Address to listen on; others than this machine need a TLS proxy")]
Port = Annotated[int, typer.Option(min=1, max=65535)]
Blind = Annotated[bool, typer.Option(help="Hide scores until the first judgement")]


@app.callback(invoke_without_command=True)
def _start(context: typer.Context) -> None:
    """Review flagged posts in the browser; without a command, start the app."""
    if context.invoked_subcommand is None:
        serve()


@app.command()
def serve(database: Database = None, address: Address = "127.0.0.1", port: Port = 8501, blind: Blind = True) -> None:
    """Start the app on this machine."""
    from apps.review import server

    context = _open(database)
    typer.echo(f"Reviews are kept in {context.store.engine.url.database}")
    server.serve(str(context.store.engine.url), address=address, port=port, is_blind=blind)


@app.command("import")
def import_(
    scores: Annotated[Path, typer.Argument(help="Score table (.parquet, .csv) without text")],
    posts: Annotated[Path, typer.Option(help="File with post_id and text (.parquet, .csv, .jsonl)")],
    explanations: Annotated[Path | None, typer.Option(help="Explanation table for highlights")] = None,
    include_unflagged: Annotated[bool, typer.Option("--all", help="Import unflagged posts too")] = False,
    text_column: Annotated[str, typer.Option(help="Column with the text")] = "text",
    id_column: Annotated[
        str | None, typer.Option(help="Column with the id, as given to `screening score` [default: post_id if there]")
    ] = None,
    database: Database = None,
) -> None:
    """Put scored posts into the queue; a second import of the same posts changes nothing."""
    from apps.review.services.tables import read_numbers, read_posts

    table = read_posts(posts, text_column=text_column, id_column=id_column)
    _import(_open(database), read_numbers(scores), table, explanations, include_unflagged=include_unflagged)


@app.command("add-user")
def add_user(
    name: str,
    role: Annotated[str, typer.Option(help="reviewer, lead, auditor or admin")],
    database: Database = None,
) -> None:
    """Create an account; the password comes from a prompt, or from $SCREENING_REVIEW_PASSWORD."""
    from apps.review.identity.records import command_line_operator
    from apps.review.services import accounts

    context = _open(database)
    operator = command_line_operator(context.clock())
    user_name = accounts.add_user(context, operator, name=name, role=role, password=_ask_password())
    typer.echo(f"Added {user_name} as {role}.")


@app.command("set-password")
def set_password(name: str, database: Database = None) -> None:
    """Give an account a new password; ends its sessions and its lockout."""
    from apps.review.identity.records import command_line_operator
    from apps.review.services import accounts

    context = _open(database, must_exist=True)
    operator = command_line_operator(context.clock())
    accounts.set_password(context, operator, name=name, password=_ask_password())
    typer.echo(f"New password set for {name}.")


@app.command()
def verify(
    known_head: Annotated[str | None, typer.Option(help="SEQ:HASH printed by an earlier check")] = None,
    database: Database = None,
) -> None:
    """Check that no event, score, note or text was changed; exit code 3 if something was."""
    from apps.review.identity.records import command_line_operator
    from apps.review.services.verifying import verify_chain

    context = _open(database, must_exist=True)
    result = verify_chain(context, command_line_operator(context.clock()), known_head)
    if result.is_intact:
        typer.echo(f"Intact: {result.n_events} events.\nHead {result.head}\nKeep the head elsewhere for --known-head.")
        return
    where = f"first bad event {result.first_bad_event}: " if result.first_bad_event is not None else ""
    typer.echo(f"NOT INTACT: {where}{result.problem}", err=True)
    raise typer.Exit(3)


@app.command()
def demo(
    run: Annotated[Path, typer.Option(help="Folder of a finished run")] = Path("runs/demo"),
    database: Database = None,
    address: Address = "127.0.0.1",
    port: Port = 8501,
    blind: Blind = True,
    start: Annotated[bool, typer.Option(help="Start the app after preparing it")] = True,
) -> None:
    """Prepare a database from a run's scored test posts, print a one-time password, and start the app."""
    from apps.review import server
    from apps.review.demo import choose_demo_database, prepare_demo_user
    from apps.review.services.tables import read_numbers, read_posts

    scores, posts = run / "evaluation" / "test.parquet", run / "data" / "test.parquet"
    for path in (scores, posts):
        if not path.is_file():
            message = f"no {path}; make the run first (screening run) or name its folder with --run"
            raise MissingArtifactError(message)
    explanations = run / "explanations" / "flagged.parquet"
    table = read_numbers(scores)
    context = _open(database or choose_demo_database(run, table))
    _import(context, table, read_posts(posts), explanations if explanations.is_file() else None)
    password = prepare_demo_user(context, DEMO_USER)
    typer.echo(
        f"Reviews are kept in {context.store.engine.url.database}\n"
        f"\n  http://{address}:{port}\n  user      {DEMO_USER}\n  password  {password}   (until the next start)\n"
    )
    if start:
        server.serve(str(context.store.engine.url), address=address, port=port, is_blind=blind)


def _open(database: str | None, *, must_exist: bool = False) -> "ReviewContext":
    from apps.review.services.context import ReviewContext
    from apps.review.store.database import open_store

    return ReviewContext(open_store(database, must_exist=must_exist))


def _import(
    context: "ReviewContext",
    scores: "pd.DataFrame",
    posts: "pd.DataFrame",
    explanations: Path | None,
    *,
    include_unflagged: bool = False,
) -> None:
    from apps.review.identity.records import command_line_operator
    from apps.review.services.importing import import_explanations, import_scores
    from apps.review.services.tables import read_numbers

    operator = command_line_operator(context.clock())
    summary = import_scores(context, operator, scores, posts, include_unflagged=include_unflagged)
    typer.echo(
        f"Imported {summary.n_imported} posts; {summary.n_already_there} were there already, "
        f"{summary.n_not_flagged} are not flagged and were left out."
    )
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


def _ask_password() -> str:
    password = os.environ.get(PASSWORD_VARIABLE)
    if password is not None:
        return password
    try:
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    except typer.Abort:
        message = f"no password given; type one, or set {PASSWORD_VARIABLE}"
        raise ConfigError(message) from None
