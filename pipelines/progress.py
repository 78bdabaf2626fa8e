"""Progress bars of long work, on the console that everything else prints to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def show_progress(console: Console, title: str, *, action: str = "scoring") -> Iterator[Callable[[int, int], None]]:
    """Show a bar with a count and the time left; yields ``on_progress(n_done, n_posts)``."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=not console.is_terminal) as progress:
        task = progress.add_task(f"{action} {title}", total=None)
        yield lambda n_done, n_posts: progress.update(task, completed=n_done, total=n_posts)


def choose_console(console: Console | None, *, is_shown: bool) -> Console:
    """Give the console progress is drawn on: standard error by default, a silent one where none is wanted."""
    return console or Console(stderr=True) if is_shown else Console(quiet=True)
