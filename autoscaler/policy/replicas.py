"""Joins what Docker says exists with what the sources say is done: one PoolView per pool.

Docker is the truth about existence, the sources about work. A container without a voice is `starting` until its start
timeout, then `lost`; what a ready replica is doing may be unknown, which is not the same as idle.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from autoscaler.model import (
    BrokerSight,
    Container,
    ContainerState,
    Drain,
    Flow,
    Known,
    Observation,
    Order,
    OrderKind,
    Phase,
    PoolMemory,
    PoolPolicy,
    PoolView,
    QueueSight,
    Reading,
    Replica,
    Stale,
    Unknown,
    WorkerSight,
    lane_key,
)
from autoscaler.model.lifecycle import Event, after
from autoscaler.model.readings import known
from autoscaler.model.spending import FREE, Purse
from autoscaler.policy.drains import defies
from autoscaler.policy.fewer import account_of
from autoscaler.policy.flow import measure, oldest_wait_seconds
from autoscaler.policy.starts import Ear, ear
from autoscaler.policy.strangers import held, of_pool, strangers, taken_at_once

SILENCE_SECONDS = 10.0
"""How long a ready replica may be said to be offline before it counts as lost: a busy host misses heartbeats."""
NO_PURSES: Mapping[str, Purse] = {}
UNSEEN_START_SECONDS = 60.0
"""How long an ordered start may stay out of the list of containers before it is forgotten."""


@dataclass(frozen=True, slots=True)
class Census:
    """What the whole look says about existence, sorted once for all pools."""

    seen: Observation
    by_lane: Mapping[str, tuple[Container, ...]]
    """Containers by pool, and by the broker that they were started for where that is not the first."""
    strangers: tuple[WorkerSight, ...]
    """Workers online that are not ours and may consume the same queues."""
    foreign: int
    """Tasks that these hold."""
    hearing: frozenset[str]
    """Sources that answered."""
    hears_ours: bool
    """Whether some worker of ours is heard in this look."""
    purses: Mapping[str, Purse]
    """What a budget of commands asks of a lane."""


def census(seen: Observation, brokers: tuple[str, ...] = (), purses: Mapping[str, Purse] = NO_PURSES) -> Census:
    """Sort one look by lane; a stale list of containers is shown, and `fleet_seen` keeps hands off it.

    At home are those of the first broker, and those that were started without a word of one.
    """
    listed = seen.containers.value if isinstance(seen.containers, (Known, Stale)) else ()
    at_home = ("", *brokers[:1])
    by_lane: dict[str, list[Container]] = {}
    for container in listed:
        home = not brokers or container.broker in at_home
        by_lane.setdefault(container.pool if home else lane_key(container.pool, container.broker), []).append(container)
    return Census(
        seen=seen,
        by_lane={lane: tuple(found) for lane, found in by_lane.items()},
        strangers=(others := strangers(seen, ours := {c.worker for c in listed})),
        foreign=held(others),
        hearing=frozenset(s.name for s in seen.sources if s.up),
        hears_ours=any(isinstance(w.online, Known) and w.online.value and w.name in ours for w in seen.workers.values()),
        purses=purses,
    )


def view(policy: PoolPolicy, all_seen: Census, memory: PoolMemory, now: float, interval_seconds: float = 0.0) -> PoolView:
    """One lane as it looks now: its queues, its replicas with their phases, and why it may be blind.

    A task that waits for its time is work from the moment on at which a worker would have to be started to be ready for it.
    """
    if policy.broker:  # Flower hears the workers of one broker only, and so far that is the first
        all_seen = replace(all_seen, strangers=(), foreign=0, hearing=all_seen.hearing - {"flower"})
    seen, waits = all_seen.seen, depths(all_seen.seen, policy.broker)
    queues = tuple(waits.get(q) or QueueSight(q, Unknown("it was not looked at")) for q in policy.queues)
    containers = all_seen.by_lane.get(policy.key, ())
    times = sorted([at for q in queues for at in q.later])
    soon = bisect(times, now + memory.boot_seconds + interval_seconds)
    waiting = sum([known(q.waiting) or 0 for q in queues]) + soon
    orders = _in_force(policy, seen, now)
    listening = ear(memory, hears_ours=all_seen.hears_ours, tasks_wait=waiting > 0)
    past = _Past(_drains(orders, memory), frozenset(memory.ready), dict(memory.silent), listening)
    replicas = tuple([_replica(c, policy, all_seen, past, now) for c in containers if c.state is ContainerState.RUNNING])
    replicas += _ordered(policy, containers, memory, now)
    flow = measure(memory.flow, replicas, waiting, now, account_of(policy))
    oldest_wait = _oldest_wait(flow, memory, waiting, now)
    foreign = of_pool(all_seen.strangers, policy.queues, now) if all_seen.strangers else ()
    return PoolView(
        pool=policy.name,
        queues=queues,
        waiting=waiting,
        leftover=_leftover(queues, replicas, all_seen.foreign),
        replicas=replicas,
        exited=tuple([c for c in containers if c.state is not ContainerState.RUNNING and _has_ended(c, memory, now)]),
        oldest_wait_seconds=oldest_wait,
        blind=_blind(queues, seen),
        flow=flow,
        foreign=foreign,
        others_take=taken_at_once(foreign, waiting, oldest_wait, interval_seconds),
        later=len(times) - soon,
        due_in_seconds=times[0] - now if times else None,
        fleet_seen=isinstance(seen.containers, Known),
        refused=_refused(seen, policy.broker),
        purse=all_seen.purses.get(policy.broker, FREE),
        orders=orders,
    )


def depths(seen: Observation, lane: str) -> Mapping[str, QueueSight]:
    """What waits on one lane's broker; at home, what the sources together say."""
    if not lane:
        return seen.queues
    return seen.brokers[lane].queues if lane in seen.brokers else {}


