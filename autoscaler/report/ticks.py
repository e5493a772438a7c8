"""One pool in one tick, as numbers: what a chart draws, and all that a replay needs to ask again what should be done.

`journal.py` makes one for every pool of every record and `shelf.py` keeps it; `sim` reads them back, or makes them from a CSV
file. A stretch in which nothing changes is kept once, with its last moment (`Run`); the moments between are in the list of looks.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from autoscaler.model import Memory, Phase, PoolDecision, PoolMemory, Replica
from autoscaler.report.gauges import backlog, busy

LONGEST_RUN_SECONDS = 600.0
"""A stretch is written anew this often, so that rows can be let go by their age."""
LONGEST_PAUSE_SECONDS = 60.0
"""After a longer pause of the loop a new stretch begins: in between nobody looked."""


@dataclass(frozen=True, slots=True)
class Rare:
    """What hardly any tick has, kept only where there is some of it."""

    lost: int = 0
    """Replicas that nobody hears any more."""
    mute: int = 0
    """Starting or ready replicas of which nobody says what they run."""
    leftover: int = 0
    """Unacknowledged messages that no living worker holds."""
    scheduled: int = 0
    """Replicas that hold ETA or countdown tasks."""
    reserved: int = 0
    """Tasks that workers have taken from the queue and not begun."""
    spread: int = 0
    """Ready replicas that hold tasks, beyond those that these tasks would fill."""
    up: int = 0
    """Starts that this decision began: a cooldown counts from here."""
    down: int = 0
    """Drains that it began."""
    orders: int = 0
    """Standing orders of people and producers, which may overrule what the settings say."""
    lanes: int = 0
    """On how many brokers the pool had work or workers, where that was more than one."""
    outdated: int = 0
    """Replicas of an earlier spec or image, which are replaced."""
    failures: int = 0
    """Rounds in a row in which workers ended badly, by their own fault or the broker's."""
    backoff_until: float = 0.0
    wait: float = 0.0
    """How long the oldest task may have waited, at most, in seconds."""

    def text(self) -> str | None:
        """As JSON, None where there is nothing of the kind.

        >>> Rare(lost=2).text(), Rare().text()
        ('{"lost":2}', None)
        """
        some = {field.name: value for field in fields(self) if (value := getattr(self, field.name))}
        return json.dumps(some, separators=(",", ":")) if some else None


NOTHING_RARE = Rare()


@dataclass(frozen=True, slots=True)
class PoolTick:
    """What was seen of one pool in one tick, what was decided, and what was known of its past. None: nobody could say."""

    at: float
    pool: str
    backlog: int | None
    busy: int | None
    """Slots in use on ready replicas, prefetched tasks included."""
    ready: int
    starting: int
    draining: int
    desired: int
    reason: str
    running: int | None = None
    """Tasks that run, on replicas that leave, too."""
    started: int | None = None
    """Tasks begun since the memory began (a counter); arrivals are these and the backlog."""
    finished: int | None = None
    boot_seconds: float | None = None
    """As learned by then."""
    stop_seconds: float | None = None
    rare: Rare = NOTHING_RARE

    @property
    def current(self) -> int:
        """Replicas that serve or will."""
        return self.ready + self.starting + self.rare.lost

    @property
    def beyond_settings(self) -> str:
        """Why the settings of sizing alone do not say what should have been decided, in words; empty where they do."""
        if self.backlog is None or self.busy is None or self.rare.mute:
            return "not everything could be seen"
        if self.rare.orders:
            return "somebody had paused, scaled, drained or woken the pool"
        if self.rare.lanes:
            return "the pool was on more than one broker"
        return "workers of an earlier spec or image were replaced" if self.rare.outdated else ""


@dataclass(frozen=True, slots=True)
class Look:
    """All pools in one tick."""

    at: float
    fresh: bool
    """A daemon began with this tick."""
    pools: Mapping[str, PoolTick]


