"""The command that erases what people wrote: one post, a list of them, or all whose review is long done."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.review.cli_options import Database, open_as_operator
from screening.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from apps.review.services.erasing import ErasedList


def erase(
    post_id: Annotated[str | None, typer.Argument(metavar="POST", help="Id of one post")] = None,
    ids: Annotated[
        Path | None,
        typer.Option(help="Many posts instead: a file with one id a line, or a .csv, .jsonl or .parquet with post_id"),
    ] = None,
    done_for: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=36_500,
            metavar="DAYS",
            help="Every post instead that is done: it waits for nobody, and nothing has happened to it for so long",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --done-for: only say how many posts would lose their text")
    ] = False,
    database: Database = None,
) -> None:
    """Erase posts' text, notes and highlights for good; decisions and the chain of events stay."""
    if sum(choice is not None for choice in (post_id, ids, done_for)) != 1:
        message = "expected one of the three: the id of a post, a list of ids (--ids FILE), or --done-for DAYS"
        raise ConfigError(message)
    if dry_run and done_for is None:
        message = "--dry-run counts the posts of --done-for DAYS; leave it out to erase a post or a list"
        raise ConfigError(message)
    if post_id is not None:
        _erase_one(database, post_id)
    elif ids is not None:
        _erase_list(database, ids)
    elif done_for is not None:
        _erase_done(database, done_for, dry_run=dry_run)


def _erase_one(database: str | None, post_id: str) -> None:
    from apps.review.services.erasing import erase_post

    context, operator = open_as_operator(database)
    erased = erase_post(context, operator, post_id)
    what = "its text" if erased.had_text else "no text (it was erased before)"
    shown = _name_ids([post_id])
    typer.echo(f"Erased {what}, {erased.n_notes} notes and {erased.n_highlights} highlights of {shown}.")
    _say_where_words_remain(erased.is_overwritten, erased.near_duplicates)


def _erase_list(database: str | None, path: Path) -> None:
    from apps.review.services.erasing import erase_posts
    from apps.review.services.id_lists import read_id_list
    from screening.data.schema import show_ids

    post_ids = read_id_list(path)
    context, operator = open_as_operator(database)
    erased = erase_posts(context, operator, _track(post_ids))
    typer.echo(f"{_describe(erased)}; {erased.n_erased_before} were erased before.")
    if erased.unknown:
        typer.echo(
            f"{len(erased.unknown)} of {len(post_ids)} ids are not in this database, first {show_ids(erased.unknown)}"
        )
    _say_where_words_remain(erased.is_overwritten, erased.near_duplicates)


def _erase_done(database: str | None, n_days: int, *, dry_run: bool) -> None:
    from datetime import timedelta

    from apps.review.services.erasing import erase_posts
    from apps.review.services.retention import find_done

    context, operator = open_as_operator(database)
    since = context.clock() - timedelta(days=n_days)
    done = find_done(context, operator, since)
    kept = f"{done.n_waiting} as old wait for a reader or a lead and keep theirs."
    if dry_run:
        typer.echo(f"The text of {len(done.post_ids)} posts would be erased; {kept}")
        return
    erased = erase_posts(context, operator, _track(done.post_ids), untouched_since=since)
    typer.echo(f"{_describe(erased)}; {kept}")
    if erased.n_kept:
        typer.echo(f"{erased.n_kept} more were judged, taken back or opened while this ran and keep theirs.")
    _say_where_words_remain(erased.is_overwritten)


def _describe(erased: "ErasedList") -> str:
    words = f"{erased.n_notes} notes and {erased.n_highlights} highlights"
    return f"Erased the text of {erased.n_texts} posts, with {words}"


def _say_where_words_remain(is_overwritten: bool, near_duplicates: "Sequence[str]" = ()) -> None:
    if near_duplicates:
        typer.echo(f"These posts say nearly the same and still hold their text: {_name_ids(near_duplicates)}")
    if not is_overwritten:
        typer.echo("The file was in use and may hold the words a while longer; run the same command again.")
    typer.echo("Backups and exports made before still hold what was erased.")


def _track(post_ids: "Sequence[str]") -> "Iterable[str]":
    """Draw a bar on a terminal, which goes when all are erased."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(post_ids, "erasing", console=console, transient=True, disable=not console.is_terminal)


def _name_ids(ids: "Sequence[str]") -> str:
    """Name posts; their ids came with them and may hold what a terminal would obey."""
    from screening.explain.rendering import show_visibly

    return ", ".join(map(show_visibly, ids))
