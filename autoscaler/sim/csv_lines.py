"""Tables of numbers as people write them: a header that names the columns in any order, `#` comments, empty lines.

`arrivals` and `observations` say which columns there are and what a line means; here is what they share: everything that is wrong
is told at once, each with its line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeVar

from autoscaler.errors import TraceUnusable

MOST_BYTES = 256 * 1024 * 1024
_MOST_PROBLEMS = 20

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Table:
    """Which columns a file has."""

    rows: str
    """What a line stands for, in the plural."""
    columns: tuple[str, ...]
    """Needed; without a header they stand in this order."""
    extra: tuple[str, ...] = ()
    """Read where the header names them."""
    needs_header: bool = False

    @property
    def example(self) -> str:
        """The header as one would write it."""
        return ",".join(self.columns)


def read_lines(path: Path) -> list[str]:
    """The lines of a file; raises TraceUnusable where it cannot be read or is too large."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise TraceUnusable(f"{path}: is larger than {MOST_BYTES >> 20} MB: give a part of it")
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TraceUnusable(f"{path}: cannot be read: {error}") from error


def read_rows(table: Table, lines: Iterable[str], name: str, row: Callable[[Mapping[str, str]], Row]) -> list[Row]:
    """What `row` makes of the fields of each line; raises TraceUnusable with every line for which it raises ValueError.

    `name` stands before the numbers of the lines. Columns of other names are left alone.
    """
    rows: list[Row] = []
    problems: list[str] = []
    fields = _fields(lines)
    first = next(fields, None)
    places = {column: place for place, column in enumerate(table.columns)}
    if first and (table.needs_header or _is_header(first[1])):
        try:
            places = _places(table, first[1])
        except ValueError as error:  # without it no line below can be judged
            raise TraceUnusable(f"{name}:{first[0]}: {error}") from error
        first = None
    for number, line in chain([first] if first else [], fields):
        try:
            rows.append(row(_named(line, places)))
        except ValueError as error:
            problems.append(f"{name}:{number}: {error}")
    if not rows and not problems:
        problems.append(f"{name}: holds no {table.rows}: write lines of {table.example}")
    if problems:
        more = len(problems) - _MOST_PROBLEMS
        raise TraceUnusable("\n".join(problems[:_MOST_PROBLEMS] + ([f"... and {more} more lines"] if more > 0 else [])))
    return rows


def _fields(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, [field.strip() for field in line.split(",")]


def _is_header(fields: list[str]) -> bool:
    """Whether this line names columns, instead of being a row already."""
    names = [field.strip('"').lower() for field in fields]
    return any(name and (name[0].isalpha() or name[0] == "_") and name not in ("nan", "inf", "infinity") for name in names)


def _places(table: Table, fields: list[str]) -> dict[str, int]:
    names = [field.strip('"').lower() for field in fields]
    missing = [column for column in table.columns if column not in names]
    if missing:
        raise ValueError(f"the header has no column {' and no column '.join(missing)}: name the columns {table.example}")
    return {column: names.index(column) for column in (*table.columns, *table.extra) if column in names}


def _named(fields: list[str], places: Mapping[str, int]) -> dict[str, str]:
    if len(fields) <= max(places.values()):
        raise ValueError(f"has {len(fields)} of the columns, it needs {len(places)}: {','.join(places)}")
    return {column: fields[place] for column, place in places.items()}
