"""A pool on several brokers: which parts it has, how they share its maximum, and how they are told as one.

Workers are started for one broker each, and what waits on one broker only its workers can take. So `decide` asks once per lane,
that is pool and broker, with the same rules: the active broker's lane has the pool's settings, any other is a standing one, which
keeps no minimum and exists only while there are workers or known work. With one broker every pool has one lane, its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from autoscaler.model import (
    BrokerChoice,
    Known,
    Memory,
    OrderKind,
    Policies,
    PoolDecision,
    PoolPolicy,
    PoolView,
    QueueSight,
    Reading,
    lane_of,
)
from autoscaler.policy.census import Census, depths
from autoscaler.policy.reasons import Reason
from autoscaler.policy.rules import Proposal
from autoscaler.policy.steering import ordered_count, told


def lanes(policies: Policies, choice: BrokerChoice, look: Census, memory: Memory) -> tuple[PoolPolicy, ...]:
    """Every pool once for each broker on which it has something, and what is left of pools and brokers that are gone."""
    pools, brokers = policies.pools.values(), policies.brokers
    there = [lane for policy in pools for lane in _of_pool(policy, brokers, choice, look, memory)] if len(brokers) > 1 else [*pools]
    taken = {lane.key for lane in there}
    return tuple(there) if look.by_lane.keys() <= taken else (*there, *_removed(policies, taken, look, memory))


def _of_pool(policy: PoolPolicy, brokers: tuple[str, ...], choice: BrokerChoice, look: Census, memory: Memory) -> Iterator[PoolPolicy]:
    """The active lane first, then those that stand."""
    active = lane_of(choice.active, brokers)
    yield replace(policy, broker=active) if active else policy
    for name in brokers:
        if name == choice.active:
            continue
        lane = replace(policy, broker=lane_of(name, brokers), standing=True, replicas_min=0, spare=0, schedule="")
        if _is_needed(lane, look, memory):
            yield lane


def _is_needed(lane: PoolPolicy, look: Census, memory: Memory) -> bool:
    if lane.key in look.by_lane or memory.of(lane.key).pending:
        return True
    queues = depths(look.seen, lane.broker)
    sights = [queues[queue] for queue in lane.queues if queue in queues]
    return any(isinstance(r, Known) and r.value for sight in sights for r in (sight.waiting, sight.unacked))


def _removed(policies: Policies, taken: set[str], look: Census, memory: Memory) -> Iterator[PoolPolicy]:
    """Lanes that have workers and no place in the configuration any more.

    Workers of a pool that this memory never knew are left alone: they may belong to another autoscaler that was given the same
    instance name.
    """
    known = {*policies.pools, *(key.partition("@")[0] for key in memory.pools)}
    for key in sorted(look.by_lane.keys() - taken):
        pool, _, broker = key.partition("@")
        if pool in known:
            yield PoolPolicy(pool, (), 0, 0, slots=1, removed=True, broker=broker)


# ---------------------------------------------------------------- one maximum


def share_lanes(proposals: tuple[Proposal, ...]) -> tuple[Proposal, ...]:
    """The proposals with each pool's lanes cut so that together they stay within its `replicas.max`, or the count set by hand."""
    if len({p.policy.name for p in proposals}) == len(proposals):
        return proposals
    shared: list[Proposal] = []
    for _, group in groupby(proposals, key=lambda p: p.policy.name):
        of_pool = tuple(group)
        shared += _within_max(of_pool) if len(of_pool) > 1 else of_pool
    return tuple(shared)


def _within_max(of_pool: tuple[Proposal, ...]) -> Iterator[Proposal]:
    """Equal shares, and what one does not need goes to the others.

    A lane whose broker cannot be seen comes last: its workers get no task from there, and only wait for it. Of the others the standing
    ones come first where there is not one for each: what waits there comes to an end, while the active one's work may never do.
    """
    most, reason, because = _most(of_pool)
    order = sorted(range(len(of_pool)), key=lambda i: (bool(of_pool[i].view.blind) and of_pool[i].policy.standing, -i))
    seen = [i for i in order if not (of_pool[i].view.blind and of_pool[i].policy.standing)]
    granted = dict.fromkeys(order, 0)
    for some in (seen, [i for i in order if i not in seen]):
        room = most - sum(granted.values())
        granted |= dict(zip(some, fair_shares([of_pool[i].count for i in some], room), strict=True))
    for i, p in enumerate(of_pool):
        yield p.take(p.step("lanes", granted[i], reason, because))


