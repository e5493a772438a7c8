"""What shows only between two records: how long a start and a drain took, who failed, which tasks were cut off.

`metrics.py` hands every record in, in order, and counts what comes out. Only ends that were watched are told: a worker that
was already there when the daemon started teaches nothing about starting. Why a worker failed is `policy/failures.py`'s to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from autoscaler.model import ActionKind, Failure, Memory, Outcome, Phase, PoolDecision, Record, Result
from autoscaler.policy.failures import failure_of

T = TypeVar("T")

MOST_NAMES = 2000
"""How many replicas are remembered; the oldest half goes first."""


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
        self._awaited: dict[str, None] = {}
        """Replicas not heard yet."""
        self._heard: dict[str, None] = {}
        """Replicas that were heard when last seen."""
        self._drain_since: dict[str, float] = {}
        self._running: dict[str, int | None] = {}

    def learn(self, record: Record, memory: Memory) -> Iterator[Lesson]:
        """What this record teaches; the memory is the one after it."""
        for pool in record.decision.pools:
            yield from self._of_replicas(pool, record.at)
        for lane in memory.pools.values():
            for drain in lane.drains:
                _keep(self._drain_since, drain.replica, drain.since)
        for outcome in record.outcomes:
            lanes = memory.of_lanes(outcome.action.pool)
            yield from self._of_outcome(outcome, fell=any(outcome.action.replica in lane.fell for lane in lanes))

    def _of_replicas(self, pool: PoolDecision, now: float) -> Iterator[Lesson]:
        for action in pool.actions:
            if action.kind is ActionKind.START:
                self._await(action.replica)
        for replica in pool.view.replicas:
            _keep(self._running, replica.name, replica.running)
            if replica.phase is Phase.STARTING:
                self._await(replica.name)
            elif replica.phase is Phase.READY and replica.name in self._awaited:
                del self._awaited[replica.name]
                yield Started(pool.pool, max(0.0, now - replica.since))
            elif replica.phase is Phase.LOST and replica.name in self._heard:
                del self._heard[replica.name]
                yield Failed(pool.pool, Failure.LOST)
            if replica.heard:
                _keep(self._heard, replica.name, None)

    def _await(self, name: str) -> None:
        if name not in self._awaited:
            _keep(self._awaited, name, None)

    def _of_outcome(self, outcome: Outcome, *, fell: bool) -> Iterator[Lesson]:
        pool, name, kind = outcome.action.pool, outcome.action.replica, outcome.action.kind
        drain_since = self._drain_since.get(name)
        if failure := failure_of(outcome, asked=drain_since is not None, fell=fell):
            yield Failed(pool, failure)
        if kind is ActionKind.START and outcome.result is Result.FAILED:
            self._awaited.pop(name, None)
        if outcome.result is not Result.DONE:
            return
        if kind is ActionKind.KILL and (tasks := self._cut_off(name, outcome)):
            yield Interrupted(pool, tasks)
        elif kind is ActionKind.REMOVE:
            for names in (self._awaited, self._heard, self._running, self._drain_since):
                names.pop(name, None)
            if drain_since is not None:
                yield Drained(pool, max(0.0, outcome.at - drain_since))

    def _cut_off(self, name: str, outcome: Outcome) -> int:
        """Tasks that a kill cut off: those whose ids are known, or as many as were last seen running; nobody's word is no zero."""
        running = self._running.get(name)
        return max(len(outcome.interrupted), 1 if running is None else running)


def _keep(names: dict[str, T], name: str, value: T) -> None:
    """Remember one name; the oldest half is forgotten when there are too many."""
    names[name] = value
    if len(names) > MOST_NAMES:
        for old in list(names)[: MOST_NAMES // 2]:
            del names[old]
