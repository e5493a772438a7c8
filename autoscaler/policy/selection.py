"""Which replicas to start, drain, kill and remove, once the count is known.

Victims: those of an earlier spec first, then not yet ready ones, those seen idle in two looks, in one, the least busy, the youngest.
Nobody is asked twice.
"""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum

from autoscaler.model import (
    Action,
    ActionKind,
    Container,
    ContainerState,
    Drain,
    Phase,
    PoolMemory,
    PoolView,
    Replica,
)
from autoscaler.policy.drains import is_overdue
from autoscaler.policy.names import new_names
from autoscaler.policy.rolling import in_place, surge
from autoscaler.policy.rules import Proposal, startable
from autoscaler.policy.steering import sent_home


def actions(p: Proposal, instance: str) -> tuple[Action, ...]:
    """Everything to do for one lane; nothing at all while its containers cannot be listed."""
    view, drains, change = p.view, p.memory.drains, p.count - p.current
    to_settle = view.exited or drains or view.orders or view.failed_starts or view.outdated
    if not (change or to_settle) or not view.fleet_seen:
        return ()
    everything = (
        *(_removals(view) if view.exited else ()),
        *((*_kills(p), *_unsent(p)) if drains else ()),
        *(sent_home(p) if view.orders else ()),
        *(_failed_starts(p) if view.failed_starts else ()),
        *(_starts(p, instance) if change > 0 else _drains(p) if change < 0 else ()),
        *(_replaced_in_place(p) if view.outdated else ()),
    )
    return tuple([replace(action, broker=p.policy.broker) for action in everything]) if p.policy.broker else everything


def _removals(view: PoolView) -> tuple[Action, ...]:
    return tuple([Action(ActionKind.REMOVE, view.pool, c.name, c.id, f"it ended with exit code {c.exit_code}") for c in view.exited])


def _kills(p: Proposal) -> tuple[Action, ...]:
    """Drains past their deadline, only where `on_timeout: kill` says so."""
    if not p.policy.kill_on_drain_timeout:
        return ()
    late = {d.replica for d in p.memory.drains if is_overdue(d, p.policy.drain_timeout_seconds, p.now)}
    because = f"its drain took longer than {p.policy.drain_timeout_seconds:.0f} s and drain.on_timeout is kill"
    return tuple(
        Action(ActionKind.KILL, p.policy.name, r.name, r.container_id, because) for r in p.view.of(Phase.DRAINING) if r.name in late
    )


def _unsent(p: Proposal) -> tuple[Action, ...]:
    """Drains whose signal may have been lost: with its answer, with the daemon, or on the worker. A second one does no harm."""
    unsent = {d.replica: d.because for d in p.memory.drains if not d.sent}
    leaving = (r for r in p.view.of(Phase.DRAINING) if r.name in unsent)
    return tuple(Action(ActionKind.DRAIN, p.policy.name, r.name, r.container_id, unsent[r.name]) for r in leaving)


def _failed_starts(p: Proposal) -> tuple[Action, ...]:
    """Replicas that were not heard in time: drained, never killed, for what cannot be heard might still run a task."""
    because = f"not heard within start.timeout ({p.policy.start_timeout_seconds:.0f} s), though it would have been"
    return tuple(
        [Action(ActionKind.DRAIN, p.policy.name, r.name, r.container_id, because, last_words=True) for r in p.view.failed_starts]
    )


def _replaced_in_place(p: Proposal) -> tuple[Action, ...]:
    """Old workers at `replicas.max`: drained first, and their places filled from the next look on."""
    chosen = _cheapest(p, in_place(p), surge(p))
    because = "of an earlier spec or image, and replicas.max leaves no room for its replacement beside it"
    return tuple(Action(ActionKind.DRAIN, p.policy.name, r.name, r.container_id, because) for r in chosen)


def _drains(p: Proposal) -> tuple[Action, ...]:
    chosen = _cheapest(p, p.view.serving, p.current - p.count)
    return tuple(Action(ActionKind.DRAIN, p.policy.name, r.name, r.container_id, why_chosen(r, p.memory)) for r in chosen)


def _cheapest(p: Proposal, candidates: tuple[Replica, ...], number: int) -> list[Replica]:
    """Those that cost least to stop; what has no container yet cannot be told."""
    return sorted((r for r in candidates if r.container_id), key=lambda r: _cost(r, p.memory))[:number]


class Kind(IntEnum):
    """What a stop would disturb, from nothing to nobody knows what."""

    NOT_READY = 0
    IDLE = 1
    """In this look and in the one before."""
    JUST_IDLE = 2
    """In this look alone: it may have taken a task since."""
    BUSY = 3
    UNKNOWN = 4


def _kind(replica: Replica, memory: PoolMemory) -> Kind:
    if replica.running is None:
        return Kind.UNKNOWN
    if replica.is_busy:
        return Kind.BUSY
    if replica.phase is Phase.STARTING:
        return Kind.NOT_READY
    return Kind.IDLE if replica.name in memory.idle else Kind.JUST_IDLE


def _cost(replica: Replica, memory: PoolMemory) -> tuple[bool, Kind, int, float]:
    """By kind, the busy ones by their load, and the youngest of equals first.

    One of an earlier spec goes before all others: it would have to go anyway, and a new one in its place would be a roll without end.
    """
    kind = _kind(replica, memory)
    load = (replica.running or 0) + replica.reserved + replica.scheduled if kind is Kind.BUSY else 0
    return (not replica.outdated, kind, load, -replica.since)


def why_chosen(replica: Replica, memory: PoolMemory) -> str:
    """Why this replica and not another, in words."""
    kind = _kind(replica, memory)
    if kind is Kind.BUSY:
        words = f"the least busy: {replica.running} running, {replica.reserved} prefetched, {replica.scheduled} scheduled"
    else:
        words = _WHY[kind]
    return f"of an earlier spec or image, and {words}" if replica.outdated else words


_WHY = {
    Kind.NOT_READY: "not ready yet, so nothing is lost by taking it back",
    Kind.IDLE: "idle, in this look and the one before",
    Kind.JUST_IDLE: "idle in this look, and none has been for longer",
    Kind.UNKNOWN: "nobody says what it runs, and no other is left to choose",
}


def _starts(p: Proposal, instance: str) -> tuple[Action, ...]:
    """What is missing, as far as starts are allowed: bounds hold for the count also while a start has to wait.

    In the look that finds a worker ended by itself nothing is started: its last words, read at its removal, may say to wait.
    """
    if p.view.exited and any(_ended_just_now(c, p.memory) for c in p.view.exited):
        return ()
    names = new_names(instance, p.policy, p.view, p.memory, p.now)
    because = p.steps[-1].because
    number = min(p.count - p.current, startable(p)[0])
    return tuple(Action(ActionKind.START, p.policy.name, next(names), because=because) for _ in range(number))


def _ended_just_now(container: Container, memory: PoolMemory) -> bool:
    """Ended unasked, and nobody knows yet whether that is a reason to wait; asked once, for a removal may take its time."""
    seen_before = container.name in memory.ended or any(d.replica == container.name for d in memory.drains)
    well = container.exit_code == 0 and container.name in memory.ready
    return container.state is ContainerState.EXITED and not (seen_before or well)


def drain_of(action: Action, view: PoolView, now: float) -> Drain:
    """What is remembered of a drain that was ordered and whose signal is not known to be sent yet."""
    replica = next((r for r in view.replicas if r.name == action.replica), None)
    idle, started = (replica.is_idle, replica.started) if replica else (False, None)
    return Drain(action.replica, now, action.because, was_idle=idle, sent=False, started=started)
