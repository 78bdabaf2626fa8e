"""Records of a CSV file; one whose quote is never closed costs its own line, not the rest of the file."""

import csv
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pipelines.scoring.inputs import Source
from pipelines.scoring.lines import MAX_LINE_CHARACTERS, TOO_LONG, Line, read_lines

NEVER_CLOSED = "a quote is not closed by the end of the file, or within 2,000,000 characters"


class Record(NamedTuple):
    """The cells of one record and the line it begins on, or why it cannot be read."""

    line: int
    cells: list[str]
    fault: str | None = None


def read_records(source: Source, on_read: Callable[[float], None]) -> Iterator[Record]:
    """Read the records of a CSV or TSV file as pandas reads them; blank lines are left out.

    Notes
    -----
    Where a quote is never closed, the line its record begins on is a fault and reading goes on with the next line. A
    quote that is closed by that of a later post swallows the posts between: no reader of CSV can tell.
    """
    csv.field_size_limit(MAX_LINE_CHARACTERS)
    delimiter = "\t" if source.format == "tsv" else ","
    lines = _RecordLines(read_lines(source, on_read, newline=""), blanks=" " if delimiter == "\t" else " \t")
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        lines.begin_record()
        fault: str | None
        try:
            cells = next(reader)
        except StopIteration:
            return
        except _UnreadableError as error:
            cells, fault = [], str(error)
        except csv.Error:
            cells, fault = [], "line is not readable as CSV"
        else:
            fault = NEVER_CLOSED if lines.is_ended_inside else None
        begun = lines.record
        if fault is not None:
            lines.put_back(begun[1:])
            reader = csv.reader(lines, delimiter=delimiter)
            yield Record(begun[0].number, [], fault)
        elif not (len(begun) == 1 and begun[0].text.strip(lines.blanks) in {"", "\n", "\r", "\r\n"}):
            yield Record(begun[0].number, cells)


class _UnreadableError(Exception):
    """A record is longer than any post."""


class _RecordLines:
    """Hands lines to the CSV reader and remembers which it took for the present record."""

    def __init__(self, lines: Iterator[Line], blanks: str) -> None:
        self.blanks = blanks
        self.record: list[Line] = []
        self.is_ended_inside = False
        self._lines = lines
        self._waiting: deque[Line] = deque()
        self._n_characters = 0

    def begin_record(self) -> None:
        self.record, self._n_characters, self.is_ended_inside = [], 0, False

    def put_back(self, lines: list[Line]) -> None:
        self._waiting.extendleft(reversed(lines))

    def __iter__(self) -> "_RecordLines":
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else next(self._lines, None)
        if line is None:
            self.is_ended_inside = True
            raise StopIteration
        self.record.append(line)
        self._n_characters += len(line.text)
        if line.is_cut:
            raise _UnreadableError(TOO_LONG)
        if self._n_characters > MAX_LINE_CHARACTERS:
            raise _UnreadableError(NEVER_CLOSED)
        return line.text
