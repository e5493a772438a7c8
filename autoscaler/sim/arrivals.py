"""A trace of tasks: a CSV file with a line for each task, when it arrives and how long it runs.

The columns are `arrival_s,runtime_s`, seconds from the beginning of the trace; a header may name them in another order and beside
others, lines that begin with `#` are comments. Everything that is wrong is told at once, with line numbers.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoscaler.errors import TraceUnusable

COLUMNS = ("arrival_s", "runtime_s")
LONGEST_SECONDS = 10 * 366 * 86400.0
MOST_BYTES = 256 * 1024 * 1024
_MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class Trace:
    """Tasks in the order in which they arrive."""

    arrivals: Sequence[float]
    """Seconds from the beginning of the trace."""
    runtimes: Sequence[float]
    """Seconds that each task runs."""

    def __len__(self) -> int:
        return len(self.arrivals)

    @property
    def work_seconds(self) -> float:
        """Slot-seconds of all tasks together."""
        return math.fsum(self.runtimes)


def trace_of(tasks: Iterable[tuple[float, float]]) -> Trace:
    """A trace of (arrival, runtime) pairs in any order.

    >>> list(trace_of([(5.0, 1.0), (2.0, 9.0)]).arrivals)
    [2.0, 5.0]
    """
    in_order = sorted(tasks, key=lambda task: task[0])
    return Trace(array("d", (a for a, _ in in_order)), array("d", (r for _, r in in_order)))


def load_trace(path: Path) -> Trace:
    """The trace in a file; raises TraceUnusable with every bad line."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise TraceUnusable(f"{path}: is larger than {MOST_BYTES >> 20} MB: give a part of it")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TraceUnusable(f"{path}: cannot be read: {error}") from error
    return parse(text.splitlines(), str(path))


def parse(lines: Iterable[str], name: str) -> Trace:
    """The trace in these lines; `name` stands before the line numbers of what is wrong.

    >>> parse(["# two tasks", "runtime_s,arrival_s", "1.5,0", "2,10"], "t.csv").work_seconds
    3.5
    """
    tasks: list[tuple[float, float]] = []
    problems: list[str] = []
    columns: tuple[int, int] | None = None
    for number, fields in _rows(lines):
        try:
            if columns is None:
                columns = _header(fields)
                if columns is not None:
                    continue
                columns = (0, 1)
            tasks.append(_task(fields, columns))
        except ValueError as error:
            columns = columns or (0, 1)
            problems.append(f"{name}:{number}: {error}")
    if not tasks and not problems:
        problems.append(f"{name}: holds no tasks: write lines of arrival_s,runtime_s")
    if problems:
        more = len(problems) - _MOST_PROBLEMS
        raise TraceUnusable("\n".join(problems[:_MOST_PROBLEMS] + ([f"... and {more} more lines"] if more > 0 else [])))
    return trace_of(tasks)


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, [field.strip() for field in line.split(",")]


def _header(fields: list[str]) -> tuple[int, int] | None:
    """Where the two columns stand, None when this line is a task already."""
    names = [field.strip('"').lower() for field in fields]
    if not any(name and (name[0].isalpha() or name[0] == "_") and name not in ("nan", "inf", "infinity") for name in names):
        return None
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        raise ValueError(f"the header has no column {' and no column '.join(missing)}: name the columns arrival_s,runtime_s")
    return names.index(COLUMNS[0]), names.index(COLUMNS[1])


def _task(fields: list[str], columns: tuple[int, int]) -> tuple[float, float]:
    if len(fields) <= max(columns):
        raise ValueError(f"has {len(fields)} of the columns, a task needs two: arrival_s,runtime_s")
    arrival, runtime = (_seconds(fields[at], column) for at, column in zip(columns, COLUMNS, strict=True))
    return arrival, runtime


def _seconds(text: str, column: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{column} is {text[:40]!r}: write seconds like 12 or 0.5") from None
    if not 0 <= value <= LONGEST_SECONDS:
        since = ", counted from the beginning of the trace" if column == COLUMNS[0] else ""
        raise ValueError(f"{column} is {text[:40]}: write seconds from 0 to ten years{since}")
    return value
