"""``screening review``: start the app, import posts, add people, check the record."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.review.cli_accounts import register_account_commands
from apps.review.cli_options import Database, open_review
from screening.exceptions import MissingArtifactError

if TYPE_CHECKING:
    import pandas as pd

    from apps.review.services.context import ReviewContext

DEMO_USER = "reviewer"

app = typer.Typer(help="Review flagged posts in the browser.", no_args_is_help=False)

Address = Annotated[str, typer.Option(help="Address to listen on; others than this machine need a TLS proxy")]
Port = Annotated[int, typer.Option(min=1, max=65535)]
Blind = Annotated[bool, typer.Option(help="Hide scores until the first judgement")]


@app.callback(invoke_without_command=True)
def _start(context: typer.Context) -> None:
    """Review flagged posts in the browser; without a command, start the app."""
    if context.invoked_subcommand is None:
        serve()


@app.command()
def serve(
    database: Database = None,
    address: Address = "127.0.0.1",
    port: Port = 8501,
    blind: Blind = True,
    sign_in: Annotated[str | None, typer.Option(help="local, oidc or proxy [default: local]")] = None,
    public_url: Annotated[
        str | None, typer.Option(help="What people type, such as https://review.example.org [default: this machine]")
    ] = None,
    trust_proxy_header: Annotated[
        str | None, typer.Option(help="Header in which a proxy names the person it signed in")
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None, typer.Option(help="Address this proxy connects from, such as 127.0.0.1/32; may be repeated")
    ] = None,
) -> None:
    """Start the app on this machine; secrets of a sign-in come from the environment."""
    from apps.review import server

    variables = server.build_sign_in(
        address=address,
        port=port,
        method=sign_in,
        public_url=public_url,
        proxy_header=trust_proxy_header,
        proxy_addresses=trusted_proxy or (),
    )
    context = open_review(database)
    typer.echo(f"Reviews are kept in {context.store.engine.url.database}")
    server.serve(context.store.url, address=address, port=port, is_blind=blind, sign_in=variables)


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
    _import(open_review(database), read_numbers(scores), table, explanations, include_unflagged=include_unflagged)


@app.command()
def verify(
    known_head: Annotated[str | None, typer.Option(help="SEQ:HASH printed by an earlier check")] = None,
    database: Database = None,
) -> None:
    """Check that no event, score, note or text was changed; exit code 3 if something was."""
    from apps.review.identity.records import command_line_operator
    from apps.review.services.verifying import verify_chain

    context = open_review(database, must_exist=True)
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
    context = open_review(database or choose_demo_database(run, table))
    _import(context, table, read_posts(posts), explanations if explanations.is_file() else None)
    password = prepare_demo_user(context, DEMO_USER)
    typer.echo(
        f"Reviews are kept in {context.store.engine.url.database}\n"
        f"\n  http://{address}:{port}\n  user      {DEMO_USER}\n  password  {password}   (until the next start)\n"
    )
    if start:
        server.serve(context.store.url, address=address, port=port, is_blind=blind)


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


register_account_commands(app)
