"""How fast a pool may change: `max_step` of a direction, in one decision or over a period.

Counted as the Kubernetes HPA counts its rate policies: from the replicas at the beginning of the period, so what was added in it
is used up and what was taken away in it may come back. The changes themselves are part of the memory, which `changes_after` folds.
"""

from __future__ import annotations

import math
from bisect import bisect

from autoscaler.model import ActionKind, Damping, Outcome, PoolDecision, PoolMemory, Result, Step
from autoscaler.policy.reasons import Reason
from autoscaler.policy.rules import Proposal

LONGEST_PERIOD_SECONDS = 1800.0
"""What is older is forgotten; the HPA allows as much."""
CHANGES_APART_SECONDS = 1.0
"""Changes closer together are kept as one, so that half an hour of them stays a short list."""

Changes = tuple[tuple[float, int], ...]


def max_step(p: Proposal) -> Step | None:
    """No further than `max_step` of this direction, counted over its `period`; from zero one replica is always allowed."""
    if p.count == p.current:
        return None
    up = p.count > p.current
    damping = p.policy.scale_up if up else p.policy.scale_down
    began_with = p.current - net_change(p.memory.changes, damping.period_seconds, p.now)
    most = largest_step(damping, began_with)
    if most is None:
        return None
    if up:
        limit = min(p.count, max(began_with + most, p.current, 1))
        return p.step("max_step", limit, Reason.SCALE_UP_LIMIT, f"at most {most} more {_counted(damping, began_with)}")
    limit = max(p.count, min(began_with - most, p.current))
    return p.step("max_step", limit, Reason.SCALE_DOWN_LIMIT, f"at most {most} fewer {_counted(damping, began_with)}")


def largest_step(damping: Damping, began_with: int) -> int | None:
    """Replicas that may be added to, or taken from, as many as the period began with; None for no limit, else at least one.

    A share is rounded up in both directions, or a small pool would never change.

    >>> largest_step(Damping(max_step_percent=50.0), began_with=5)
    3
    """
    if damping.max_step is not None:
        return damping.max_step
    if damping.max_step_percent is not None:
        return max(1, math.ceil(began_with * damping.max_step_percent / 100.0 - 1e-9))
    return None


def net_change(changes: Changes, period_seconds: float, now: float) -> int:
    """Replicas added less those taken away within the period; none in a period of no length.

    >>> net_change(((940.0, 7), (945.0, 5), (990.0, -2)), 60.0, now=1000.0)
    3
    """
    if not period_seconds:
        return 0
    since = now - period_seconds
    return sum([change for at, change in changes if at > since])


def begun(old: PoolMemory, decided: PoolDecision, outcomes: tuple[Outcome, ...]) -> tuple[int, int]:
    """How many replicas this very decision started and told to leave, or ordered to.

    Late answers to earlier actions, and signals sent again, were counted when they were ordered; what was refused is no change,
    and neither is a failed start that is sent away: it had no place any more.
    """
    if not decided.actions:
        return 0, 0
    again = {d.replica for d in old.drains} | {r.name for r in decided.view.failed_starts}
    ordered = {(a.kind, a.replica) for a in decided.actions if a.kind is not ActionKind.DRAIN or a.replica not in again}
    done = {(o.action.kind, o.action.replica) for o in outcomes if o.result in (Result.DONE, Result.PENDING)}
    kinds = [kind for kind, _ in ordered & done]
    return kinds.count(ActionKind.START), kinds.count(ActionKind.DRAIN)


def changes_after(old: Changes, change: int, now: float) -> Changes:
    """The changes that some period may still count, with this one.

    >>> changes_after(((100.0, 3), (2000.0, 1)), -2, now=2001.5)
    ((2000.0, 1), (2001.5, -2))
    """
    first = bisect(old, (now - LONGEST_PERIOD_SECONDS, math.inf)) if old else 0
    kept = old[first:] if first else old
    if not change:
        return kept
    if kept and now - kept[-1][0] < CHANGES_APART_SECONDS:
        at, before = kept[-1]
        return (*kept[:-1], (at, before + change))
    return (*kept, (now, change))


def _counted(damping: Damping, began_with: int) -> str:
    return f"within {damping.period_seconds:g} s, counted from {began_with}" if damping.period_seconds else "in one decision"
