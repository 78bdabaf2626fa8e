"""The commands ``screening data reddit2013 | deidentify``: what is done to posts before a run reads them."""

from pathlib import Path
from typing import Annotated

import typer

from screening.exceptions import ConfigError

app = typer.Typer(
    help="Before a run reads posts: make an open data set, remove direct identifiers.", no_args_is_help=True
)


@app.command()
def reddit2013(
    to: Annotated[Path, typer.Option("--to", help="New folder for the four files, e.g. data/reddit2013.")],
    origin: Annotated[
        str | None,
        typer.Option("--from", help="Folder of the downloaded crawl, or another address of it; default: its GitHub."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Make the four files of an earlier call anew.")] = False,
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
    from screening.data.reddit2013 import DIGESTS, ORIGIN, build_reddit2013, is_as_published
    from screening.whole_writes import write_folder_whole

    names = {f"{name}.csv" for name in DIGESTS}
    found = {path.name for path in to.iterdir()} if to.is_dir() else set()
    if not to.name or (to.exists() and not to.is_dir()) or not found <= names or (found and not force):
        advice = "name a new folder" + (", or give --force to make its files anew" if found and found <= names else "")
        message = f"{to} is there already and was left as it is; {advice}"
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


@app.command()
def deidentify(
    posts: Annotated[Path, typer.Argument(help="CSV, TSV, JSONL or Parquet file of posts.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New file of the same format.")],
    *,
    text_column: Annotated[str, typer.Option(help="Column with the post.")] = "text",
    region: Annotated[
        str | None,
        typer.Option(help="Country whose phone numbers are known without +, e.g. US; default: those with + alone."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output if it exists.")] = False,
) -> None:
    """Copy posts, with e-mail addresses, links, user names and phone numbers replaced by the name of their kind.

    Names, places and the story stay: the copy is not anonymous, and no substitute for access control. Other columns are
    copied as they are. Do it before everything else, and to all posts alike: those to train on, to score and to review.

    screening data deidentify posts.csv --out posts-deidentified.csv --region US
    """
    from pipelines.data.deidentifying import copy_without_identifiers
    from pipelines.progress import choose_console, show_progress
    from screening.data.deidentify import KINDS

    if out.exists() and (not overwrite or out.resolve() == posts.resolve()):
        message = f"{out} exists already; name another output, or allow replacing it (--overwrite); never the input"
        raise ConfigError(message)
    with show_progress(choose_console(None, is_shown=True), "posts", action="reading") as on_progress:
        done = copy_without_identifiers(posts, out, text_column, region=region, on_progress=lambda n: on_progress(n, n))
    replaced = ", ".join(f"{done.n_replaced[kind]:,} {kind}" for kind in KINDS)
    typer.echo(f"{out}: {done.n_posts:,} posts, {done.n_changed:,} changed; replaced: {replaced}")
    typer.echo("names, places and stories stay: the copy is not anonymous")
