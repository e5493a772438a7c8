"""The rules by which a pool follows its orders, and when an order is over. Pure: orders come with the look.

An order of a person outranks demand, damping and blindness: a drain is a warm shutdown that loses nothing, also where nobody can
see what runs. Bounds and the cap over all pools hold all the same, but a pool that is sent home keeps no minimum. A wake is no
person's word: it only asks for a first replica.
"""

from __future__ import annotations

import math

from autoscaler.model import Action, ActionKind, Direction, Known, Order, OrderKind, Orders, Phase, PoolDecision, PoolView, Record, Step
from autoscaler.policy.reasons import Reason
from autoscaler.policy.rules import Proposal


def wake(pool: PoolView, wanted: int, slots: int) -> Step | None:
    """Enough replicas for what a producer says it has sent, at least one, until the queues have really been looked at.

    >>> _replicas_for(Order(OrderKind.WAKE, "mail", at=10.0, by="producer", tasks=9), slots=4)
    3
    """
    if not pool.orders:
        return None
    order = next((o for o in pool.orders if o.kind is OrderKind.WAKE), None)
    if order is None or is_settled(order, pool) or (needed := _replicas_for(order, slots)) <= wanted:
        return None
    said = f"{order.tasks} tasks were sent" if order.tasks else "work was sent"
    return Step("wake", wanted, needed, Reason.WOKEN, f"{order.by} says that {said}; the queues have not been seen since")


def _replicas_for(order: Order, slots: int) -> int:
    return max(1, math.ceil(order.tasks / slots))


def is_settled(order: Order, view: PoolView) -> bool:
    """Whether every queue of the pool was asked after the wake: from then on its depth says what is needed."""
    return all(isinstance(q.waiting, Known) and q.waiting.at >= order.at for q in view.queues)


def pause(p: Proposal) -> Step | None:
    """No change in a direction that somebody holds; a count set by hand speaks instead."""
    if not p.view.orders or ordered_count(p.view.orders):
        return None
    way = Direction.UP if p.count > p.current else Direction.DOWN
    holding = [o for o in p.view.orders if o.kind is OrderKind.PAUSE and o.direction.covers(way)]
    return p.step("pause", p.current, Reason.PAUSED, told(holding[-1], p.now)) if holding else None


def by_hand(p: Proposal) -> Step | None:
    """The count that somebody has set: so many replicas, or none for a pool that is drained."""
    order = ordered_count(p.view.orders) if p.view.orders else None
    if order is None:
        return None
    if order.kind is OrderKind.SCALE:
        return p.step("by_hand", order.replicas, Reason.SCALED_BY_HAND, told(order, p.now))
    return p.step("by_hand", 0, Reason.DRAINED_BY_HAND, told(order, p.now))


def ordered_count(orders: tuple[Order, ...]) -> Order | None:
    """The order that sets the pool's count, None where there is none."""
    return next((o for o in orders if o.sets_count), None)


def keeps(p: Proposal) -> bool:
    """Whether replicas that no work asks for are kept on a person's word, so that no other pool may have their room."""
    paused = any(o.kind is OrderKind.PAUSE and o.direction.covers(Direction.DOWN) for o in p.view.orders)
    return paused or ordered_count(p.view.orders) is not None


def sent_home(p: Proposal) -> tuple[Action, ...]:
    """Drains of single replicas that somebody has ordered and that are not under way yet."""
    under_way = {d.replica for d in p.memory.drains}
    ordered = {o.worker: told(o, p.now) for o in p.view.orders if o.worker}
    leaving = (r for r in p.view.of(Phase.DRAINING) if r.name in ordered and r.name not in under_way)
    return tuple(Action(ActionKind.DRAIN, p.policy.name, r.name, r.container_id, ordered[r.name]) for r in leaving)


def told(order: Order, now: float) -> str:
    """An order in words: what, by whom, for how much longer, and why.

    >>> told(Order(OrderKind.SCALE, "mail", at=0.0, by="anna", why="launch", until=60.0, replicas=3), now=20.0)
    'set to 3 by anna, 40 s left: launch'
    """
    what = {
        OrderKind.RESUME: "resumed",
        OrderKind.PAUSE: "paused" if order.direction is Direction.BOTH else f"paused ({order.direction})",
        OrderKind.SCALE: f"set to {order.replicas}",
        OrderKind.DRAIN: "told to leave" if order.worker else "sent home",
        OrderKind.WAKE: "woken",
        OrderKind.RELOAD: "config.yaml read again",
    }[order.kind]
    left = "" if order.until is None or order.worker else f", {max(0.0, order.until - now):.0f} s left"
    return f"{what} by {order.by}{left}" + (f": {order.why}" if order.why else "")


def standing_after(orders: Orders, record: Record) -> Orders:
    """What still stands after this tick: not what is over by time, was carried out, or is about a pool that is gone."""
    pools = {decided.pool: decided for decided in record.decision.pools}
    left = {name: tuple(o for o in standing if _stands(o, pools.get(name), record.at)) for name, standing in orders.items()}
    return {name: standing for name, standing in left.items() if standing}


def _stands(order: Order, decided: PoolDecision | None, now: float) -> bool:
    """An order younger than the tick was not followed yet, so the tick says nothing about it."""
    if order.at >= now:
        return True
    if decided is None or not order.in_force(now):
        return False
    if order.kind is OrderKind.WAKE:
        return not is_settled(order, decided.view)
    if order.worker and decided.view.fleet_seen:
        return any(r.name == order.worker for r in decided.view.replicas)
    return True
