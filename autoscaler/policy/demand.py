"""How many replicas the work needs, before any damping: the three ways to size a pool.

Each way answers one question, how many slots are wanted, from the same load; the arithmetic of the first two is that of the
measured policies (1.13 and 0.99 times the worker-hours of a clairvoyant zero-wait plan on seventeen real traces).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from autoscaler.model import BacklogPerReplica, Flow, Phase, PoolPolicy, PoolView, Sizing, Step, TargetWait, Thresholds
from autoscaler.model.lean import lean
from autoscaler.policy.reasons import Reason

LEAST_NEW_SLOTS = 0.5
"""A smaller want of slots waits until it is due, or until a present slot has taken the task."""
DEVIATIONS = 4.0
"""How many standard deviations fewer tasks than on average are relied upon where a deadline is near."""
SLOW_RATE = 0.001
"""Tasks per second below which a pool counts as asleep: spare replicas are kept only above it."""


@lean
@dataclass(frozen=True, slots=True)
class Load:
    """A pool's work in slots. `busy_least` counts replicas nobody can speak for as idle, `busy_most` as full."""

    waiting: int
    busy_least: int
    busy_most: int
    slots: int
    replicas: int
    oldest_wait_seconds: float
    flow: Flow
    lead_seconds: float = 0.0
    """From the decision to the first task of a new replica: its boot and the look that finds it needed."""
    interval_seconds: float = 0.0
    """Until the next look."""
    others: int = 0
    """Tasks that wait, too, and that workers of others take."""
    lost: int = 0
    """Slots of lost replicas, which nobody relies on."""
    starting: tuple[float, ...] = ()
    """Seconds until each starting replica is expected to be ready."""
    nobody_ready: bool = False
    """Whether no replica has come so far, so that nobody knows yet whether tasks are counted at all."""

    @property
    def free(self) -> int:
        """Slots that take a waiting task at once."""
        return max(0, self.slots - self.busy_least)

    @property
    def numbers(self) -> str:
        """The load in words."""
        others = f" (and {self.others} that foreign workers take)" if self.others else ""
        return f"{self.waiting} waiting{others} + {self.busy_least} busy of {self.slots} slots"


class Need(NamedTuple):
    """Slots wanted, and why."""

    slots: float
    reason: Reason
    because: str = ""


Size = Callable[[Load, PoolPolicy], Need]


def busy_most(view: PoolView) -> int:
    """Slots that may be in use: those of whom nobody can say so, too."""
    return view.busy + view.lost + view.silent


def load(view: PoolView, lead_seconds: float = 0.0, interval_seconds: float = 0.0) -> Load:
    """The load of one pool.

    Prefetched tasks cannot move to another worker, so they fill slots of the worker that holds them and ask for no new one.
    A lost replica is doubtful: it offers no slot to a waiting task, and is as good as full when fewer are considered.
    """
    busy, others = view.busy + view.lost, view.others_take
    return Load(  # in the order of its fields: by name it takes twice as long
        view.waiting - others,
        busy,
        busy + view.silent,
        view.slots + view.lost,
        len(view.serving),
        view.oldest_wait_seconds,
        view.flow,
        lead_seconds,
        interval_seconds,
        others,
        view.lost,
        _ready_in(view, lead_seconds - interval_seconds) if view.waiting else (),
        not view.flow.is_measured and all(r.phase is Phase.STARTING for r in view.replicas),
    )


def _ready_in(view: PoolView, boot_seconds: float) -> tuple[float, ...]:
    """Seconds until each starting replica is expected to be ready; no time is known before the first look with counters."""
    now = view.flow.at
    return () if now is None else tuple([max(0.0, r.since + boot_seconds - now) for r in view.of(Phase.STARTING)])


