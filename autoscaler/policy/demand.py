"""How many replicas the work needs, before any damping: sizing by thresholds.

The arithmetic is that of the measured threshold policy (1.13 times the worker-hours of a clairvoyant zero-wait plan at
`up: 0`, 1.05 at `up: 10`): one slot for each running task, and for each waiting one unless few enough wait, briefly enough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from autoscaler.model import Phase, PoolPolicy, PoolView, Step
from autoscaler.policy.reasons import Reason


@dataclass(frozen=True, slots=True)
class Load:
    """A pool's work in slots. `busy_least` counts replicas nobody can speak for as idle, `busy_most` as full."""

    waiting: int
    busy_least: int
    busy_most: int
    slots: int

    @property
    def beyond_free(self) -> int:
        """Tasks that wait and that no free slot will take at once."""
        return self.waiting - max(0, self.slots - self.busy_least)


def load(view: PoolView) -> Load:
    """The load of one pool.

    Prefetched tasks cannot move to another worker, so they fill slots of the worker that holds them and ask for no new one.
    A lost replica is doubtful: it offers no slot to a waiting task, and is as good as full when fewer are considered.
    """
    unknown = sum(r.slots for r in view.of(Phase.STARTING, Phase.READY) if r.running is None)
    lost = sum(r.slots for r in view.of(Phase.LOST))
    return Load(view.waiting, view.busy + lost, view.busy + unknown + lost, view.slots + lost)


def by_thresholds(policy: PoolPolicy, view: PoolView) -> Step:
    """Replicas that the load asks for.

    >>> from autoscaler.model import Thresholds
    >>> policy = PoolPolicy("p", ("q",), 0, 10, slots=4, thresholds=Thresholds(up=0, max_wait_seconds=15, down=0))
    >>> by_thresholds(policy, PoolView("p", (), 12, 0, (), (), 0.0, ())).after
    3
    """
    now, slots = view.current, policy.slots
    work = load(view)
    extra, limit = work.beyond_free, policy.thresholds
    up = _replicas(work.busy_least + work.waiting, slots)
    down = _replicas(work.busy_most + work.waiting, slots)
    numbers = f"{work.waiting} waiting + {work.busy_least} busy of {work.slots} slots"

    def step(after: int, reason: Reason, because: str) -> Step:
        return Step("demand", now, after, reason, because)

    if extra > 0 and now > 0 and extra <= limit.up and view.oldest_wait_seconds <= limit.max_wait_seconds:
        because = f"{numbers}: {extra} beyond the free slots, up to {limit.up} may wait for {limit.max_wait_seconds:g} s"
        return step(min(now, up), Reason.BACKLOG_BELOW_THRESHOLD, because)
    if up > now:
        late = 0 < extra <= limit.up
        because = f"{numbers}: needs {up} of {slots} slots each"
        return step(up, Reason.WAITED_TOO_LONG if late else Reason.BACKLOG_ABOVE_THRESHOLD, because)
    if up < now and work.waiting > limit.down:
        return step(now, Reason.BACKLOG_HOLDS, f"{numbers}: {up} would do, but not while more than {limit.down} wait")
    if up < now <= down:
        return step(now, Reason.BUSY_UNKNOWN, f"{numbers}: nobody can say what {_silent(view)} of {now} replicas are running")
    after = min(now, down)
    return step(after, Reason.DEMAND if after else Reason.NO_DEMAND, f"{numbers}: needs {after} of {slots} slots each")


def _replicas(wanted_slots: int, slots: int) -> int:
    return math.ceil(wanted_slots / slots)


def _silent(view: PoolView) -> int:
    return sum(1 for r in view.of(Phase.STARTING, Phase.READY, Phase.LOST) if r.running is None)
