"""Stands at the loop's doors and shows what was seen then, tick by tick; whatever it is told to do, it does not.

It satisfies `loop.Eyes` and `loop.Hands`. A look is rebuilt from its sums: as many replicas in each phase as there were, as much
work on them, counters that move as they moved. Which replica ran what is not known, and no rule that counts replicas asks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from autoscaler.model import (
    Action,
    Container,
    ContainerState,
    Known,
    Memory,
    Observation,
    Outcome,
    Phase,
    Policies,
    PoolMemory,
    PoolPolicy,
    QueueSight,
    Reading,
    Result,
    SourceSight,
    Unknown,
    WorkerSight,
)
from autoscaler.policy.pace import changes_after
from autoscaler.report.ticks import Look, PoolTick

_NOT_TOLD = Unknown("it was not kept")
_UNSEEN = Unknown("nobody could see it then")
_LONG_AGO = 10 * 366 * 86400.0


@dataclass(slots=True)
class _Counters:
    """A pool's two counters, and how they are told by the replicas that there are."""

    started: int | None = None
    finished: int | None = None
    told: dict[str, tuple[int, int]] = field(default_factory=dict)

    def tell(self, tick: PoolTick, names: Sequence[str], *, listed: bool) -> None:
        """Let these replicas count what was counted since the last look; with nobody there it is told when somebody is.

        Who is gone begins at zero when it comes again, but for those whom the policy could not see go: for it they were there.
        """
        there = {name: self.told.get(name, (0, 0)) for name in names}
        self.told = there if listed else self.told | there
        if tick.started is None or tick.finished is None or not names:
            return
        if self.started is not None and self.finished is not None:
            began, ended = self.told[names[0]]
            self.told[names[0]] = (began + _since(self.started, tick.started), ended + _since(self.finished, tick.finished))
        self.started, self.finished = tick.started, tick.finished


def _since(before: int, now: int) -> int:
    """What a counter has counted; one that fell was begun anew."""
    return now - before if now >= before else now


class Witness:
    """What was seen of some pools, one look after the other."""

    def __init__(self) -> None:
        self.past = Look(0.0, False, {})
        """The look that is shown next."""
        self._counters: dict[str, _Counters] = {}

    def look(self, policies: Policies, now: float) -> Observation:
        """The look as it was then, as far as it is known."""
        assert now == self.past.at, "another moment was asked for than is shown"
        queues: dict[str, QueueSight] = {}
        voices: dict[str, WorkerSight] = {}
        listed: list[Container] = []
        unlisted = any(tick.busy is None and not tick.rare.mute for tick in self.past.pools.values())
        for policy in policies.pools.values():
            tick = self.past.pools[policy.name]
            queues.update(_queues(policy, tick))
            for name, phase, voice in self._replicas(policy, tick, listed=not unlisted):
                created = now - _LONG_AGO if phase is Phase.LOST else now
                listed.append(Container(name, name, policy.name, ContainerState.RUNNING, created, "then"))
                if voice is not None:
                    voices[voice.name] = voice
        return Observation(now, queues, voices, _UNSEEN if unlisted else Known(tuple(listed), now, "fleet"), _up(now))

    def act(self, actions: tuple[Action, ...], now: float) -> tuple[Outcome, ...]:
        """Nothing: what happened has happened."""
        return tuple(Outcome(action, Result.NOTHING_TO_DO, now) for action in actions)

    def _replicas(self, policy: PoolPolicy, tick: PoolTick, *, listed: bool) -> Iterator[tuple[str, Phase, WorkerSight | None]]:
        """Name, phase and voice of every replica; those that start or are lost have none."""
        names = {phase: [f"{policy.name}-{phase}-{n}" for n in range(count)] for phase, count in _phases(tick)}
        telling = [*names[Phase.READY], *names[Phase.DRAINING]]
        counters = self._counters.setdefault(policy.name, _Counters())
        counters.tell(tick, telling, listed=listed)
        work, now = _work(policy.slots, tick), tick.at
        for phase, members in names.items():
            for number, name in enumerate(members):
                if name not in counters.told:
                    yield name, phase, None
                    continue
                runs, holds = work.get((phase, number), (0, 0))
                is_mute = phase is Phase.READY and number < tick.rare.mute
                began, ended = counters.told[name]
                counted = tick.started is not None
                voice = WorkerSight(
                    name=f"celery@{name}",
                    online=Known(True, now, "then"),
                    running=_UNSEEN if is_mute else Known(runs, now, "then"),
                    reserved=_UNSEEN if is_mute else Known(holds, now, "then"),
                    scheduled=Known(int(phase is Phase.READY and number < tick.rare.scheduled), now, "then"),
                    draining=Known(phase is Phase.DRAINING, now, "then"),
                    slots=_NOT_TOLD,
                    started=Known(began, now, "then") if counted else _NOT_TOLD,
                    finished=Known(ended, now, "then") if counted else _NOT_TOLD,
                )
                yield name, phase, voice


