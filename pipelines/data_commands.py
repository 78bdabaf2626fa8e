"""The command ``screening data reddit2013``: a data set made from its public origin."""

from pathlib import Path
from typing import Annotated

import typer

from screening.exceptions import ConfigError

app = typer.Typer(help="Make a data set from its public origin.", no_args_is_help=True)


@app.callback()
def data() -> None:
    """Make a data set from its public origin."""


@app.command()
def reddit2013(
    to: Annotated[Path, typer.Option("--to", help="New folder for the four files, e.g. data/reddit2013.")],
    origin: Annotated[
        str | None,
        typer.Option("--from", help="Folder of the downloaded crawl, or another address of it; default: its GitHub."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Put the new files in the place of a folder's.")] = False,
) -> None:
    """Make the data of --config reddit2013: posts of five communities, and controls from 22 others.

    They are text posts among the top posts of August 2013, from github.com/umbrae/reddit-top-2.5-million, which is
    dedicated to the public domain; 28 files are read. The posters' copyright and Reddit's terms are a separate
    matter: keep the posts to evaluate with. Every file that comes out byte for byte as the shipped figures
    used it is said to be so.

    screening data reddit2013 --to data/reddit2013

    screening run --config reddit2013 --set data.path=data/reddit2013
    """
    from pipelines.progress import choose_console, show_progress
    from screening.data.reddit2013 import ORIGIN, build_reddit2013, is_as_published
    from screening.whole_writes import write_folder_whole

    if to.exists() and not force and not (to.is_dir() and not any(to.iterdir())):
        message = f"{to} is there already and was left as it is; name a new folder, or give --force to replace it"
        raise ConfigError(message)
    with show_progress(choose_console(None, is_shown=True), "the crawl's files", action="reading") as on_progress:
        tables = build_reddit2013(origin or ORIGIN, on_progress)
    contents = {name: table.to_csv(index=False).encode() for name, table in tables.items()}
    with write_folder_whole(to) as folder:
        for name, content in contents.items():
            (folder / f"{name}.csv").write_bytes(content)
    for name, content in contents.items():
        same = "as the shipped figures used it" if is_as_published(name, content) else "differs from the shipped one"
        typer.echo(f"{to / name}.csv: {len(tables[name]):,} posts, {same}")
    typer.echo(f"next: screening run --config reddit2013 --set data.path={to}")
