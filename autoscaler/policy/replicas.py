"""In which phase each worker of a lane is: what Docker lists, what the sources say, and what is remembered, put together.

A container without a voice is `starting` until its start timeout, then `lost`; what a ready replica is doing may be unknown, which
is not the same as idle. `view.py` asks for each lane; the table of the phases is `model/lifecycle.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autoscaler.model import Container, ContainerState, Drain, Order, Phase, PoolMemory, PoolPolicy, Replica, WorkerSight
from autoscaler.model.lean import lean
from autoscaler.model.lifecycle import Event, after
from autoscaler.model.readings import known
from autoscaler.policy.census import Worker
from autoscaler.policy.drains import defies
from autoscaler.policy.starts import ear

SILENCE_SECONDS = 10.0
"""How long a ready replica may be said to be offline before it counts as lost: a busy host misses heartbeats."""
UNSEEN_START_SECONDS = 60.0
"""How long an ordered start may stay out of the list of containers before it is forgotten."""

NO_DRAINS: Mapping[str, Drain] = {}
_CREATED, _RUNNING = ContainerState.CREATED, ContainerState.RUNNING
_HEARD = Event.HEARD
_STARTING, _READY, _DRAINING, _LOST = Phase.STARTING, Phase.READY, Phase.DRAINING, Phase.LOST


@lean
@dataclass(frozen=True, slots=True)
class Lane:
    """One lane in one look: what is wanted, seen and remembered of it."""

    policy: PoolPolicy
    memory: PoolMemory
    now: float
    hearing: frozenset[str]
    """Sources that answered."""
    hears_ours: bool
    """Whether some worker of ours is heard in this look."""
    tasks_wait: bool
    heard: frozenset[str]
    """Names of replicas that were heard before."""
    drains: Mapping[str, Drain]
    """Those that were told to leave, by name."""


def replicas_of(lane: Lane, workers: tuple[Worker, ...]) -> tuple[Replica, ...]:
    """The lane's replicas: those that run, and those that are ordered."""
    running = tuple([_replica(container, voice, lane) for container, voice in workers if container.state is _RUNNING])
    return running + _ordered(lane, workers) if lane.memory.pending else running


def drains_under_way(memory: PoolMemory, orders: tuple[Order, ...]) -> Mapping[str, Drain]:
    """By name; one that somebody has ordered counts from that moment on, so that it may be replaced at once."""
    if not (memory.drains or orders):
        return NO_DRAINS
    ordered = {o.worker: Drain(o.worker, o.at, o.why, sent=False) for o in orders if o.worker}
    return ordered | {drain.replica: drain for drain in memory.drains}


def ended(lane: Lane, workers: tuple[Worker, ...]) -> tuple[Container, ...]:
    """Containers that exited, or were created and never started (their start was cut off by a crash)."""
    there = [container for container, _ in workers if container.state is not _RUNNING]
    return tuple([c for c in there if c.state is not _CREATED or _never_started(c, lane)]) if there else ()


def _never_started(container: Container, lane: Lane) -> bool:
    return container.name not in dict(lane.memory.pending) and lane.now - container.created_at > UNSEEN_START_SECONDS


def _ordered(lane: Lane, workers: tuple[Worker, ...]) -> tuple[Replica, ...]:
    """Starts that were ordered and do not run yet: they count as starting, so that no tick orders them twice."""
    there = {container.name for container, _ in workers if container.state is not _CREATED}
    return tuple(
        Replica(name, "", _STARTING, at, lane.policy.slots, running=0)
        for name, at in lane.memory.pending
        if name not in there and lane.now - at <= UNSEEN_START_SECONDS
    )


def _replica(container: Container, voice: WorkerSight, lane: Lane) -> Replica:
    policy, name = lane.policy, container.name
    drain, heard_before = lane.drains.get(name), name in lane.heard
    online, running = known(voice.online), known(voice.running)
    could_hear = not online and _could_hear(container, lane.hearing)
    if known(voice.draining):
        event: Event | None = Event.LEAVING
    else:
        event = _HEARD if online else _silence(container, lane, said_offline=online is False, could_hear=could_hear)
    phase = after(_DRAINING if drain else _READY if heard_before else _STARTING, event)
    unheard = 0.0 if heard_before or online else _unheard_seconds(container, lane, could_hear=could_hear)
    if running is None and phase is _STARTING and could_hear:
        running = 0  # somebody would have heard it otherwise
    return Replica(  # in the order of its fields: by name it takes three times as long
        name,
        container.id,
        phase,
        drain.since if drain else container.created_at,
        policy.slots,
        running,
        known(voice.reserved) or 0,
        known(voice.scheduled) or 0,
        online is True,
        drain is not None and defies(drain, voice, policy.slots),
        heard_before and online is False,
        unheard,
        phase is _LOST and unheard >= policy.start_timeout_seconds,
        container.image_moved or policy.spec not in ("", container.spec),
        known(voice.started),
        known(voice.finished),
        container.broker,
    )


def _silence(container: Container, lane: Lane, *, said_offline: bool, could_hear: bool) -> Event | None:
    """What it means that a running container is not heard in this look; with deaf sources nobody is lost."""
    if container.name in lane.heard:
        since = dict(lane.memory.silent).get(container.name, lane.now)
        return Event.SILENT if said_offline and lane.now - since >= SILENCE_SECONDS else None
    if lane.now - container.created_at <= lane.policy.start_timeout_seconds:
        return None
    return Event.OVERDUE if could_hear else Event.PRESUMED


def _unheard_seconds(container: Container, lane: Lane, *, could_hear: bool) -> float:
    """How long this one, that was never heard, would have been."""
    listening = ear(lane.memory, hears_ours=lane.hears_ours, tasks_wait=lane.tasks_wait)
    return listening.unheard_seconds(container, lane.now, could_hear=could_hear)


def _could_hear(container: Container, hearing: frozenset[str]) -> bool:
    """Whether a source answered in this look that would have told of this worker: Flower, or the worker's own page."""
    return "flower" in hearing or ("workers" in hearing and container.metrics is not None)
