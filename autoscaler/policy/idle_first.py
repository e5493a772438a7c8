"""An idle worker is drained before a busy one, and waited for: as long as a running task has left on average.

A drained worker finishes what it runs and costs as much as before until then, but its free slots are lost and it cannot be had
back; one that stays works on, and leaves as soon as it is idle. Where the broker gives tasks to all workers in turn none may ever
be: so the wait ends after half the mean runtime of a task, and after one stabilization window at the latest.

Worked example: 3 replicas of 2 slots run one task each, tasks take 4 s; 2 replicas would do. For 2 s nobody is drained; the first
replica that is idle leaves. If none was, the least busy one is told to, finishes its task, and leaves.
"""

from __future__ import annotations

from autoscaler.model import Step
from autoscaler.policy.reasons import Reason
from autoscaler.policy.rules import Proposal
from autoscaler.policy.stabilization import window_seconds

RULE = "idle_first"
SHARE_OF_RUNTIME = 0.5
"""What a running task has left on average, if all take equally long."""


def idle_first(p: Proposal) -> Step | None:
    """No busy replica is drained before an idle one has been waited for; without counters of tasks nobody knows how long to wait."""
    busy = sum(r.is_busy for r in p.view.serving) if p.count < p.current else 0
    if p.count >= busy:
        return None
    since, patience = p.memory.none_idle_since, patience_seconds(p)
    left = patience - (0.0 if since is None else max(0.0, p.now - since))
    if left <= 0:
        return None
    runtime = p.view.flow.mean_runtime_seconds or 0.0
    because = f"{busy} of {p.current} are busy: an idle one is waited for, {left:.1f} s at most (tasks take {runtime:.1f} s)"
    return p.step(RULE, busy, Reason.NONE_IDLE, because)


def patience_seconds(p: Proposal) -> float:
    """How long an idle replica is waited for; 0 until a task has ended."""
    return min(SHARE_OF_RUNTIME * (p.view.flow.mean_runtime_seconds or 0.0), window_seconds(p.policy, p.memory))


def none_idle_since(before: float | None, steps: tuple[Step, ...], now: float) -> float | None:
    """Since when an idle replica has been waited for, after a decision of these steps; None where nobody waits for one.

    >>> none_idle_since(None, (Step(RULE, 2, 3, Reason.NONE_IDLE, ""),), 7.0)
    7.0
    """
    if not is_held(steps):
        return None
    return now if before is None else before


def is_held(steps: tuple[Step, ...]) -> bool:
    """Whether an idle replica is waited for.

    >>> is_held((Step(RULE, 2, 3, Reason.NONE_IDLE, ""),)), is_held(())
    (True, False)
    """
    return any(step.rule == RULE for step in steps)
