"""Lines of a text file, bounded in length, whatever bytes it holds."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TextIO

from pipelines.scoring.inputs import Source
from screening.exceptions import DataAccessError

MAX_LINE_CHARACTERS = 2_000_000
TOO_LONG = f"line is over {MAX_LINE_CHARACTERS} characters"


class Line(NamedTuple):
    """One line with its end, counted from 1; the rest of a longer one was left out if ``is_cut``."""

    number: int
    text: str
    is_cut: bool = False


def read_lines(source: Source, on_read: Callable[[float], None], *, newline: str) -> Iterator[Line]:
    r"""Read a UTF-8 file line by line; bytes that are no UTF-8 become lone surrogates, which no post may hold.

    Parameters
    ----------
    newline : str
        ``"\n"``, or ``""`` for every kind of line end.

    Raises
    ------
    DataAccessError
        If the file cannot be opened.
    """
    with _open(source, newline) as stream:
        number = 0
        while text := stream.readline(MAX_LINE_CHARACTERS):
            number += 1
            is_cut = len(text) == MAX_LINE_CHARACTERS and not text.endswith(("\n", "\r"))
            yield Line(number, text, is_cut)
            if is_cut:
                _skip_line(stream)
            if source.size_bytes and number % 50 == 0:
                on_read(stream.buffer.tell() / source.size_bytes)


def _skip_line(stream: TextIO) -> None:
    while text := stream.readline(MAX_LINE_CHARACTERS):
        if text.endswith(("\n", "\r")):
            return


@contextmanager
def _open(source: Source, newline: str) -> Iterator[TextIO]:
    try:
        binary = sys.stdin.buffer if source.path is None else source.path.open("rb")
    except OSError as error:
        message = f"{source.name} cannot be read ({error.strerror or type(error).__name__})"
        raise DataAccessError(message) from error
    stream = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline=newline)
    try:
        yield stream
    finally:
        stream.detach()
        if source.path is not None:
            binary.close()
