"""``screening review``: start the app, import posts, add people, check the record, bring the tables up to date."""

from pathlib import Path
from typing import Annotated

import typer

from apps.review.cli_accounts import register_account_commands
from apps.review.cli_erasing import erase
from apps.review.cli_options import Database, open_review
from apps.review.cli_records import import_tables, register_record_commands
from apps.review.cli_waiting import waiting
from screening.exceptions import MissingArtifactError

DEMO_USER = "reviewer"
DEMO_AUDIT_FRACTION = 0.1

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
def serve(  # noqa: PLR0913, PLR0917  # one parameter per option
    database: Database = None,
    address: Address = "127.0.0.1",
    port: Port = 8501,
    blind: Blind = True,
    settings: Annotated[
        Path | None, typer.Option(help="YAML file with the rules of the house: second readings, reasons, daily cap, …")
    ] = None,
    sign_in: Annotated[str | None, typer.Option(help="local, oidc or proxy (default: local)")] = None,
    public_url: Annotated[
        str | None, typer.Option(help="What people type, such as https://review.example.org (default: this machine)")
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
    from apps.review.services.context import SETTINGS_VARIABLE, read_settings

    variables = server.build_sign_in(
        address=address,
        port=port,
        method=sign_in,
        public_url=public_url,
        proxy_header=trust_proxy_header,
        proxy_addresses=trusted_proxy or (),
    )
    if settings is not None:
        read_settings(settings)
        variables = {**variables, SETTINGS_VARIABLE: str(settings.absolute())}
    context = open_review(database)
    typer.echo(f"Reviews are kept in {context.store.shown_name}")
    server.serve(context.store.url, address=address, port=port, is_blind=blind, sign_in=variables)


@app.command()
def migrate(database: Database = None) -> None:
    """Create the tables or bring them up to date, as their owner: the app's own role needs no right to do it then."""
    store = open_review(database).store
    store.engine.dispose()
    typer.echo(f"The tables of {store.shown_name} are up to date.")


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
    from apps.review.services.audit_sampling import AuditSlice
    from apps.review.services.promises import read_run_points
    from apps.review.services.tables import read_numbers, read_posts

    scores, posts = run / "evaluation" / "test.parquet", run / "data" / "test.parquet"
    for path in (scores, posts):
        if not path.is_file():
            message = f"no {path}; make the run first (screening run) or name its folder with --run"
            raise MissingArtifactError(message)
    explanations = run / "explanations" / "flagged.parquet"
    table = read_numbers(scores)
    context = open_review(database or choose_demo_database(run, table))
    n_audit = int((table["triage"] == "no_flag").sum() * DEMO_AUDIT_FRACTION)
    has_points = (run / "calibration" / "operating_points.json").is_file()
    import_tables(
        context,
        (table, read_posts(posts)),
        explanations if explanations.is_file() else None,
        points=read_run_points(run) if has_points else ((), ()),
        audit=AuditSlice(n_posts=n_audit) if n_audit else None,
    )
    password = prepare_demo_user(context, DEMO_USER)
    typer.echo(
        f"Reviews are kept in {context.store.shown_name}\n"
        f"\n  http://{address}:{port}\n  user      {DEMO_USER}\n  password  {password}   (until the next start)\n"
    )
    if start:
        server.serve(context.store.url, address=address, port=port, is_blind=blind)


register_account_commands(app)
register_record_commands(app)
app.command()(erase)
app.command()(waiting)
