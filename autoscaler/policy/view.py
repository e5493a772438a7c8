"""One lane in one look: its queues added up, its workers in their phases, its work over time, and why it may be blind.

Docker is the truth about existence, the sources about work. `decide` asks for a view of every lane and decides on nothing else.
"""

from __future__ import annotations

from bisect import bisect
from dataclasses import replace
from typing import NamedTuple

from autoscaler.model import (
    Container,
    Flow,
    Known,
    Observation,
    Order,
    OrderKind,
    PoolMemory,
    PoolPolicy,
    PoolView,
    QueueSight,
    Replica,
    Unknown,
)
from autoscaler.model.readings import known
from autoscaler.model.spending import FREE
from autoscaler.policy.census import Census, broker_of, depths
from autoscaler.policy.fewer import account_of
from autoscaler.policy.flow import measure, oldest_wait_seconds
from autoscaler.policy.replicas import Lane, drains_under_way, ended, replicas_of
from autoscaler.policy.strangers import of_pool, taken_at_once

NOBODY: tuple[tuple[Replica, ...], tuple[Container, ...]] = ((), ())
_NOT_LOOKED_AT = Unknown("it was not looked at")


def view(policy: PoolPolicy, all_seen: Census, memory: PoolMemory, now: float, interval_seconds: float = 0.0) -> PoolView:
    """One lane as it looks now.

    A task that waits for its time is work from the moment on at which a worker would have to be started to be ready for it.
    """
    if policy.broker:  # Flower hears the workers of one broker only, and so far that is the first
        all_seen = replace(all_seen, strangers=(), foreign=0, hearing=all_seen.hearing - {"flower"})
    seen, waits = all_seen.seen, depths(all_seen.seen, policy.broker)
    queues = tuple([waits.get(q) or QueueSight(q, _NOT_LOOKED_AT) for q in policy.queues])
    work = _added_up(queues, now + memory.boot_seconds + interval_seconds)
    workers, orders = all_seen.by_lane.get(policy.key, ()), _in_force(policy, seen, now) if seen.orders else ()
    replicas, gone = NOBODY
    if workers or memory.pending:
        drains, ready = drains_under_way(memory, orders), frozenset(memory.ready)
        lane = Lane(policy, memory, now, all_seen.hearing, all_seen.hears_ours, work.waiting > 0, ready, drains)
        replicas, gone = replicas_of(lane, workers), ended(lane, workers)
    flow = measure(_flow_before(memory, interval_seconds), replicas, work.waiting, now, account_of(policy))
    oldest_wait = _oldest_wait(flow, memory, work.waiting, now) if work.waiting or memory.waiting_since is not None else 0.0
    foreign = of_pool(all_seen.strangers, policy.queues, now) if all_seen.strangers else ()
    return PoolView(  # in the order of its fields: by name it takes three times as long
        policy.name,
        queues,
        work.waiting,
        _leftover(work.unacked, replicas, all_seen.foreign) if work.unacked else 0,
        replicas,
        gone,
        oldest_wait,
        work.gaps if isinstance(seen.containers, Known) else (*work.gaps, f"containers: {seen.containers.why}"),
        flow,
        foreign,
        taken_at_once(foreign, work.waiting, oldest_wait, interval_seconds) if foreign else 0,
        work.later,
        None if work.due_at is None else work.due_at - now,
        isinstance(seen.containers, Known),
        orders,
        all_seen.purses.get(policy.broker, FREE),
        _refused(seen, policy.broker) if seen.brokers else "",
    )


class _Work(NamedTuple):
    """What stands in a pool's queues."""

    waiting: int
    unacked: int
    later: int
    due_at: float | None
    gaps: tuple[str, ...]
    """Queues that could not be seen, in words."""


def _added_up(queues: tuple[QueueSight, ...], soon: float) -> _Work:
    """The sums over the queues, of what could be seen; tasks that are due by `soon` count as waiting."""
    waiting = unacked = 0
    due: tuple[float, ...] = ()
    gaps: tuple[str, ...] = ()
    for queue in queues:
        if isinstance(queue.waiting, Known):
            waiting += queue.waiting.value
        else:
            gaps += (f"queue {queue.queue}: {queue.waiting.why}",)
        unacked += known(queue.unacked) or 0
        due += queue.later
    if not due:
        return _Work(waiting, unacked, 0, None, gaps)
    times = sorted(due)
    counted = bisect(times, soon)
    return _Work(waiting + counted, unacked, len(times) - counted, times[0], gaps)


def _in_force(policy: PoolPolicy, seen: Observation, now: float) -> tuple[Order, ...]:
    """What was ordered about the pool and holds now; a count, or a wake, is meant for the active broker's lane alone."""
    if policy.name not in seen.orders:
        return ()
    orders = [order for order in seen.orders[policy.name] if order.in_force(now)]
    return tuple([o for o in orders if not (policy.standing and o.kind in (OrderKind.SCALE, OrderKind.WAKE))])


def _flow_before(memory: PoolMemory, interval_seconds: float) -> Flow:
    """What was measured so far; as long as nobody has counted tasks, those that wait came after the look before the first to see some."""
    if memory.flow.is_measured:
        return memory.flow
    since = memory.waiting_since
    return Flow() if since is None else Flow(arrivals=((since - interval_seconds, 0),))


def _oldest_wait(flow: Flow, memory: PoolMemory, waiting: int, now: float) -> float:
    """Upper bound on the longest wait: by counters where there are any, else since when something waits at all."""
    if flow.is_measured:
        return oldest_wait_seconds(flow, waiting, now)
    return max(0.0, now - memory.waiting_since) if memory.waiting_since is not None else 0.0


def _leftover(unacked: int, replicas: tuple[Replica, ...], foreign: int) -> int:
    """Unacknowledged messages that no living worker can be holding.

    A worker that will not say what it holds may hold all of them, so nothing is left over while one lives.
    """
    if any(r.running is None for r in replicas):
        return 0
    return max(0, unacked - foreign - sum([(r.running or 0) + r.reserved + r.scheduled for r in replicas]))


def _refused(seen: Observation, lane: str) -> str:
    """Why the lane's broker turns everybody away, empty where it does not."""
    broker = broker_of(seen, lane)
    return broker.detail or "it refuses" if broker and broker.health.refuses else ""