def demand(policy: PoolPolicy, view: PoolView, lead_seconds: float = 0.0, interval_seconds: float = 0.0) -> Step:
    """Replicas that the load asks for, by the pool's own way of sizing.

    Growth is measured with doubtful replicas as idle, shrinking with them as full, so doubt alone changes nothing.

    >>> policy = PoolPolicy("p", ("q",), 0, 10, slots=4)
    >>> demand(policy, PoolView("p", (), 12, 0, (), (), 0.0, ())).after
    3
    """
    work, size = load(view, lead_seconds, interval_seconds), WAYS[type(policy.sizing)]
    need = size(work, policy)
    if policy.spare:
        need = _with_spare(need, work, policy)
    up = _replicas(need.slots, policy)
    anything = up or work.waiting
    if up > work.replicas or (up == work.replicas and anything and need.reason is not Reason.DEMAND):
        return _step(work, up, need.reason, f"{work.numbers}{need.because}: needs {up} of {policy.slots} slots each")
    if up < work.replicas and work.waiting and work.waiting > _may_wait(policy):
        because = f"{work.numbers}: {up} would do, but not while more than {_may_wait(policy)} wait"
        return _step(work, work.replicas, Reason.BACKLOG_HOLDS, because)
    down = up
    if work.busy_most > work.busy_least:
        doubtful = size(replace(work, busy_least=work.busy_most), policy)
        down = _replicas(_with_spare(doubtful, work, policy).slots, policy)
    if up < work.replicas <= down:
        because = f"{work.numbers}: nobody can say what {_silent(view)} of {work.replicas} replicas are running"
        return _step(work, work.replicas, Reason.BUSY_UNKNOWN, because)
    after = min(work.replicas, down)
    reason = need.reason if after else Reason.NO_DEMAND
    return _step(work, after, reason, f"{work.numbers}{need.because}: needs {after} of {policy.slots} slots each")


# ---------------------------------------------------------------- the three ways


def by_thresholds(work: Load, policy: PoolPolicy) -> Need:
    """One slot for each task that runs or waits, unless few enough wait, briefly enough, beside working replicas.

    Up to `up` tasks may wait beyond the free slots, none longer than `max_wait`; otherwise the whole need, in one step.
    """
    limit = policy.sizing if isinstance(policy.sizing, Thresholds) else Thresholds()
    wanted, extra = work.busy_least + work.waiting, work.waiting - work.free
    if extra <= 0:
        return Need(wanted, Reason.DEMAND)
    if extra > limit.up or not work.replicas:
        return Need(wanted, Reason.BACKLOG_ABOVE_THRESHOLD)
    if work.oldest_wait_seconds > limit.max_wait_seconds:
        return Need(wanted, Reason.WAITED_TOO_LONG, f", the oldest for {work.oldest_wait_seconds:.0f} s")
    because = f", {extra} beyond the free slots where up to {limit.up} may wait for {limit.max_wait_seconds:g} s"
    return Need(min(work.slots, wanted), Reason.BACKLOG_BELOW_THRESHOLD, because)


def by_target_wait(work: Load, policy: PoolPolicy) -> Need:
    """Just the slots it takes for every waiting task to start within the target.

    Tasks wait in line. The `k`-th beyond the free slots, with `left` seconds to its deadline, is started in time by the present
    slots if `k <= slots * left / m`, where `m` is the mean runtime: they free a slot every `m / slots` seconds. A new slot helps
    from `lead` on, and then frees itself every `m` seconds: it starts `1 + (left - lead) / m` tasks in time. With `left < lead`
    it is too late for an average: each task gets a slot of its own that the present ones do not start almost for certain
    (`_surely_started`). Less than half a slot is not worth a replica yet, as long as the next look comes early enough: one may
    become free before.

    Worked example: 20 tasks wait beyond the free slots, of which all have 7 s left; 4 slots, tasks of 2 s, lead 4 s.
    The present slots start 4 * 7 / 2 = 14 in time; the other 6 take 6 / (1 + 3 / 2) = 2.4 new slots, so 6.4 are wanted.

    Two kinds of tasks may wait until they are due, because waiting is worth something: the first ones of all, from which one
    replica learns how long they take, and those that one replica will serve together with others to come (`_may_gather`).
    """
    target = policy.sizing.seconds if isinstance(policy.sizing, TargetWait) else 0.0
    wanted, flow = work.busy_least + work.waiting, work.flow
    runtime = flow.mean_runtime_seconds
    if work.waiting <= work.free:
        return Need(wanted, Reason.DEMAND)
    left = target - work.oldest_wait_seconds - work.lead_seconds
    """Seconds until the oldest task is due: then a replica must be started for it."""
    if runtime is None:
        if _may_learn(work, target) and left >= work.interval_seconds:
            because = f" (how long tasks take is not known yet, and they may wait {left:.0f} s to find out)"
            return Need(min(wanted, max(work.slots, policy.slots)), Reason.TARGET_WAIT, because)
        why = "how long tasks take is not known yet" if flow.is_measured else "nobody counts started tasks, so none may wait"
        return Need(wanted, Reason.BACKLOG_ABOVE_THRESHOLD, f" ({why})")
    if _may_gather(work, policy, left):
        because = f", which may wait {left:.0f} s, and {flow.arrival_rate * left:.1f} more are expected until then"
        return Need(0.0, Reason.TARGET_WAIT, because)
    new = max((_new_slots(work, group, target, runtime) for group in _groups(work)), default=float(work.waiting - work.free))
    because = f", tasks of {runtime:.1f} s, each to start within {target:g} s"
    return Need(min(wanted, work.slots + max(0.0, new)), Reason.TARGET_WAIT, because)


