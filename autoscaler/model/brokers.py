"""Which broker is in use, and what was learned of each from look to look.

A pool is decided once for every broker on which it has something: such a part of a pool is a *lane*. The first configured broker
is the home of every pool, and its lane carries the pool's plain name; another broker's is called `pool@broker`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autoscaler.model.moment import Moment

HOME = ""
"""The lane of the first configured broker, and the only one where there is one broker or none."""


def lane_key(pool: str, broker: str) -> str:
    """The name under which a lane is remembered; a pool's own name cannot hold an @.

    >>> lane_key("mail", HOME), lane_key("mail", "fallback")
    ('mail', 'mail@fallback')
    """
    return f"{pool}@{broker}" if broker else pool


def lane_of(broker: str, brokers: tuple[str, ...]) -> str:
    """The lane of a broker by its rank: the first one's is home."""
    return broker if broker and broker in brokers[1:] else HOME


@dataclass(frozen=True, slots=True)
class BrokerTrack:
    """How one broker has answered lately; only looks that ended count."""

    failed: int = 0
    """Looks in a row that it did not serve."""
    answered: int = 0
    """Looks in a row that it served."""
    up_since: Moment | None = None
    """Time of the first of those."""


@dataclass(frozen=True, slots=True)
class BrokerChoice:
    """The broker that workers are started for from now on, and why this one."""

    active: str = ""
    """Empty where none is configured."""
    why: str = ""
    before: str = ""
    """The one that was active until now; empty on the first tick."""
    tracks: Mapping[str, BrokerTrack] = field(default_factory=dict)

    @property
    def is_failover(self) -> bool:
        """Whether another broker has just taken over."""
        return bool(self.before) and self.before != self.active


NO_BROKER = BrokerChoice()
