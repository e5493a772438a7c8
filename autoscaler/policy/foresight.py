"""What would change a pool's count, found by asking the same rules about moments and backlogs that might come.

There is no second model: every answer is `propose` on a look that differs in one thing. The cap over all pools is left out, so
"up at 16 waiting" means that this pool would ask for more, not that the host has the room.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from autoscaler.model import (
    BrokerSight,
    Health,
    Known,
    Memory,
    Observation,
    OrderKind,
    Policies,
    PoolMemory,
    PoolPolicy,
    QueueSight,
    lane_of,
)
from autoscaler.policy.census import Census, depths
from autoscaler.policy.decide import books_and_look, propose
from autoscaler.policy.idle_first import is_held, patience_seconds
from autoscaler.policy.rules import Proposal
from autoscaler.policy.stabilization import needed, window_seconds
from autoscaler.policy.steering import told

FARTHEST_SECONDS = 86400.0
MOST_WAITING = 1_000_000


@dataclass(frozen=True, slots=True)
class Foresight:
    """What the pool is waiting for; None where nothing of the kind would change it."""

    up_at_waiting: int | None
    """The smallest backlog that would add replicas now."""
    down_to: int | None
    """The count that the pool falls to first, if all stays as it is and nothing arrives."""
    down_in_seconds: float | None
    held: tuple[str, ...] = ()
    """Pauses, counts and drains that somebody has ordered, in words, with the time that they have left."""

    def words(self) -> str:
        """As one line for a person."""
        parts = []
        if self.down_to is not None and self.down_in_seconds is not None:
            parts.append(f"down to {self.down_to} in {self.down_in_seconds:.0f} s if nothing arrives")
        if self.up_at_waiting is not None:
            parts.append(f"up at {self.up_at_waiting} waiting")
        return "; ".join((", ".join(parts) or "nothing would change it now", *self.held))


@dataclass(frozen=True, slots=True)
class Change:
    """What time alone does to a count."""

    to: int
    at: float


def foresee(policies: Policies, seen: Observation, memory: Memory, pool: str) -> Foresight:
    """What would change this pool; `memory` is the one after the tick of `seen`."""
    ahead = _Ahead(policies, look_at(policies, seen, memory), memory, pool)
    now, least, current = seen.at, _waiting(seen, ahead.policy), ahead.current
    up_at = _first(lambda n: ahead.desired_with(_with_waiting(seen, ahead.policy, least + n)) > current, MOST_WAITING)
    down = ahead.in_time(lambda count: count < current)
    return Foresight(
        up_at_waiting=None if up_at is None else least + up_at,
        down_to=None if down is None else down.to,
        down_in_seconds=None if down is None else round(down.at - now, 1),
        held=tuple(told(o, now) for o in seen.orders.get(pool, ()) if o.in_force(now) and not o.worker and o.kind is not OrderKind.WAKE),
    )


def look_at(policies: Policies, seen: Observation, memory: Memory) -> Census:
    """The latest look as the rules will see it again, with the budgets as they stand now: what they hold back is held back then, too."""
    return books_and_look(policies, seen, memory, seen.at)[1]


def next_change(policies: Policies, look: Census, memory: Memory, pool: str, expected: float | None = None) -> Change | None:
    """The first change of this pool's count if all stays as it is and nothing arrives; None where time alone changes nothing.

    `look` is the latest one (`look_at`) and `memory` the one after it. `expected` is the moment that was found a tick ago: it
    mostly still stands, and to see that it does is much cheaper than to search.
    """
    ahead = _Ahead(policies, look, memory, pool)
    current = ahead.current
    if expected is not None and expected > look.seen.at and (then := ahead.desired(expected)) != current:
        before = ahead.desired(expected - policies.interval_seconds)
        if (before <= current) if then > current else (before >= current):
            return Change(then, expected)
    up = ahead.in_time(lambda count: count > current)
    down = ahead.in_time(lambda count: count < current)
    return min((change for change in (up, down) if change), key=lambda change: change.at, default=None)


class _Ahead:
    """One pool on the active broker, to be asked about other moments and other backlogs."""

    def __init__(self, policies: Policies, look: Census, memory: Memory, pool: str) -> None:
        self.policy = replace(policies.pools[pool], broker=lane_of(memory.active_broker, policies.brokers))
        self._look, self._memory, self._interval = look, memory.of(self.policy.key), policies.interval_seconds
        self._asked: dict[float, int] = {}

    @property
    def current(self) -> int:
        """What the latest tick decided, or what the rules ask for now where only a cap over all pools held that down."""
        return max(self.desired(self._look.seen.at), self._memory.desired or 0)

    def desired(self, at: float) -> int:
        """The count that the rules ask for at this moment; searches come by the same moments again and again."""
        if at not in self._asked:
            self._asked[at] = self._at(at).count
        return self._asked[at]

    def _at(self, at: float) -> Proposal:
        """What the rules say then. Where they wait for an idle replica from some moment on, they do not wait for ever (`idle_first`)."""
        memory = self._memory_by(at)
        then = self._propose(at, memory)
        if memory.none_idle_since is not None or not is_held(then.steps):
            return then
        begun = at - patience_seconds(then)
        if begun <= self._look.seen.at or not is_held(self._propose(begun, self._memory_by(begun)).steps):
            return then
        return self._propose(at, replace(memory, none_idle_since=-math.inf))

    def _memory_by(self, at: float) -> PoolMemory:
        """The memory that the looks until then leave, as far as a window asks for it: its first look, and the last one before that moment.

        Only spare replicas and a window for scaling up let time alone change what such looks say.
        """
        memory, rising = self._memory, self.policy.scale_up.stabilization_seconds or 0.0
        if not (self.policy.spare or rising):
            return memory
        back = {1, *(math.ceil(window / self._interval) - 1 for window in (window_seconds(self.policy, memory), rising))}
        looks = [at - number * self._interval for number in sorted(back, reverse=True)]
        told = [(look, self._propose(look, memory)) for look in looks if self._look.seen.at < look < at]
        return replace(
            memory,
            recommendations=(*memory.recommendations, *((look, p.recommended) for look, p in told)),
            needs=(*memory.needs, *((look, needed(p)) for look, p in told)),
        )

    def _propose(self, at: float, memory: PoolMemory) -> Proposal:
        return propose(self.policy, self._look, memory, at, self._interval)

    def desired_with(self, seen: Observation) -> int:
        """The same now, for a look that has other queues, and nothing else."""
        return propose(self.policy, replace(self._look, seen=seen), self._memory, seen.at, self._interval).count

    def in_time(self, is_it: Callable[[int], bool]) -> Change | None:
        """The first look from which on the count is such a one."""
        now, interval = self._look.seen.at, self._interval
        looks = _first(lambda n: is_it(self.desired(now + n * interval)), math.ceil(FARTHEST_SECONDS / interval))
        return None if looks is None else Change(self.desired(now + looks * interval), now + looks * interval)


def _first(holds: Callable[[int], bool], most: int) -> int | None:
    """The smallest whole number from 1 on for which this holds, None when it does not up to `most`; it must stay true once true."""
    if not holds(most):
        return None
    low, high = 0, 1
    while not holds(high):  # what people ask about is mostly near
        low, high = high, min(4 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _waiting(seen: Observation, policy: PoolPolicy) -> int:
    there = depths(seen, policy.broker)
    readings = [there[q].waiting for q in policy.queues if q in there]
    return sum(r.value for r in readings if isinstance(r, Known))


def _with_waiting(seen: Observation, policy: PoolPolicy, waiting: int) -> Observation:
    """The same look with this many tasks on the pool's first queue and none on its others."""
    none = Known(0, seen.at, "foresight")
    there = depths(seen, policy.broker)
    queues = {q: replace(s, waiting=none) if q in policy.queues else s for q, s in there.items()}
    queues[policy.queues[0]] = QueueSight(policy.queues[0], Known(waiting, seen.at, "foresight"))
    if not policy.broker:
        return replace(seen, queues=queues)
    broker = seen.brokers.get(policy.broker) or BrokerSight(policy.broker, Health.UP, "", fresh=False, queues={})
    return replace(seen, brokers={**seen.brokers, policy.broker: replace(broker, queues=queues)})
