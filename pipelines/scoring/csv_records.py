"""Records of a CSV file; one whose quote is never closed costs its own line, not the rest of the file."""

import csv
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pipelines.scoring.inputs import Source
from pipelines.scoring.lines import MAX_LINE_CHARACTERS, TOO_LONG, Line, read_lines

NEVER_CLOSED = "a quote is not closed by the end of the file, or within 1,000,000 characters"


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
            lines.give_up()
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
        self._open_until = 0  # a record that goes on behind a line up to this one meets a quote known to stay open

    def begin_record(self) -> None:
        self.record, self._n_characters, self.is_ended_inside = [], 0, False

    def give_up(self) -> None:
        """Put back the lines of a record that cannot be read, but the first.

        A record that begins on one of them and is inside a quote at its end is in the same state as this one was
        there, and ends as it did: it need not be read on to its end, which would make many of them quadratic.
        """
        self._waiting.extendleft(reversed(self.record[1:]))
        n_characters = 0
        for line in self.record[:-1]:
            n_characters += len(line.text)
            if n_characters <= MAX_LINE_CHARACTERS // 2:  # a later record may look as far again
                self._open_until = max(self._open_until, line.number)

    def __iter__(self) -> "_RecordLines":
        return self

    def __next__(self) -> str:
        if self.record and self.record[-1].number <= self._open_until:
            raise _UnreadableError(NEVER_CLOSED)
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
