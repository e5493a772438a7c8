"""What was seen of a pool over time, from a CSV file: the same looks that a journal gives, for pools that nobody kept one of.

The columns are `t_s,backlog,busy,ready,started,finished`: seconds, tasks that wait, slots in use, workers that are ready, and two
counters of tasks. A header must name them, in any order; `starting`, `draining` and `desired` are read where it names them, too.
An empty field is what nobody could see, which is not zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autoscaler.report.ticks import Look, PoolTick, Rare
from autoscaler.sim.csv_lines import Table, read_lines, read_rows
from autoscaler.sim.simulate import MONDAY
from autoscaler.sim.world import STOP_SECONDS

SEEN = Table(
    "observations", ("t_s", "backlog", "busy", "ready", "started", "finished"), extra=("starting", "draining", "desired"), needs_header=True
)
EARLIEST_CLOCK = 1e9
"""In September 2001: a smaller `t_s` counts from a beginning of its own."""
_MOST = 10**12
_ALWAYS_SEEN = ("ready", "starting", "draining", "desired")


@dataclass(frozen=True, slots=True)
class _Line:
    at: float
    counts: Mapping[str, int | None]


def load_observations(path: Path, pool: str, boot_seconds: float) -> tuple[Look, ...]:
    """The looks of a file; raises TraceUnusable with every bad line."""
    return parse(read_lines(path), str(path), pool, boot_seconds)


def epoch_of(looks: Sequence[Look]) -> float:
    """What times of the looks count from: 1970, or a Monday at midnight where they are too small for that."""
    return 0.0 if looks[0].at >= EARLIEST_CLOCK else MONDAY


def parse(lines: Iterable[str], name: str, pool: str, boot_seconds: float) -> tuple[Look, ...]:
    """The looks in these lines, as of a pool whose workers take `boot_seconds` to start.

    What was wanted at a look, where no column `desired` says it, is what was there afterwards: by the next look, or, for workers that
    first have to start, by the first look after `boot_seconds`. What is wanted and not ready yet is starting.

    >>> text = "t_s,backlog,busy,ready,started,finished"
    >>> looks = parse([text, "0,9,0,0,0,0", "2,9,0,0,0,0", "4,5,4,1,4,0"], "o.csv", "p", boot_seconds=3.0)
    >>> [(tick.at, tick.starting, tick.ready, tick.desired) for look in looks for tick in look.pools.values()]
    [(0.0, 0, 0, 1), (2.0, 1, 0, 1), (4.0, 0, 1, 1)]
    """
    rows = read_rows(SEEN, lines, name, _Clock().read)
    ticks = [_tick(row, pool, boot_seconds) for row in rows]
    if "desired" not in rows[0].counts:
        wanted = _wanted(ticks, 0.0 if "starting" in rows[0].counts else boot_seconds)
        ticks = [replace(tick, desired=count) for tick, count in zip(ticks, wanted, strict=True)]
    if "starting" not in rows[0].counts:
        before = [ticks[0].ready, *(tick.desired for tick in ticks)]
        ticks = [replace(tick, starting=max(0, count - tick.ready)) for tick, count in zip(ticks, before, strict=False)]
    return tuple(Look(tick.at, number == 0, {pool: _with_change(tick)}) for number, tick in enumerate(ticks))


def _with_change(tick: PoolTick) -> PoolTick:
    """Cooldowns count from where more, or fewer, were wanted than there were."""
    change = tick.desired - tick.current
    return replace(tick, rare=Rare(up=max(0, change), down=max(0, -change)))


def _wanted(ticks: Sequence[PoolTick], boot_seconds: float) -> Iterator[int]:
    """How many workers each look led to: the most that were there from the next look on, until those that were ordered had started."""
    latest = 0
    for number, tick in enumerate(ticks):
        latest = max(latest, min(number + 1, len(ticks) - 1))
        while latest + 1 < len(ticks) and ticks[latest].at < tick.at + boot_seconds:
            latest += 1
        yield max(ahead.current for ahead in ticks[min(number + 1, latest) : latest + 1])


class _Clock:
    """Reads line after line and holds each against the time of the one before."""

    def __init__(self) -> None:
        self._before: float | None = None

    def read(self, fields: Mapping[str, str]) -> _Line:
        """One line; raises ValueError with all that is wrong in it."""
        wrong: list[str] = []
        counts: dict[str, int | None] = {}
        for column, text in fields.items():
            if column != "t_s":
                try:
                    counts[column] = _count(text, column)
                except ValueError as error:
                    wrong.append(str(error))
        try:
            at = self._time(fields["t_s"])
        except ValueError as error:
            wrong.insert(0, str(error))
        if wrong:
            raise ValueError("; ".join(wrong))
        return _Line(at, counts)

    def _time(self, text: str) -> float:
        try:
            at = float(text)
        except ValueError:
            raise ValueError(f"t_s is {text[:40]!r}: write seconds like 12 or 0.5") from None
        if not 0 <= at < _MOST:
            raise ValueError(f"t_s is {text[:40]}: write seconds from 0 on, or seconds since 1970")
        before, self._before = self._before, at
        if before is not None and at <= before:
            raise ValueError(f"t_s is {text[:40]}, not later than the {before:g} of the line before: put the lines in order of time")
        return at


def _count(text: str, column: str) -> int | None:
    if not text and column not in _ALWAYS_SEEN:
        return None
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{column} is {text[:40]!r}: write a whole number{_or_nothing(column)}") from None
    if not 0 <= value < _MOST or value != int(value):
        raise ValueError(f"{column} is {text[:40]}: write a whole number from 0 on{_or_nothing(column)}")
    return int(value)


def _or_nothing(column: str) -> str:
    return "" if column in _ALWAYS_SEEN else ", or nothing where nobody could see it"


def _tick(line: _Line, pool: str, boot_seconds: float) -> PoolTick:
    count = line.counts
    counted = count["started"] is not None and count["finished"] is not None
    return PoolTick(
        at=line.at,
        pool=pool,
        backlog=count["backlog"],
        busy=count["busy"],
        ready=count["ready"] or 0,
        starting=count.get("starting") or 0,
        draining=count.get("draining") or 0,
        desired=count.get("desired") or 0,
        reason="",
        running=count["busy"],
        started=count["started"] if counted else None,
        finished=count["finished"] if counted else None,
        boot_seconds=boot_seconds,
        stop_seconds=STOP_SECONDS,
    )