def broker_of(seen: Observation, lane: str) -> BrokerSight | None:
    """The lane's own broker, None where it is not read directly."""
    return seen.brokers.get(lane) if lane else next(iter(seen.brokers.values()), None)


def _refused(seen: Observation, lane: str) -> str:
    """Why the lane's broker turns everybody away, empty where it does not."""
    broker = broker_of(seen, lane)
    return broker.detail or "it refuses" if broker and broker.health.refuses else ""


def _in_force(policy: PoolPolicy, seen: Observation, now: float) -> tuple[Order, ...]:
    """What was ordered about the pool and holds now; a count, or a wake, is meant for the active broker's lane alone."""
    orders = [order for order in seen.orders.get(policy.name, ()) if order.in_force(now)]
    return tuple([o for o in orders if not (policy.standing and o.kind in (OrderKind.SCALE, OrderKind.WAKE))])


def _drains(orders: tuple[Order, ...], memory: PoolMemory) -> dict[str, Drain]:
    """Drains under way; one that somebody has ordered counts from that moment on, so that it may be replaced at once."""
    ordered = {o.worker: Drain(o.worker, o.at, o.why, sent=False) for o in orders if o.worker}
    return ordered | {drain.replica: drain for drain in memory.drains}


def _oldest_wait(flow: Flow, memory: PoolMemory, waiting: int, now: float) -> float:
    """Upper bound on the longest wait: by counters where there are any, else since when something waits at all."""
    if flow.is_measured:
        return oldest_wait_seconds(flow, waiting, now)
    return max(0.0, now - memory.waiting_since) if memory.waiting_since is not None else 0.0


def _has_ended(container: Container, memory: PoolMemory, now: float) -> bool:
    """Exited, or created and never started (its start was cut off by a crash)."""
    if container.state is ContainerState.CREATED:
        return container.name not in dict(memory.pending) and now - container.created_at > UNSEEN_START_SECONDS
    return container.state is ContainerState.EXITED


def _ordered(policy: PoolPolicy, containers: tuple[Container, ...], memory: PoolMemory, now: float) -> tuple[Replica, ...]:
    """Starts that were ordered and do not run yet: they count as starting, so that no tick orders them twice."""
    if not memory.pending:
        return ()
    there = {c.name for c in containers if c.state is not ContainerState.CREATED}
    return tuple(
        Replica(name, "", Phase.STARTING, at, policy.slots, running=0)
        for name, at in memory.pending
        if name not in there and now - at <= UNSEEN_START_SECONDS
    )


