"""What shows only between two records: how long a start and a drain took, who failed, which tasks were cut off.

`metrics.py` hands every record in, in order, and counts what comes out. Only ends that were watched are told: a worker that
was already there when the daemon started teaches nothing about starting.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from autoscaler.model import ActionKind, Exit, Memory, Outcome, Phase, PoolDecision, Record, Result

T = TypeVar("T")

MOST_NAMES = 2000
"""How many replicas are remembered; the oldest half goes first."""


class Failure(StrEnum):
    """How a worker can end, or fail to begin, without being asked to leave."""

    START_REFUSED = "start_refused"
    START_TIMEOUT = "start_timeout"
    NEVER_STARTED = "never_started"
    OOM = "oom"
    EXIT_NONZERO = "exit_nonzero"
    EXIT_UNASKED = "exit_unasked"


@dataclass(frozen=True, slots=True)
class Started:
    """A worker was heard for the first time, so many seconds after its container was created."""

    pool: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Drained:
    """A worker that was asked to leave has left, so many seconds after it was asked."""

    pool: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """A worker ended, or did not begin, without being asked to."""

    pool: str
    reason: Failure


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Running tasks were cut off by a kill; at least one where nobody could say how many ran."""

    pool: str
    tasks: int


Lesson = Started | Drained | Failed | Interrupted


class Lessons:
    """Reads records in order and tells what each adds to what was known."""

    def __init__(self) -> None:
        self._awaited: dict[str, bool] = {}
        """Replicas not heard yet; True once their start was counted as failed."""
        self._drain_since: dict[str, float] = {}
        self._running: dict[str, int | None] = {}

    def learn(self, record: Record, memory: Memory) -> Iterator[Lesson]:
        """What this record teaches; the memory is the one after it."""
        for pool in record.decision.pools:
            yield from self._of_replicas(pool, record.at)
            for drain in [drain for lane in memory.of_lanes(pool.pool) for drain in lane.drains]:
                _keep(self._drain_since, drain.replica, drain.since)
        for outcome in record.outcomes:
            yield from self._of_outcome(outcome)

    def _of_replicas(self, pool: PoolDecision, now: float) -> Iterator[Lesson]:
        for action in pool.actions:
            if action.kind is ActionKind.START:
                self._await(action.replica)
        for replica in pool.view.replicas:
            _keep(self._running, replica.name, replica.running)
            if replica.phase is Phase.STARTING:
                self._await(replica.name)
            elif replica.phase is Phase.READY and self._awaited.pop(replica.name, None) is not None:
                yield Started(pool.pool, max(0.0, now - replica.since))
            elif replica.start_failed and not self._awaited.get(replica.name):
                _keep(self._awaited, replica.name, True)
                yield Failed(pool.pool, Failure.START_TIMEOUT)

    def _await(self, name: str) -> None:
        if name not in self._awaited:
            _keep(self._awaited, name, False)

    def _of_outcome(self, outcome: Outcome) -> Iterator[Lesson]:
        pool, name, kind = outcome.action.pool, outcome.action.replica, outcome.action.kind
        if kind is ActionKind.START and outcome.result is Result.FAILED:
            self._awaited.pop(name, None)
            yield Failed(pool, Failure.START_REFUSED)
        if outcome.result is not Result.DONE:
            return
        if kind is ActionKind.KILL and (tasks := self._running.get(name)) != 0:
            yield Interrupted(pool, 1 if tasks is None else tasks)
        elif kind is ActionKind.REMOVE:
            self._awaited.pop(name, None)
            self._running.pop(name, None)
            yield from _end(pool, outcome, self._drain_since.pop(name, None))


def _end(pool: str, outcome: Outcome, drain_since: float | None) -> Iterator[Lesson]:
    if drain_since is not None:
        yield Drained(pool, max(0.0, outcome.at - drain_since))
        if outcome.exit and outcome.exit.oom:
            yield Failed(pool, Failure.OOM)
    elif outcome.exit:
        yield Failed(pool, _unasked(outcome.exit))


def _unasked(end: Exit) -> Failure:
    if end.oom:
        return Failure.OOM
    if end.code is None:
        return Failure.NEVER_STARTED
    return Failure.EXIT_NONZERO if end.code else Failure.EXIT_UNASKED


def _keep(names: dict[str, T], name: str, value: T) -> None:
    """Remember one name; the oldest half is forgotten when there are too many."""
    names[name] = value
    if len(names) > MOST_NAMES:
        for old in list(names)[: MOST_NAMES // 2]:
            del names[old]
