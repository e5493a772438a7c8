"""Tasks out of counts: when each must have come, begun and ended, so that the counts are what they were.

Nobody keeps every task, but counters of started and finished tasks, the backlog and what runs are seen at every look. Three curves
follow, each only ever rising: tasks that have come (started + waiting), that were begun, and that have ended (begun - running).
The k-th task is the k-th step of each. So the number of tasks, the waits of a queue that is served in order, and the work (running
slot-seconds) are those that were seen; which task was the long one is not known, so long and short ones running side by side
come out more alike than they were. Between two looks steps are spread evenly.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from statistics import median

from autoscaler.errors import TraceUnusable
from autoscaler.report.past import read_past
from autoscaler.report.ticks import PoolTick
from autoscaler.sim.arrivals import Trace
from autoscaler.sim.replay import lengths


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The tasks of a pool as they must have been."""

    begins_at: float
    """The moment from which the trace counts."""
    seconds: float
    """From the first look to the last."""
    trace: Trace
    waits: Sequence[float]
    """How long each task waited, or has waited by the end, in the order of the trace."""
    still_running: int
    """Tasks that had not ended with the last look; how long they run is a guess."""
    boot_seconds: float
    """What a start took on average."""


def trace_of_journal(path: Path, pool: str) -> Rebuilt:
    """The tasks that a daemon's journal tells of. Raises JournalUnreadable, TraceUnusable."""
    past = read_past(path)
    if pool not in past.runs:
        raise TraceUnusable(f"{path}: tells nothing of a pool {pool!r}: it has {', '.join(sorted(past.runs))}")
    return rebuild([look.pools[pool] for look in past.looks() if pool in look.pools])


def rebuild(ticks: Sequence[PoolTick]) -> Rebuilt:
    """The tasks behind these ticks of one pool. Raises TraceUnusable where nobody counted, or nothing came.

    >>> seen = [(0, 0, 0), (2, 1, 1), (1, 1, 2), (0, 0, 3)]  # (waiting, running, started) every 4 s
    >>> again = rebuild([PoolTick(4.0 * n, "p", q, b, 1, 0, 0, 1, "", b, s, 0) for n, (q, b, s) in enumerate(seen)])
    >>> [round(at, 1) for at in again.trace.arrivals], [round(wait, 1) for wait in again.waits], list(again.trace.runtimes)
    ([0.7, 2.0, 3.3], [1.3, 4.0, 6.7], [4.0, 3.0, 1.0])
    """
    told = [tick for tick in ticks if tick.backlog is not None and tick.running is not None]
    if sum(tick.started is not None for tick in told) < 2:
        raise TraceUnusable("nobody counted started tasks, so which tasks there were is not known; what was decided can be replayed")
    curves = _curves(told)
    came, begun, ended = (list(_steps(curve, [tick.at for tick in told])) for curve in curves)
    if not came:
        raise TraceUnusable("no task came in this time, so there is nothing to simulate; what was decided can be replayed")
    first, last = told[0].at, told[-1].at
    mean = _mean_runtime(told, len(ended))
    arrivals, runtimes, waits = array("d"), array("d"), array("d")
    for number, arrival in enumerate(came):
        start = max(arrival, begun[number]) if number < len(begun) else math.inf
        end = max(start, ended[number]) if number < len(ended) else math.inf
        arrivals.append(arrival - first)
        waits.append(min(start, last) - arrival)
        runtimes.append(end - start if end < math.inf else max(mean, last - start))
    return Rebuilt(first, last - first, Trace(arrivals, runtimes), waits, len(begun) - len(ended), _boot_seconds(ticks))


def _curves(ticks: Sequence[PoolTick]) -> tuple[list[int], list[int], list[int]]:
    """Tasks that have come, were begun and have ended by each look; those that were there at the first look came with it.

    Counts are not read at one moment: a task that begins between two readings is in both, or in none. But no more can have come by
    now than by any later look, so each curve is held under all that follows; what all of it comes to in the end is exact. An end
    that no counter tells of, because its worker left before the next look, shows in what runs.
    """
    begun = _begun(ticks)
    came = _held_under([start + _waiting(tick) for start, tick in zip(begun, ticks, strict=True)])
    ended = _held_under([max(0, start - (tick.running or 0)) for start, tick in zip(begun, ticks, strict=True)])
    return [0, *came], [0, *begun], [0, *ended]


def _begun(ticks: Sequence[PoolTick]) -> list[int]:
    """Tasks begun by each look; where nobody counts yet, or anew, what left the queue, or runs, must have been begun."""
    begun: list[int] = []
    came = latest = base = 0
    before: int | None = None
    for tick in ticks:
        if tick.started is None or before is None or tick.started < before:
            latest = max(latest, came - _waiting(tick), tick.running or 0)
            base = latest - (tick.started or 0)
        else:
            latest = base + tick.started
        before = tick.started
        begun.append(latest)
        came = max(came, latest + _waiting(tick))
    return begun


def _waiting(tick: PoolTick) -> int:
    """In the queue, or taken by a worker that has not begun it."""
    return (tick.backlog or 0) + tick.rare.reserved


def _held_under(counts: Sequence[int]) -> list[int]:
    """The same with nothing above what comes later.

    >>> _held_under([0, 3, 2, 2, 5, 4])
    [0, 2, 2, 2, 4, 4]
    """
    return list(accumulate(reversed(counts), min))[::-1]


def _steps(curve: Sequence[int], times: Sequence[float]) -> Iterator[float]:
    """When the curve makes each of its steps; those of the first look at its moment.

    >>> list(_steps([0, 1, 3, 3], [10.0, 12.0, 14.0]))
    [10.0, 10.5, 11.5]
    """
    for (low, high), (since, until) in zip(pairwise(curve), pairwise([times[0], *times]), strict=True):
        for number in range(high - low):
            yield since + (number + 0.5) / (high - low) * (until - since)


def _mean_runtime(ticks: Sequence[PoolTick], ended: int) -> float:
    """Running slot-seconds for each task that has ended."""
    work = math.fsum((after.at - before.at) * (before.running or 0) for before, after in pairwise(ticks))
    return work / ended if ended else 0.0


def _boot_seconds(ticks: Sequence[PoolTick]) -> float:
    """From the order to the look that finds the worker ready: seconds spent starting for each start, and no more than was ever learned.

    What was learned is the slowest start of late, and before the first one a guess. A start that was taken back before it was ready
    counts as a short one, so where many are this is too low.
    """
    learned = [tick.boot_seconds for tick in ticks if tick.boot_seconds is not None]
    starts, held = sum(tick.rare.up for tick in ticks), lengths([tick.at for tick in ticks])
    if not starts or not learned:
        return max(learned, default=0.0)
    starting = math.fsum(tick.starting * seconds for tick, seconds in zip(ticks, held, strict=True))
    return min(max(learned), starting / starts + median(held))
