"""How far a job is: posts, posts per second and the time left; a bar on a terminal, a line a minute in a log."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from pipelines.scoring.inputs import Source

LINE_SECONDS = 60.0

Show = Callable[[str, float | None], None]  # a sentence, and the fraction of the inputs that is scored if known


class JobProgress:
    """Counts posts and the share of the inputs behind them, in bytes.

    ``n_scored`` and ``seconds`` are of this call alone: parts that were there say nothing about its speed.
    """

    def __init__(self, sources: Sequence[Source], show: Show) -> None:
        self._sizes = [source.size_bytes for source in sources]
        self._is_known = not any(source.is_stream for source in sources) and sum(self._sizes) > 0
        self._show = show
        self._fraction_read = self._fraction_done = 0.0
        self._started: tuple[float, float] | None = None  # clock and fraction when scoring began
        self.n_posts = 0
        self.n_scored = 0

    @property
    def seconds(self) -> float:
        """Seconds since scoring began; 0 if it has not."""
        return time.monotonic() - self._started[0] if self._started else 0.0

    def report_read(self, source: int, fraction: float) -> None:
        """Take note of the fraction of one source that has been read."""
        if self._is_known:
            self._fraction_read = (sum(self._sizes[:source]) + fraction * self._sizes[source]) / sum(self._sizes)

    def begin_part(self) -> None:
        """Start the clock with the first part that is to be scored."""
        self._started = self._started or (time.monotonic(), self._fraction_done)

    def report_scored(self, n_done: int, n_posts: int) -> None:
        """Take note of posts scored in the present part."""
        fraction = self._fraction_done + (self._fraction_read - self._fraction_done) * n_done / max(n_posts, 1)
        self._show(self._describe(n_done, fraction), fraction if self._is_known else None)

    def end_part(self, n_posts: int, *, is_new: bool) -> None:
        """Take note of a whole part, scored now or before."""
        self.n_posts += n_posts
        self.n_scored += n_posts if is_new else 0
        self._fraction_done = self._fraction_read
        self._show(self._describe(0, self._fraction_done), self._fraction_done if self._is_known else None)

    def _describe(self, n_done: int, fraction: float) -> str:
        said = f"{self.n_posts + n_done:,} posts"
        if self._started is None or self.n_scored + n_done == 0:
            return said
        said += f", {(self.n_scored + n_done) / max(self.seconds, 1e-9):,.0f} per second"
        gained = fraction - self._started[1]
        return said + (f", {_write_span(self.seconds * (1 - fraction) / gained)} left" if gained > 0 else "")


@contextmanager
def show_job(console: Console, sources: Sequence[Source]) -> Iterator[JobProgress]:
    """Show how far a job is on a console."""
    columns = (TextColumn("scoring"), BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        spoken = time.monotonic()

        def show(sentence: str, fraction: float | None) -> None:
            nonlocal spoken
            bar.update(task, description=sentence, completed=fraction or 0.0, total=None if fraction is None else 1.0)
            if not console.is_terminal and time.monotonic() - spoken >= LINE_SECONDS:
                spoken = time.monotonic()
                console.print(f"scoring: {sentence}", highlight=False)

        yield JobProgress(sources, show)


def _write_span(seconds: float) -> str:
    minutes, hours = round(seconds / 60), round(seconds / 3600, 1)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{hours:.1f} h"
