"""A run in columns of equal time, for a drawing: the highest, the mean, and what the tasks of a column waited.

A mean keeps the area under the curve, which is what workers cost; a highest value keeps the peak.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from autoscaler.sim.arrivals import Trace
from autoscaler.sim.bounds import Plan
from autoscaler.sim.run import Course

_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)
_NICE_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Columns:
    """So many columns from 0 to an end."""

    end: float
    count: int

    @property
    def width(self) -> float:
        """Seconds of one column."""
        return self.end / self.count or 1.0

    def at(self, moment: float) -> int:
        """The column of a moment; the end belongs to the last."""
        return min(self.count - 1, max(0, int(moment / self.width)))

    def means(self, stretches: Iterable[tuple[float, float, float]]) -> list[float]:
        """The mean of each column, of a value that is the sum of stretches (since, until, value).

        >>> Columns(10.0, 5).means([(0.0, 3.0, 2.0), (3.0, 10.0, 4.0)])
        [2.0, 3.0, 4.0, 4.0, 4.0]
        """
        sums = [0.0] * self.count
        for since, until, value in stretches:
            for column in range(self.at(since), self.at(until) + 1):
                within = min(until, (column + 1) * self.width) - max(since, column * self.width)
                sums[column] += max(0.0, within) * value
        return [total / self.width for total in sums]

    def highest(self, stretches: Iterable[tuple[float, float, float]]) -> list[float]:
        """The highest value that holds in each column.

        >>> Columns(10.0, 5).highest([(0.0, 3.0, 7.0), (3.0, 10.0, 1.0)])
        [7.0, 7.0, 1.0, 1.0, 1.0]
        """
        most = [0.0] * self.count
        for since, until, value in stretches:
            for column in range(self.at(since), self.at(until) + 1):
                most[column] = max(most[column], value)
        return most

    def waits(self, trace: Trace, waits: Sequence[float]) -> list[tuple[float, float] | None]:
        """(median, longest) wait of the tasks that arrived in each column; None where none did."""
        edges = [bisect_left(trace.arrivals, column * self.width) for column in range(self.count)] + [len(trace)]
        groups = (waits[since:until] for since, until in pairwise(edges))
        return [(statistics.median(group), max(group)) if group else None for group in groups]


def held(course: Course, values: Sequence[int]) -> list[tuple[float, float, float]]:
    """A value seen at each tick, as stretches: it holds until the next."""
    return [(since, until, value) for (since, until), value in zip(pairwise(course.at), values, strict=False)]


def needed(plan: Plan, stop_seconds: float) -> list[tuple[float, float, float]]:
    """The replicas of a plan, as stretches that cost one each: from its start until it is gone."""
    boot_seconds = plan.restart_seconds - stop_seconds
    return [(p.on - boot_seconds, p.off + stop_seconds, 1.0) for p in plan.periods]


def round_steps(most: float, about: int = 3) -> list[float]:
    """Round values from 0 to just above the most, about so many steps.

    >>> round_steps(14), round_steps(10.4), round_steps(0.0), round_steps(6800)
    ([0.0, 5.0, 10.0, 15.0], [0.0, 5.0, 10.0, 15.0], [0.0, 1.0], [0.0, 2500.0, 5000.0, 7500.0])
    """
    rough = most / about
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    step = next((nice * power for nice in _NICE if nice * power >= rough), power)
    return [number * step for number in range(max(1, math.ceil(most / step)) + 1)]


def round_times(end: float, about: int = 8) -> list[float]:
    """Round moments from 0 to the end.

    >>> round_times(172800.0), round_times(690.0)
    ([0.0, 21600.0, 43200.0, 64800.0, 86400.0, 108000.0, 129600.0, 151200.0, 172800.0], [0.0, 120.0, 240.0, 360.0, 480.0, 600.0])
    """
    days = math.ceil(end / about / 86400)
    step = next((float(nice) for nice in _NICE_SECONDS if end / nice <= about), days * 86400.0)
    return [number * step for number in range(int(end / step) + 1)]


def labels(moments: Sequence[float]) -> list[str]:
    """Round moments in one unit, the largest that keeps them whole.

    >>> labels([0.0, 1800.0, 3600.0]), labels([0.0, 21600.0]), labels([0.0, 90.0]), labels([0.0])
    (['0', '30 min', '60 min'], ['0', '6 h'], ['0', '90 s'], ['0'])
    """
    unit, name = next((pair for pair in ((3600, "h"), (60, "min")) if all(at % pair[0] == 0 for at in moments)), (1, "s"))
    return [f"{at / unit:g} {name}" if at else "0" for at in moments]