class _Past(NamedTuple):
    """What is remembered of a pool's replicas, by name."""

    drains: Mapping[str, Drain]
    heard: frozenset[str]
    silent_since: Mapping[str, float]
    ear: Ear


def _replica(container: Container, policy: PoolPolicy, all_seen: Census, past: _Past, now: float) -> Replica:
    voice = all_seen.seen.workers.get(container.worker)
    could_hear = _could_hear(container, all_seen.hearing)
    drain = past.drains.get(container.name)
    heard_before = container.name in past.heard
    online = known(voice.online) if voice else None
    said_offline = heard_before and online is False
    silent = said_offline and now - past.silent_since.get(container.name, now) >= SILENCE_SECONDS
    overdue = now - container.created_at > policy.start_timeout_seconds
    event = _event(voice, heard_before=heard_before, silent=silent, overdue=overdue, could_hear=could_hear)
    phase = after(Phase.DRAINING if drain else Phase.READY if heard_before else Phase.STARTING, event)
    never_heard = not (heard_before or online)
    unheard = past.ear.unheard_seconds(container, now, could_hear=could_hear) if never_heard else 0.0
    return Replica(
        name=container.name,
        container_id=container.id,
        phase=phase,
        since=drain.since if drain else container.created_at,
        slots=policy.slots,
        running=_running(voice, phase, could_hear=could_hear),
        reserved=(known(voice.reserved) or 0) if voice else 0,
        scheduled=(known(voice.scheduled) or 0) if voice else 0,
        heard=online is True,
        defies=drain is not None and voice is not None and defies(drain, voice, policy.slots),
        said_offline=said_offline,
        unheard_seconds=unheard,
        start_failed=phase is Phase.LOST and unheard >= policy.start_timeout_seconds,
        outdated=container.image_moved or (bool(policy.spec) and container.spec != policy.spec),
        started=known(voice.started) if voice else None,
        finished=known(voice.finished) if voice else None,
        broker=container.broker,
    )


def _event(voice: WorkerSight | None, *, heard_before: bool, silent: bool, overdue: bool, could_hear: bool) -> Event | None:
    """What this look finds out about a running container; with deaf sources nobody is lost."""
    if voice and known(voice.draining):
        return Event.LEAVING
    if voice and known(voice.online):
        return Event.HEARD
    if heard_before:
        return Event.SILENT if silent else None
    if not overdue:
        return None
    return Event.OVERDUE if could_hear else Event.PRESUMED


def _could_hear(container: Container, hearing: frozenset[str]) -> bool:
    """Whether a source answered in this look that would have told of this worker: Flower, or the worker's own page."""
    return "flower" in hearing or ("workers" in hearing and container.metrics is not None)


def _running(voice: WorkerSight | None, phase: Phase, *, could_hear: bool) -> int | None:
    """Tasks that a replica runs; a starting one runs none, if somebody would have heard it otherwise."""
    if voice and (running := known(voice.running)) is not None:
        return running
    return 0 if phase is Phase.STARTING and could_hear else None


def _leftover(queues: tuple[QueueSight, ...], replicas: tuple[Replica, ...], foreign: int) -> int:
    """Unacknowledged messages that no living worker can be holding.

    A worker that will not say what it holds may hold all of them, so nothing is left over while one lives.
    """
    unacked = sum([known(q.unacked) or 0 for q in queues])
    if not unacked or any(r.running is None for r in replicas):
        return 0
    return max(0, unacked - foreign - sum([(r.running or 0) + r.reserved + r.scheduled for r in replicas]))


def _blind(queues: tuple[QueueSight, ...], seen: Observation) -> tuple[str, ...]:
    """In words, everything that is needed to scale down safely and could not be seen."""
    gaps = [f"queue {q.queue}: {_why(q.waiting)}" for q in queues if not isinstance(q.waiting, Known)]
    if not isinstance(seen.containers, Known):
        gaps.append(f"containers: {_why(seen.containers)}")
    return tuple(gaps)


def _why(reading: Reading[int] | Reading[tuple[Container, ...]]) -> str:
    return reading.why if isinstance(reading, (Stale, Unknown)) else ""