def _most(of_pool: tuple[Proposal, ...]) -> tuple[int, Reason, str]:
    """How many a pool may have over all its lanes, and why: its maximum, or the count that somebody has set.

    A count is an order about the pool: who has set it to 4 must not find 6 because something waits on another broker, too.
    """
    most = max(p.policy.replicas_max for p in of_pool)
    for p in of_pool:
        order = ordered_count(p.view.orders)
        if order and order.kind is OrderKind.SCALE and order.replicas < most:
            return max(order.replicas, p.policy.replicas_min), Reason.SCALED_BY_HAND, f"over all brokers: {told(order, p.now)}"
    return most, Reason.TOO_MANY_REPLICAS, f"replicas.max is {most} over all brokers"


def fair_shares(wanted: Sequence[int], room: int) -> list[int]:
    """As much as each wants, or equal shares where the room is too small; what cannot be halved goes to the first.

    >>> fair_shares([8, 3, 8], 10)
    [4, 3, 3]
    """
    shares = [0] * len(wanted)
    while room > 0 and (short := [i for i, share in enumerate(shares) if share < wanted[i]]):
        for i in short[:room]:
            shares[i] += 1
        room -= len(short[:room])
    return shares


# ---------------------------------------------------------------- told as one


def joined(decisions: Sequence[PoolDecision], brokers: tuple[str, ...]) -> tuple[PoolDecision, ...]:
    """One decision per pool, with its lanes inside where there are several."""
    if len({d.pool for d in decisions}) == len(decisions):
        return tuple(decisions)
    pools: dict[str, list[PoolDecision]] = {}
    for decision in decisions:
        pools.setdefault(decision.pool, []).append(decision)
    return tuple([_one(of_pool, brokers) if len(of_pool) > 1 else of_pool[0] for of_pool in pools.values()])


def _one(of_pool: list[PoolDecision], brokers: tuple[str, ...]) -> PoolDecision:
    names = [d.broker or next(iter(brokers), "its own broker") for d in of_pool]
    views = [d.view for d in of_pool]
    return PoolDecision(
        pool=of_pool[0].pool,
        view=_view(views, names),
        current=sum(d.current for d in of_pool),
        recommended=sum(d.recommended for d in of_pool),
        desired=sum(d.desired for d in of_pool),
        steps=tuple(replace(s, because=f"{name}: {s.because}") for d, name in zip(of_pool, names, strict=True) for s in d.steps),
        actions=tuple(action for d in of_pool for action in d.actions),
        needed=sum(d.needed for d in of_pool),
        lanes=tuple(of_pool),
    )


def _view(views: list[PoolView], names: list[str]) -> PoolView:
    """All lanes as one: what waits and who works is added up, what is unknown of one is unknown of all."""
    return replace(
        views[0],
        queues=tuple(_queue(sights) for sights in zip(*(v.queues for v in views if v.queues), strict=True)),
        waiting=sum(v.waiting for v in views),
        leftover=sum(v.leftover for v in views),
        replicas=tuple(r for v in views for r in v.replicas),
        exited=tuple(c for v in views for c in v.exited),
        later=sum(v.later for v in views),
        due_in_seconds=min((v.due_in_seconds for v in views if v.due_in_seconds is not None), default=None),
        oldest_wait_seconds=max(v.oldest_wait_seconds for v in views),
        blind=tuple(f"{name}: {gap}" for v, name in zip(views, names, strict=True) for gap in v.blind),
    )


def _queue(sights: tuple[QueueSight, ...]) -> QueueSight:
    later = tuple(sorted(at for sight in sights for at in sight.later))
    return QueueSight(sights[0].queue, _sum([s.waiting for s in sights]), _sum([s.unacked for s in sights]), later)


def _sum(readings: list[Reading[int]]) -> Reading[int]:
    """Known only where all are."""
    if gap := next((r for r in readings if not isinstance(r, Known)), None):
        return gap
    known = [r for r in readings if isinstance(r, Known)]
    return Known(sum(r.value for r in known), min(r.at for r in known), ", ".join(r.source for r in known))
