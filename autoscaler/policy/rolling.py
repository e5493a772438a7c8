"""Replacing workers whose spec or image has changed, one by one: a new one first, then an old one drained.

A rule like the others, asked after the bounds, and level-triggered: it looks at who is there and remembers nothing, so a restart
in the middle of a roll goes on with it. With `old` workers of an earlier spec among those that the pool needs:

    nothing on its way       one more than needed, as far as `replicas.max` allows (or as many as `scale_up.max_step` says)
    the new one is starting  the count is kept until it is heard
    it is heard              now there is one too many: scaling down takes an old one (`selection.py` prefers them)

At `replicas.max` there is no room for one more: an old one is drained first and its place is filled at once (`in_place`).
New workers that fail pause the roll; the old ones go on working. What no work needs is not replaced: it leaves anyway, old ones first.
"""

from __future__ import annotations

from autoscaler.model import OrderKind, Phase, PoolView, Replica, Step
from autoscaler.policy.pace import largest_step
from autoscaler.policy.reasons import Reason
from autoscaler.policy.rules import Proposal, startable
from autoscaler.policy.steering import ordered_count


def rolling(p: Proposal) -> Step | None:
    """One more than needed while old workers are replaced; the count kept while their replacements start."""
    old = p.view.outdated
    if not old or p.count < 1 or p.count > p.current:
        return None
    if starting := _replacements(p.view):
        kept = max(p.count, min(p.current, p.count + len(starting), p.policy.replicas_max))
        return _told(p, kept, f"{len(starting)} of the new kind are starting, {len(old)} of the old kind stay until they are heard")
    if p.count < p.current or _leaves_anyway(p):
        return None
    if why := _paused(p):
        return _told(p, p.count, f"{len(old)} of the old kind wait for their replacement: {why}")
    more = min(surge(p), len(old), max(0, p.policy.replicas_max - p.count))
    if more:
        return _told(p, p.count + more, f"{len(old)} of the old kind are replaced, {more} at a time")
    return _told(p, p.count, f"{len(old)} of the old kind are replaced in place: replicas.max leaves no room for one more")


def in_place(p: Proposal) -> tuple[Replica, ...]:
    """Old workers that may be drained before their replacement starts, because `replicas.max` has no room for both."""
    old = p.view.outdated
    at_max = 0 < p.current == p.count >= p.policy.replicas_max
    if not old or not at_max or _replacements(p.view) or _leaves_anyway(p) or _paused(p):
        return ()
    return old


def surge(p: Proposal) -> int:
    """How many are replaced at a time: one, or `scale_up.max_step` where that is given."""
    return largest_step(p.policy.scale_up, p.current) or 1


def _replacements(view: PoolView) -> tuple[Replica, ...]:
    """Replicas of the present spec that are not heard yet."""
    return tuple([r for r in view.serving if not r.outdated and r.phase is Phase.STARTING])


def _leaves_anyway(p: Proposal) -> bool:
    """Whether only a window or a cooldown keeps the count: then the surplus leaves first, and old ones before new ones."""
    return max(p.recommended, p.policy.replicas_min) < p.current and ordered_count(p.view.orders) is None


def _paused(p: Proposal) -> str:
    """Why no old worker may be replaced now, empty when it may."""
    if p.view.blind:
        return "not while something cannot be seen"
    if any(o.kind is OrderKind.PAUSE for o in p.view.orders):
        return "the pool is paused"
    most, why = startable(p)
    return "" if most else why


def _told(p: Proposal, after: int, because: str) -> Step:
    """A step that is told also where it changes nothing: a roll goes on for a while, and somebody waits for its end."""
    return Step("rolling", p.count, after, Reason.ROLLING, because)