def _may_learn(work: Load, target: float) -> bool:
    """Whether one replica could tell how long tasks take before the others are due; one that is late by itself tells nothing."""
    coming = work.nobody_ready and work.oldest_wait_seconds <= work.lead_seconds
    return (work.flow.is_measured or coming) and target >= 2 * work.lead_seconds


def _may_gather(work: Load, policy: PoolPolicy, left: float) -> bool:
    """Whether tasks wait for others before anything is started: one replica takes them all at once, and one more is expected in time.

    So a lone task of a quiet pool is served at once: nobody would come to share its start.
    """
    none_there = work.replicas == 0 and work.waiting <= policy.slots
    return none_there and left >= work.interval_seconds and work.flow.arrival_rate * left >= 1.0


def _groups(work: Load) -> list[tuple[int, float]]:
    """(place in line of the last task, longest time it can have waited) of the tasks that came between two looks."""
    looks, now = work.flow.arrivals, work.flow.at or 0.0
    pairs = pairwise(looks)
    places = [(arrived - work.flow.started - work.free, now - since) for (since, _), (_, arrived) in pairs]
    return [(place, waited) for place, waited in places if place > 0]


def _new_slots(work: Load, group: tuple[int, float], target: float, runtime: float) -> float:
    place, left = group[0], target - group[1]
    if left < work.lead_seconds:
        return max(0.0, place - _surely_started(work, left, runtime))
    new = (place - work.slots * left / runtime) / (1 + (left - work.lead_seconds) / runtime)
    can_wait = work.replicas > 0 and left >= work.lead_seconds + work.interval_seconds
    return 0.0 if can_wait and new < LEAST_NEW_SLOTS else new


def _surely_started(work: Load, seconds: float, runtime: float) -> float:
    """Tasks that the present slots start within this time almost for certain: four standard deviations fewer than on average.

    Slots become free `slots * seconds / m` times, those of a starting replica only once it is ready, those of a lost one never. A
    Poisson count varies by its root: where 16 are expected none is certain, where 100 are expected 60 are.
    """
    each = work.slots / max(1, work.replicas)
    ready = work.slots - work.lost - each * len(work.starting)
    slot_seconds = ready * seconds + each * sum(max(0.0, seconds - until) for until in work.starting)
    expected = max(0.0, slot_seconds / runtime)
    return max(0.0, expected - DEVIATIONS * math.sqrt(expected))


def by_backlog(work: Load, policy: PoolPolicy) -> Need:
    """So many waiting tasks for each replica, and never fewer replicas than the running tasks fill.

    Kubernetes' average value: `ceil(backlog / target)`, and no change within the tolerance around the present count. Spare
    replicas are no part of that count.
    """
    sizing = policy.sizing if isinstance(policy.sizing, BacklogPerReplica) else BacklogPerReplica(1.0)
    serving = work.replicas - policy.spare
    because = f", {sizing.tasks:g} for each replica"
    if serving > 0 and abs(work.waiting / (sizing.tasks * serving) - 1.0) <= sizing.tolerance + 1e-9:
        wanted, reason = serving, Reason.WITHIN_TOLERANCE
    else:
        wanted, reason = math.ceil(work.waiting / sizing.tasks - 1e-9), Reason.BACKLOG_PER_REPLICA
    return Need(float(max(wanted * policy.slots, work.busy_least)), reason, because)


# ---------------------------------------------------------------- what they share


WAYS: dict[type[Sizing], Size] = {Thresholds: by_thresholds, TargetWait: by_target_wait, BacklogPerReplica: by_backlog}


def _may_wait(policy: PoolPolicy) -> float:
    """Tasks that may wait while replicas are taken away; only thresholds set such a number."""
    return policy.sizing.down if isinstance(policy.sizing, Thresholds) else math.inf


def _with_spare(need: Need, work: Load, policy: PoolPolicy) -> Need:
    """Spare replicas on top, while there is any work."""
    if not policy.spare or not (work.busy_most or work.waiting or work.flow.arrival_rate > SLOW_RATE):
        return need
    return need._replace(slots=need.slots + policy.spare * policy.slots, because=f"{need.because} and {policy.spare} spare")


def _replicas(slots: float, policy: PoolPolicy) -> int:
    return math.ceil(slots / policy.slots - 1e-9)


def _step(work: Load, after: int, reason: Reason, because: str) -> Step:
    return Step("demand", work.replicas, after, reason, because)


def _silent(view: PoolView) -> int:
    return sum(1 for r in view.serving if r.running is None)
