"""The commands ``screening data reddit2013 | deidentify``: what is done to posts before a run reads them."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from screening.exceptions import ConfigError

POSTS_PER_TICK = 1_000

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


@app.command()
def deidentify(
    posts: Annotated[Path, typer.Argument(help="CSV, JSONL or Parquet file of posts, or a folder of them.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New file: .csv, .jsonl or .parquet.")],
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
    from pipelines.progress import choose_console, show_progress
    from pipelines.table_files import validate_output, write_table_whole
    from screening.data.deidentify import KINDS, remove_identifiers, validate_region
    from screening.data.file_readers import read_table
    from screening.data.sources import require_column

    validate_output(out, overwrite=overwrite, inputs=(posts,))
    validate_region(region)
    table = read_table(posts)
    require_column(table.columns, text_column, str(posts))
    counts, n_changed, texts = Counter[str](), 0, []
    with show_progress(choose_console(None, is_shown=True), "posts", action="reading") as on_progress:
        for i, text in enumerate(table[text_column]):
            found = remove_identifiers(text, region=region) if isinstance(text, str) else (text, Counter[str]())
            texts.append(found[0])
            counts += found[1]
            n_changed += bool(found[1])
            if (i + 1) % POSTS_PER_TICK == 0:
                on_progress(i + 1, len(table))
    write_table_whole(table.assign(**{text_column: texts}), out)
    replaced = ", ".join(f"{counts[kind]:,} {kind}" for kind in KINDS)
    typer.echo(f"{out}: {len(table):,} posts, {n_changed:,} changed; replaced: {replaced}")
    typer.echo("names, places and stories stay: the copy is not anonymous")
