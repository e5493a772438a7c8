"""What a person, or a producer's wake, asked for: standing orders, and how one order changes what stands.

The desk hands the standing orders to each look, so that they are part of what was seen; the policy follows them. An order ends
by its time, by `resume`, or when it was carried out. Nothing here acts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from autoscaler.model.moment import Moment


class OrderKind(StrEnum):
    """What can be ordered."""

    PAUSE = "pause"
    RESUME = "resume"
    SCALE = "scale"
    DRAIN = "drain"
    WAKE = "wake"
    RELOAD = "reload"
    """Of the configuration, about no pool: it is kept in the history and stands for nothing."""


class Direction(StrEnum):
    """Which changes a pause holds."""

    UP = "up"
    DOWN = "down"
    BOTH = "both"

    def covers(self, other: Direction) -> bool:
        """Whether this holds all that the other holds."""
        return self in (other, Direction.BOTH)


@dataclass(frozen=True, slots=True)
class Order:
    """One order about one pool, with who gave it, when and why."""

    kind: OrderKind
    pool: str
    at: Moment
    by: str
    why: str = ""
    until: Moment | None = None
    """When it ends by itself; None: it stands until `resume`."""
    direction: Direction = Direction.BOTH
    """Of a pause."""
    replicas: int = 0
    """Of a scale: the count that is wanted."""
    worker: str = ""
    """Of a drain: the one replica that is to leave; empty: all of the pool."""
    tasks: int = 0
    """Of a wake: how many tasks the producer has sent, 0 where it does not say."""

    def in_force(self, now: float) -> bool:
        """Whether its time is not over."""
        return self.until is None or now < self.until

    @property
    def sets_count(self) -> bool:
        """Whether it says how many replicas the whole pool should have."""
        return self.kind is OrderKind.SCALE or (self.kind is OrderKind.DRAIN and not self.worker)


Orders = Mapping[str, tuple[Order, ...]]
"""pool -> what stands, in the order in which it was given."""

NO_ORDERS: Orders = {}


def given(standing: tuple[Order, ...], order: Order) -> tuple[Order, ...]:
    """What stands for a pool after one more order: the newest word on each matter counts.

    >>> pause = Order(OrderKind.PAUSE, "mail", at=1.0, by="anna")
    >>> up = replace(pause, at=2.0, direction=Direction.UP, until=60.0)
    >>> [str(o.direction) for o in given((pause,), up)]
    ['down', 'up']
    >>> given((pause, up), Order(OrderKind.RESUME, "mail", at=3.0, by="anna"))
    ()
    """
    match order.kind:
        case OrderKind.RESUME:
            return tuple(o for o in standing if not (o.kind is OrderKind.PAUSE or o.sets_count))
        case OrderKind.PAUSE:
            return (*_without_direction(standing, order.direction), order)
        case OrderKind.WAKE:
            earlier = max((o.tasks for o in standing if o.kind is OrderKind.WAKE), default=0)
            return (*(o for o in standing if o.kind is not OrderKind.WAKE), replace(order, tasks=max(order.tasks, earlier)))
    if order.sets_count:
        return (*(o for o in standing if not o.sets_count), order)
    return (*(o for o in standing if not o.worker or o.worker != order.worker), order)


def _without_direction(standing: tuple[Order, ...], taken: Direction) -> tuple[Order, ...]:
    """The orders without the pauses that a newer one replaces; one of both directions keeps the other one."""
    other = {Direction.UP: Direction.DOWN, Direction.DOWN: Direction.UP}.get(taken)
    kept = []
    for order in standing:
        if order.kind is not OrderKind.PAUSE:
            kept.append(order)
        elif not taken.covers(order.direction):
            kept.append(order if other is None else replace(order, direction=other))
    return tuple(kept)
