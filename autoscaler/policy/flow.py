"""Measures a pool's work over time: how long tasks take, how many arrive, and since when the oldest waits.

A fold over looks, like the memory it is kept in. It needs only counters of started and finished tasks, which a worker's own page
and Flower's free answers give; without them the pool is not measured, and is sized as if nothing might wait.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from autoscaler.model import Flow, Phase, Replica
from autoscaler.policy.fewer import NO_ACCOUNT, Account

RUNTIME_MEMORY_SECONDS = 300.0
"""Over which the mean runtime is forgotten."""
KEPT_TASKS = 0.01
"""So much of what was known of the runtime is never forgotten: it outlasts a quiet night, and the first task that ends outweighs it."""
RATE_MEMORY_SECONDS = 60.0
"""Over which the arrival rate is forgotten."""
LOOKS_MAX = 4096
"""Looks at waiting tasks that are kept; with more the oldest two are merged, which only makes waits look longer."""

_STARTING, _DRAINING = Phase.STARTING, Phase.DRAINING
Counters = tuple[tuple[str, int, int], ...]
"""(replica, started, finished) of each."""
_NOTHING_COUNTED: tuple[Counters, int, int, int] = ((), 0, 0, 0)


def measure(old: Flow, replicas: tuple[Replica, ...], waiting: int, now: float, account: Account = NO_ACCOUNT) -> Flow:
    """The flow after one more look.

    A worker that is seen for the first time counts from its own start, unless this is the first look of all: then what it did
    before is not ours to know.
    """
    counters, begun, ended, running = _count(old, replicas) if replicas or old.counters else _NOTHING_COUNTED
    if old.at is None and not counters:
        return old
    seconds = max(0.0, now - old.at) if old.at is not None else 0.0
    ran = max(0, running - begun + ended)  # at the look before: what has begun since counts from now on, it did not run all the time
    started, fading = old.started + begun, _fading(old.done, math.exp(-seconds / RUNTIME_MEMORY_SECONDS))
    arrived = max(started + waiting, old.arrivals[-1][1] if old.arrivals else 0)
    return Flow(  # in the order of its fields: by name it takes three times as long
        now,
        counters,
        started,
        old.finished + ended,
        old.busy_seconds * fading + ran * seconds,
        old.done * fading + ended,
        _waiting_looks(old.arrivals, started, waiting, arrived, now) if waiting else ((now, arrived),),
        _rate(old, arrived, seconds),
        account.after(old.would_wait, serving(replicas), seconds) if account.may_wait_seconds else (),
    )


def _fading(done: float, fading: float) -> float:
    """The share of what is remembered that is left, where time alone would leave this one; all of it until a task has ended.

    >>> _fading(10.0, 0.5), _fading(10.0, 0.0), _fading(0.0, 0.5)
    (0.5, 0.001, 1.0)
    """
    if done * fading > KEPT_TASKS:
        return fading
    return min(1.0, KEPT_TASKS / done) if done > 0.0 else 1.0


def serving(replicas: Iterable[Replica]) -> int:
    """Slots in use on replicas that stay; all of those of one that does not say: not seeing is never zero."""
    return sum([_in_use(r) for r in replicas if r.phase is not _DRAINING])


def _in_use(replica: Replica) -> int:
    if replica.running is None:
        return 0 if replica.phase is _STARTING else replica.slots
    held = replica.running + replica.reserved
    return held if held < replica.slots else replica.slots


def _runs(replica: Replica) -> int:
    """Slots of this one that are known to run a task."""
    if replica.running is None:
        return 0
    return replica.running if replica.running < replica.slots else replica.slots


def _count(old: Flow, replicas: Iterable[Replica]) -> tuple[Counters, int, int, int]:
    """The counters of this look, tasks started and finished since the last one, and slots known to run a task, draining ones too.

    In one pass; a replica that is silent for a while keeps its last counters.
    """
    before = {counter[0]: counter for counter in old.counters}
    counters: list[tuple[str, int, int]] = []
    newly_started = newly_finished = running = 0
    for r in replicas:
        was, started, finished = before.get(r.name), r.started, r.finished
        running += _runs(r)
        if started is None or finished is None:
            if was:
                counters.append(was)
            continue
        counter = (r.name, started, finished)
        counters.append(counter)
        _, began_with, ended_with = was or (counter if old.at is None else (r.name, 0, 0))
        newly_started += started - began_with if started > began_with else 0
        newly_finished += finished - ended_with if finished > ended_with else 0
    return tuple(counters), newly_started, newly_finished, running


def unchanged(old: Flow, replicas: tuple[Replica, ...], looks: Iterable[float], account: Account = NO_ACCOUNT) -> Flow:
    """The flow after looks at these times that all saw the same: nothing waiting, nothing begun or ended.

    What `measure` would have come to, look by look, to the last bit.
    """
    if old.at is None or not old.arrivals:
        return old
    at, busy_seconds, done, rate, before = old.at, old.busy_seconds, old.done, old.arrival_rate, math.nan
    behind, settled = (old.would_wait, False) if account.may_wait_seconds else ((), True)
    busy, in_use = sum([_runs(r) for r in replicas]), 0 if settled else serving(replicas)
    fading = slowing = 0.0
    for now in looks:
        seconds = now - at
        if seconds != before:
            fading, slowing = math.exp(-seconds / RUNTIME_MEMORY_SECONDS), 1 - math.exp(-seconds / RATE_MEMORY_SECONDS)
            before = seconds
        left = _fading(done, fading)
        busy_seconds, done = busy_seconds * left + busy * seconds, done * left
        rate += (0.0 - rate) * slowing
        if not settled:  # what a look leaves as it is, more of the same leave as it is
            then = account.after(behind, in_use, seconds)
            settled, behind = then == behind and seconds > 0, then
        at = now
    arrivals = ((at, old.arrivals[-1][1]),)
    return Flow(at, old.counters, old.started, old.finished, busy_seconds, done, arrivals, rate, behind)


def _rate(old: Flow, arrived: int, seconds: float) -> float:
    if seconds <= 0 or not old.arrivals:
        return old.arrival_rate
    now = (arrived - old.arrivals[-1][1]) / seconds
    return old.arrival_rate + (now - old.arrival_rate) * (1 - math.exp(-seconds / RATE_MEMORY_SECONDS))


def _waiting_looks(
    looks: tuple[tuple[float, int], ...], started: int, waiting: int, arrived: int, now: float
) -> tuple[tuple[float, int], ...]:
    """The looks since the oldest task that still waits: at the first kept one it had not arrived yet.

    Of looks between which nothing arrived the first and the last are enough.
    """
    kept = list(looks)
    if len(kept) > 1 and kept[-2][1] == kept[-1][1] == arrived:
        kept.pop()
    kept.append((now, arrived))
    while len(kept) > 1 and kept[1][1] <= started:
        kept.pop(0)
    if len(kept) > LOOKS_MAX:
        kept.pop(1)
    return tuple(kept)


def oldest_wait_seconds(flow: Flow, waiting: int, now: float) -> float:
    """Upper bound on the wait of the oldest task: it came after the first look that is still kept."""
    return max(0.0, now - flow.arrivals[0][0]) if waiting and flow.arrivals else 0.0
