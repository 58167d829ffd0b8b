"""Query results as tables that fit the terminal: cells are wrapped between words, never inside one.

psql's own wrapped format fits too, but it breaks words. A table whose widest words do not fit in
one line is drawn as records, one column per line.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg

_NUMBERS = {20, 21, 23, 26, 700, 701, 1700}  # type OIDs that psql aligns to the right, too


@dataclass(frozen=True)
class Table:
    names: Sequence[str]
    rows: Sequence[Sequence[str]]
    is_number: Sequence[bool]  # of each column

    @classmethod
    def of(cls, connection: psycopg.Connection, statement: str) -> "Table | None":
        """The texts that PostgreSQL itself writes for the values; None if there is no result."""
        result = connection.execute(statement).pgresult
        if result is None or result.nfields == 0:
            return None
        columns = range(result.nfields)
        return cls(
            [(result.fname(column) or b"").decode() for column in columns],
            [[(result.get_value(row, column) or b"").decode() for column in columns]
             for row in range(result.ntuples)],
            [result.ftype(column) in _NUMBERS for column in columns])

    def draw(self, width: int) -> Iterator[str]:
        """The lines of the table, at most width columns wide unless a single word is wider."""
        widths = self._widths(width)
        if widths is None:
            yield from self.draw_records(width)
            return
        names = [f" {name:^{wide}} " for name, wide in zip(self.names, widths, strict=True)]
        yield "│".join(names).rstrip()
        yield "┼".join("─" * (wide + 2) for wide in widths)
        for row in self.rows:
            parts = [wrap(cell, wide) for cell, wide in zip(row, widths, strict=True)]
            for line in range(max(map(len, parts))):
                cells = [part[line] if line < len(part) else "" for part in parts]
                yield "│".join(f" {cell:{'>' if right else '<'}{wide}} " for cell, wide, right in
                               zip(cells, widths, self.is_number, strict=True)).rstrip()

    def draw_records(self, width: int) -> Iterator[str]:
        """One line per value, as psql does it after \\x on."""
        name_width = max(map(len, self.names))
        value_width = max(width - name_width - 3, 1)
        wrapped = [[wrap(cell, value_width) for cell in row] for row in self.rows]
        widest = max((len(line) for row in wrapped for part in row for line in part), default=0)
        for number, row in enumerate(wrapped, start=1):
            rule = f"{f'─[ RECORD {number} ]':─<{name_width + 1}}┬{'─' * (widest + 1)}"
            yield rule[:width]
            for name, part in zip(self.names, row, strict=True):
                for line, text in enumerate(part):
                    yield f"{'' if line else name:<{name_width}} │ {text}".rstrip()

    def _widths(self, width: int) -> list[int] | None:
        """The widths of the columns; the widest is narrowed first. None if the words do not fit."""
        columns = list(zip(self.names, *self.rows, strict=True))
        widths = [max(map(len, cells)) for cells in columns]
        least = [max(len(word) for cell in cells for word in (cell.split() or [""]))
                 for cells in columns]
        excess = sum(wide + 3 for wide in widths) - 1 - width
        while excess > 0:
            # Ties go to the column on the right, where the explanations stand.
            room, at = max((wide if wide > narrow else 0, index) for index, (wide, narrow)
                           in enumerate(zip(widths, least, strict=True)))
            if room == 0:
                return None
            widths[at] -= 1
            excess -= 1
        return widths


def wrap(text: str, width: int) -> list[str]:
    """The lines of the text, broken only between words; at least one line."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


@dataclass(frozen=True)
class Part:
    """What a file for psql holds: a title, or a statement and how its result is to be drawn."""

    title: str = ""
    statement: str = ""
    as_records: bool = False


def parts_of(script: str) -> Iterator[Part]:
    """The titles (\\echo) and statements of a psql file that has only \\x and \\pset besides."""
    as_records = False
    statement: list[str] = []
    for line in script.splitlines():
        line = re.sub(r"\s*--.*", "", line)
        if line.startswith("\\echo "):
            yield Part(title=line.removeprefix("\\echo "))
        elif line.startswith("\\x "):
            as_records = line == "\\x on"
        elif line and not line.startswith("\\"):
            statement.append(line)
            if line.endswith(";"):
                yield Part(statement="\n".join(statement), as_records=as_records)
                statement = []