def _phases(tick: PoolTick) -> tuple[tuple[Phase, int], ...]:
    return (
        (Phase.READY, tick.ready),
        (Phase.STARTING, tick.starting),
        (Phase.DRAINING, tick.draining),
        (Phase.LOST, tick.rare.lost),
    )


def _work(slots: int, tick: PoolTick) -> dict[tuple[Phase, int], tuple[int, int]]:
    """(running, prefetched) of the replicas: only the sums are known, and over how many replicas they were spread."""
    busy, running = tick.busy or 0, tick.running or 0
    on_ready = min(busy, running)
    at_work = min(tick.ready, busy, math.ceil(busy / slots) + tick.rare.spread)
    running_on, held_by = _shares(on_ready, at_work), _shares(busy, at_work)
    work = {(Phase.READY, number): (running_on[number], held_by[number] - running_on[number]) for number in range(at_work)}
    leaving = running - on_ready
    for number in range(tick.draining):
        runs = min(slots, leaving)
        work[Phase.DRAINING, number] = (runs, 0)
        leaving -= runs
    return work


def _shares(tasks: int, replicas: int) -> list[int]:
    """So many tasks, dealt out to so many replicas in turn.

    >>> _shares(5, 3)
    [2, 2, 1]
    """
    return [tasks // replicas + (number < tasks % replicas) for number in range(replicas)]


def _queues(policy: PoolPolicy, tick: PoolTick) -> dict[str, QueueSight]:
    """All that waits stands in the first queue."""
    waiting: Reading[int] = _UNSEEN if tick.backlog is None else Known(tick.backlog, tick.at, "then")
    held = sum(runs + holds for runs, holds in _work(policy.slots, tick).values()) + min(tick.rare.scheduled, tick.ready)
    unacked: Reading[int] = Known(tick.rare.leftover + held, tick.at, "then") if tick.rare.leftover else _NOT_TOLD
    first, *others = policy.queues
    return {first: QueueSight(first, waiting, unacked)} | {q: QueueSight(q, Known(0, tick.at, "then")) for q in others}


def _up(now: float) -> tuple[SourceSight, ...]:
    return SourceSight("flower", True, "", 0.0, now), SourceSight("fleet", True, "", 0.0, now)


def as_it_was(memory: Memory, past: Look) -> Memory:
    """The memory with what it cannot have learned from hands that do nothing: what was changed, what failed, what starts took."""
    return Memory({name: _pool_as_it_was(kept, past.pools[name]) for name, kept in memory.pools.items()})


def _pool_as_it_was(kept: PoolMemory, tick: PoolTick) -> PoolMemory:
    rare, change = tick.rare, tick.rare.up - tick.rare.down
    boot = kept.boot_seconds if tick.boot_seconds is None else tick.boot_seconds
    stop = kept.stop_seconds if tick.stop_seconds is None else tick.stop_seconds
    known = (kept.boot_seconds, kept.stop_seconds, kept.failures, kept.backoff_until)
    if not (rare.up or rare.down) and known == (boot, stop, rare.failures, rare.backoff_until):
        return kept
    return replace(
        kept,
        last_up=tick.at if rare.up else kept.last_up,
        last_down=tick.at if rare.down else kept.last_down,
        changes=changes_after(kept.changes, change, tick.at) if change else kept.changes,
        boot_seconds=boot,
        stop_seconds=stop,
        failures=rare.failures,
        backoff_until=rare.backoff_until,
    )
