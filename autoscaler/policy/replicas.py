"""Joins what Docker says exists with what the sources say is done: one PoolView per pool.

Docker is the truth about existence, the sources about work. A container without a voice is `starting` until its start
timeout, then `lost`; what a ready replica is doing may be unknown, which is not the same as idle.
"""

from __future__ import annotations

from typing import TypeVar

from autoscaler.model import (
    Container,
    ContainerState,
    Known,
    Observation,
    Phase,
    PoolMemory,
    PoolPolicy,
    PoolView,
    QueueSight,
    Reading,
    Replica,
    Stale,
    Unknown,
)

T = TypeVar("T")

UNSEEN_START_SECONDS = 60.0
"""How long an ordered start may stay out of the list of containers before it is forgotten."""


def known(reading: Reading[T]) -> T | None:
    """The value of a reading that may be acted on, else None."""
    return reading.value if isinstance(reading, Known) else None


def view(policy: PoolPolicy, seen: Observation, memory: PoolMemory, now: float) -> PoolView:
    """One pool as it looks now: its queues, its replicas with their phases, and why it may be blind."""
    queues = tuple(seen.queues.get(q) or QueueSight(q, Unknown("it was not looked at")) for q in policy.queues)
    containers = _containers(policy.name, seen)
    running = tuple(c for c in containers if c.state is ContainerState.RUNNING)
    replicas = tuple(_replica(c, policy, seen, memory, now) for c in running)
    ordered = _ordered(policy, containers, memory, now)
    return PoolView(
        pool=policy.name,
        queues=queues,
        waiting=sum(known(q.waiting) or 0 for q in queues),
        leftover=_leftover(queues, replicas, _foreign(seen)),
        replicas=replicas + ordered,
        exited=tuple(c for c in containers if _has_ended(c, memory, now)),
        oldest_wait_seconds=max(0.0, now - memory.waiting_since) if memory.waiting_since is not None else 0.0,
        blind=_blind(queues, seen),
        fleet_seen=isinstance(seen.containers, Known),
    )


def _containers(pool: str, seen: Observation) -> tuple[Container, ...]:
    """The pool's containers; when the list is stale the old one is shown, and `fleet_seen` keeps hands off it."""
    match seen.containers:
        case Known(value=all_of_them) | Stale(value=all_of_them):
            return tuple(c for c in all_of_them if c.pool == pool)
    return ()


def _has_ended(container: Container, memory: PoolMemory, now: float) -> bool:
    """Exited, or created and never started (its start was cut off by a crash)."""
    if container.state is ContainerState.CREATED:
        return container.name not in dict(memory.pending) and now - container.created_at > UNSEEN_START_SECONDS
    return container.state is ContainerState.EXITED


def _ordered(policy: PoolPolicy, containers: tuple[Container, ...], memory: PoolMemory, now: float) -> tuple[Replica, ...]:
    """Starts that were ordered and do not run yet: they count as starting, so that no tick orders them twice."""
    there = {c.name for c in containers if c.state is not ContainerState.CREATED}
    return tuple(
        Replica(name, "", Phase.STARTING, at, policy.slots, running=0)
        for name, at in memory.pending
        if name not in there and now - at <= UNSEEN_START_SECONDS
    )


def _replica(container: Container, policy: PoolPolicy, seen: Observation, memory: PoolMemory, now: float) -> Replica:
    voice = seen.workers.get(container.worker)
    drain = next((d for d in memory.drains if d.replica == container.name), None)
    phase = Phase.DRAINING if drain else _phase(container, policy, seen, memory, now)
    return Replica(
        name=container.name,
        container_id=container.id,
        phase=phase,
        since=drain.since if drain else container.created_at,
        slots=policy.slots,
        running=_running(container, phase, seen),
        reserved=(known(voice.reserved) or 0) if voice else 0,
        scheduled=(known(voice.scheduled) or 0) if voice else 0,
    )


def _phase(container: Container, policy: PoolPolicy, seen: Observation, memory: PoolMemory, now: float) -> Phase:
    """A container that could have been heard and was not is starting, then lost; with deaf sources nobody is lost."""
    voice = seen.workers.get(container.worker)
    if voice and isinstance(voice.draining, Known) and voice.draining.value:
        return Phase.DRAINING
    online = known(voice.online) if voice else None
    if online:
        return Phase.READY
    if container.name in memory.ready:
        return Phase.LOST if online is False else Phase.READY
    if now - container.created_at <= policy.start_timeout_seconds:
        return Phase.STARTING
    return Phase.LOST if _could_hear(container, seen) else Phase.READY


def _could_hear(container: Container, seen: Observation) -> bool:
    """Whether a source answered in this look that would have told of this worker: Flower, or the worker's own page."""
    up = {s.name for s in seen.sources if s.up}
    return "flower" in up or ("workers" in up and container.metrics is not None)


def _running(container: Container, phase: Phase, seen: Observation) -> int | None:
    """Tasks that a replica runs; a starting one runs none, if somebody would have heard it otherwise."""
    voice = seen.workers.get(container.worker)
    if voice and (running := known(voice.running)) is not None:
        return running
    return 0 if phase is Phase.STARTING and _could_hear(container, seen) else None


def _foreign(seen: Observation) -> int:
    """Tasks held by workers that are not ours and may consume the same queues."""
    listed = seen.containers.value if isinstance(seen.containers, (Known, Stale)) else ()
    ours = {c.worker for c in listed}
    held = [w for w in seen.workers.values() if w.name not in ours and known(w.online)]
    return sum((known(w.running) or 0) + (known(w.reserved) or 0) for w in held)


def _leftover(queues: tuple[QueueSight, ...], replicas: tuple[Replica, ...], foreign: int) -> int:
    """Unacknowledged messages that no living worker can be holding.

    A worker that will not say what it holds may hold all of them, so nothing is left over while one lives.
    """
    unacked = sum(known(q.unacked) or 0 for q in queues)
    if any(r.running is None for r in replicas):
        return 0
    return max(0, unacked - foreign - sum((r.running or 0) + r.reserved + r.scheduled for r in replicas))


def _blind(queues: tuple[QueueSight, ...], seen: Observation) -> tuple[str, ...]:
    """In words, everything that is needed to scale down safely and could not be seen."""
    gaps = [f"queue {q.queue}: {_why(q.waiting)}" for q in queues if not isinstance(q.waiting, Known)]
    if not isinstance(seen.containers, Known):
        gaps.append(f"containers: {_why(seen.containers)}")
    return tuple(gaps)


def _why(reading: Reading[int] | Reading[tuple[Container, ...]]) -> str:
    return reading.why if isinstance(reading, (Stale, Unknown)) else ""
