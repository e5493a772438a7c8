"""A trace of tasks: a CSV file with a line for each task, when it arrives and how long it runs.

The columns are `arrival_s,runtime_s`, seconds from the beginning of the trace; a header may name them in another order and beside
others, lines that begin with `#` are comments. Everything that is wrong is told at once, with line numbers.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoscaler.sim.csv_lines import Table, read_lines, read_rows

TASKS = Table("tasks", ("arrival_s", "runtime_s"))
LONGEST_SECONDS = 10 * 366 * 86400.0


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
    return parse(read_lines(path), str(path))


def parse(lines: Iterable[str], name: str) -> Trace:
    """The trace in these lines; `name` stands before the line numbers of what is wrong.

    >>> parse(["# two tasks", "runtime_s,arrival_s", "1.5,0", "2,10"], "t.csv").work_seconds
    3.5
    """
    return trace_of(read_rows(TASKS, lines, name, _task))


def _task(fields: Mapping[str, str]) -> tuple[float, float]:
    arrival, runtime = (_seconds(fields[column], column) for column in TASKS.columns)
    return arrival, runtime


def _seconds(text: str, column: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{column} is {text[:40]!r}: write seconds like 12 or 0.5") from None
    if not 0 <= value <= LONGEST_SECONDS:
        since = ", counted from the beginning of the trace" if column == TASKS.columns[0] else ""
        raise ValueError(f"{column} is {text[:40]}: write seconds from 0 to ten years{since}")
    return value
