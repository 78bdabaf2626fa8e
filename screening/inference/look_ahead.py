"""Work on the next item in a second thread while the present one is used."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


def map_ahead(function: Callable[[T], U], items: Sequence[T]) -> Iterator[U]:
    """Map like the builtin, in order, with one result made ready while the caller uses the one before.

    Parameters
    ----------
    function : callable
        Runs in one other thread; what it raises is raised where its result is asked for. Worth a thread where it lets
        go of the interpreter, as tokenisers do.
    items : sequence
        A single one is mapped without a thread.

    Yields
    ------
    object
        ``function(item)``; at most two results exist at a time unless the caller keeps more.

    Examples
    --------
    >>> list(map_ahead(len, ["one", "three"]))
    [3, 5]
    """
    if len(items) <= 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        ahead = thread.submit(function, items[0])
        for item in items[1:]:
            ready = ahead.result()
            ahead = thread.submit(function, item)
            yield ready
        yield ahead.result()
