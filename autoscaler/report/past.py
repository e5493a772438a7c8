"""Reads a journal back as it was lived: tick by tick, every pool as it was then. The file is only read, a daemon may be using it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from autoscaler.report import shelf
from autoscaler.report.journal import JournalUnreadable
from autoscaler.report.ticks import Look, PoolTick, Run


@dataclass(frozen=True, slots=True)
class Past:
    """What a journal holds of its last days."""

    times: tuple[tuple[float, bool], ...]
    """When every tick was, and whether a daemon began with it."""
    runs: Mapping[str, tuple[Run, ...]]
    """The rows of each pool, oldest first."""
    configurations: tuple[str, ...]
    """Hashes of the files that were in force, the first one first."""

    def looks(self) -> Iterator[Look]:
        """Every tick, oldest first."""
        places = dict.fromkeys(self.runs, 0)
        for at, fresh in self.times:
            yield Look(at, fresh, {pool: tick for pool in places if (tick := self._tick(pool, places, at))})

    def _tick(self, pool: str, places: dict[str, int], at: float) -> PoolTick | None:
        """The pool at this moment, None where it was not looked at; moves its place in the row of rows forward."""
        runs = self.runs[pool]
        while places[pool] < len(runs) and runs[places[pool]].until < at:
            places[pool] += 1
        run = runs[places[pool]] if places[pool] < len(runs) else None
        return replace(run.tick, at=at) if run and run.tick.at <= at else None


def read_past(path: Path) -> Past:
    """What can be replayed of this journal. Raises JournalUnreadable, also where it holds nothing of the kind."""
    try:
        connection = shelf.open_to_read(path)
        try:
            looks = shelf.read_looks(connection)
            runs = shelf.read_runs(connection) if looks else []
            configurations = shelf.read_configurations(connection, looks[0][0], looks[-1][0]) if looks else []
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise JournalUnreadable(f"{path}: cannot be read as a journal: {error}") from error
    if not looks:
        raise JournalUnreadable(
            f"{path}: holds no ticks that can be replayed: it is new, or an older version wrote it; let this version's daemon run a while"
        )
    by_pool: dict[str, list[Run]] = {}
    for run in runs:
        by_pool.setdefault(run.tick.pool, []).append(run)
    return Past(tuple(looks), {pool: tuple(found) for pool, found in by_pool.items()}, tuple(configurations))