COLUMNS = tuple(field.name for field in fields(PoolTick))
"""Names of the fields, which are those of the columns."""


def pool_tick(decided: PoolDecision, memory: Memory, at: float) -> PoolTick:
    """One pool's part of a record, with the memory after it; of a pool on several brokers what is learned is the active one's."""
    view, flow = decided.view, decided.view.flow
    lanes = [memory.of(lane.key) for lane in decided.lanes or (decided,)]
    kept = lanes[0]
    return PoolTick(
        at=at,
        pool=decided.pool,
        backlog=backlog(decided),
        busy=busy(decided),
        ready=len(view.of(Phase.READY)),
        starting=len(view.of(Phase.STARTING)),
        draining=len(view.of(Phase.DRAINING)),
        desired=decided.desired,
        reason=str(decided.reason),
        running=sum(min(r.slots, r.running) for r in view.replicas if r.running is not None),
        started=flow.started if flow.is_measured else None,
        finished=flow.finished if flow.is_measured else None,
        boot_seconds=kept.boot_seconds,
        stop_seconds=kept.stop_seconds,
        rare=_rare(decided, lanes, at),
    )


def _rare(decided: PoolDecision, lanes: Sequence[PoolMemory], at: float) -> Rare:
    view, kept, fault = decided.view, lanes[0], lanes[0].broker_fault
    return Rare(
        lost=sum(1 for r in view.serving if r.phase is Phase.LOST),
        mute=sum(1 for r in view.of(Phase.STARTING, Phase.READY) if r.running is None),
        leftover=view.leftover,
        scheduled=sum(1 for r in view.replicas if r.scheduled and r.phase is not Phase.DRAINING),
        reserved=sum(r.reserved for r in view.replicas),
        spread=_spread(view.of(Phase.READY), view.busy),
        up=sum(1 for lane in lanes for _, ordered_at in lane.pending if ordered_at == at),
        down=sum(1 for lane in lanes for drain in lane.drains if drain.since == at),
        orders=len(view.orders),
        lanes=len(decided.lanes),
        outdated=sum(1 for r in view.serving if r.outdated),
        failures=kept.failures or (fault.times if fault else 0),
        backoff_until=max(kept.backoff_until, fault.until if fault else 0.0),
        wait=round(view.oldest_wait_seconds, 1),
    )


def _spread(ready: Sequence[Replica], busy: int) -> int:
    """Replicas with tasks that would be idle, were the others filled first."""
    at_work = sum(1 for r in ready if r.running or r.reserved)
    return max(0, at_work - math.ceil(busy / ready[0].slots)) if at_work else 0


def values(tick: PoolTick) -> tuple[Any, ...]:
    """The tick in the order of `COLUMNS`, as SQLite takes it."""
    return (*(getattr(tick, name) for name in COLUMNS[:-1]), tick.rare.text())


def tick_of(row: Mapping[str, Any]) -> PoolTick:
    """The tick back from a row; what a newer version knew to be rare is left out."""
    known = {name: value for name, value in json.loads(row["rare"] or "{}").items() if name in Rare.__dataclass_fields__}
    return PoolTick(**{name: row[name] for name in COLUMNS[:-1]}, rare=Rare(**known) if known else NOTHING_RARE)


@dataclass(slots=True)
class Run:
    """A row that is being kept, and until when it holds."""

    row: int
    tick: PoolTick
    until: float

    def takes(self, later: PoolTick) -> bool:
        """Whether this tick says the same, so that the row may just hold longer.

        While something waits every moment counts, for deadlines; so does that of a change.
        """
        pause = later.at - self.until
        if not 0 < pause <= LONGEST_PAUSE_SECONDS or later.at - self.tick.at > LONGEST_RUN_SECONDS:
            return False
        return not (later.backlog or later.rare.up or later.rare.down) and replace(later, at=self.tick.at) == self.tick
