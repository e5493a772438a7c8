"""The stabilization window: a count falls only to the highest, and rises only to the lowest count of the last while.

The word and its sense are the Kubernetes HPA's. What enters the window for scaling down is what was needed. For
`backlog_per_replica` that is the recommendation, as there; where sizing knows which slots are in use, it is what of the
recommendation was put to use, so that a replica whose task found a place elsewhere is not kept for a whole window.
"""

from __future__ import annotations

import math

from autoscaler.model import BacklogPerReplica, PoolMemory, PoolPolicy, Sizing, Step, TargetWait
from autoscaler.policy.demand import busy_most
from autoscaler.policy.expected import SOON_RESTARTS, replicas_soon
from autoscaler.policy.fewer import SHARE_OF_TARGET, account_of
from autoscaler.policy.reasons import Reason
from autoscaler.policy.rules import Proposal

SHORTEST_WINDOW_SECONDS = 10.0
RESTARTS = 3.0
"""The automatic window in restarts (start + stop), unless a long target asks for less."""


def stabilization(p: Proposal) -> Step | None:
    """Down only to the highest need, up only to the lowest recommendation of the window.

    The first look at a pool counts its current size as a need, so a restart never shrinks anything at once; and where there is
    a window at all no single look takes a replica away, the one before must have recommended it as well: unless looks are further
    apart than a restart, for then another one costs more to wait for than it could save.
    """
    if p.count < p.current:
        seconds = window_seconds(p.policy, p.memory)
        most = most_needed(p, seconds)
        spared, why = min(_spared(p, seconds), default=(most, ""))
        kept = min(most, spared)
        lately = p.now - min(seconds, _restart_seconds(p.memory))
        before = [count for at, count in p.memory.recommendations[-1:] if at > lately]
        keep = min(p.current, max(kept, *before, 0))
        if keep <= p.count:
            return None
        peak = f"of {most} needed within the last {seconds:.0f} s, {keep} {why}" if kept < most else ""
        return p.step("stabilization", keep, Reason.SCALE_DOWN_STABILIZED, _why(keep, most, kept, seconds, peak))
    seconds = p.policy.scale_up.stabilization_seconds or 0.0
    if p.count > p.current > 0 and seconds > 0:
        least = max(p.current, min(_recent(p.memory.recommendations, p, seconds)))
        because = f"the least needed within the last {seconds:.0f} s was {least}"
        return p.step("stabilization", min(p.count, least), Reason.SCALE_UP_STABILIZED, because)
    return None


def window_seconds(policy: PoolPolicy, memory: PoolMemory) -> float:
    """The length of the window for scaling down; automatic is the price of some restarts, at least ten seconds' worth of three.

    >>> window_seconds(PoolPolicy("p", ("q",), 0, 9, 1), PoolMemory(boot_seconds=5.0, stop_seconds=1.0))
    18.0
    >>> window_seconds(PoolPolicy("p", ("q",), 0, 9, 1, TargetWait(10.0)), PoolMemory(boot_seconds=3.0, stop_seconds=1.0))
    12.0
    """
    if policy.scale_down.stabilization_seconds is not None:
        return policy.scale_down.stabilization_seconds
    return restarts(policy.sizing) * _restart_seconds(memory)


def _restart_seconds(memory: PoolMemory) -> float:
    return max(memory.boot_seconds + memory.stop_seconds, SHORTEST_WINDOW_SECONDS / RESTARTS)


def soon_seconds(policy: PoolPolicy, memory: PoolMemory) -> float:
    """How soon a task must be expected for a slot to be kept idle for it; 0 where arrivals keep nobody and the window is all.

    That is where the window was set by hand, which then holds as it was set, and for `backlog_per_replica`, which is the HPA's.

    >>> soon_seconds(PoolPolicy("p", ("q",), 0, 9, 1), PoolMemory(boot_seconds=5.0, stop_seconds=1.0))
    12.0
    """
    if policy.scale_down.stabilization_seconds is not None or isinstance(policy.sizing, BacklogPerReplica):
        return 0.0
    return SOON_RESTARTS * _restart_seconds(memory)


def restarts(sizing: Sizing) -> float:
    """How many restarts long a need is remembered.

    The longer tasks may wait, the less a replica at hand is worth: three restarts up to a target of ten seconds, one from thirty
    seconds on, and a straight line between. Chosen on nine traces (`docs/decisions`).

    >>> [restarts(TargetWait(seconds)) for seconds in (0.0, 10.0, 20.0, 30.0, 60.0)]
    [3.0, 3.0, 2.0, 1.0, 1.0]
    """
    if not isinstance(sizing, TargetWait):
        return RESTARTS
    return min(RESTARTS, max(1.0, RESTARTS - 0.1 * (sizing.seconds - 10.0)))


def needed(p: Proposal) -> int:
    """What of the recommendation was put to use: replicas that the busy slots fill, those that hold ETA tasks, and the spare ones.

    Without counters of tasks short ones may come and go between two looks: then all that is recommended counts as needed.
    """
    if isinstance(p.policy.sizing, BacklogPerReplica) or not (p.view.fleet_seen and p.view.flow.is_measured):
        return p.recommended
    worked = 1 if p.view.flow.started > p.memory.flow.started or p.view.leftover else 0
    full = math.ceil(busy_most(p.view) / p.policy.slots) or worked
    return min(p.recommended, max(full + p.policy.spare, p.view.holders))


def most_needed(p: Proposal, seconds: float) -> int:
    """The highest need of the last while; before needs were remembered, the highest recommendation."""
    return max(_recent(p.memory.needs or p.memory.recommendations, p, seconds))


def _recent(window: tuple[tuple[float, int], ...], p: Proposal, seconds: float) -> list[int]:
    """Counts of the window, the present recommendation included; the current size stands in for a history not yet made."""
    since = p.now - seconds
    past = window or ((p.now, p.current),)
    return [count for at, count in past if at > since] + [p.recommended]


def _spared(p: Proposal, seconds: float) -> list[tuple[int, str]]:
    """Counts that would do although more were needed, each with why; none while that is not known for the whole window."""
    watched, flow = p.memory.watched_since, p.view.flow
    if watched is None or p.now - watched < seconds:
        return []
    counts: list[tuple[int, str]] = []
    if waits := SHARE_OF_TARGET * p.policy.may_wait_seconds:
        counts.append((account_of(p.policy).enough(flow.would_wait), f"would have kept waits below {waits:g} s"))
    if (soon := soon_seconds(p.policy, p.memory)) and flow.is_measured:
        count = replicas_soon(busy_most(p.view), p.policy.slots, flow.arrival_rate * soon)
        counts.append((count, f"will do for what runs and the {flow.arrival_rate * soon:.1f} tasks expected within {soon:.0f} s"))
    return counts


def _why(keep: int, most: int, kept: int, seconds: float, peak: str) -> str:
    if keep > kept:
        return f"the look before still asked for {keep}"
    return peak or f"the most needed within the last {seconds:.0f} s was {most}"
