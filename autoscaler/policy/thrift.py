"""The rules by which a budget of commands is followed. Only what waits is saved on: work goes on, unless the operator says stop."""

from __future__ import annotations

from autoscaler.model import Step
from autoscaler.policy.reasons import Reason
from autoscaler.policy.rules import Proposal
from autoscaler.policy.stabilization import most_needed, window_seconds


def thrift(p: Proposal) -> Step | None:
    """Idle workers that only the stabilization window keeps leave sooner, while the budget would not last.

    Not at once: a worker whose restart costs more than it has idled away so far is kept that long.
    """
    keep_seconds = p.view.purse.keep_seconds
    if keep_seconds is None or p.view.blind or p.count <= p.recommended or p.count > p.current:
        return None
    if keep_seconds >= window_seconds(p.policy, p.memory):
        return None
    keep = max(p.recommended, min(p.count, most_needed(p, keep_seconds)))
    because = f"{p.view.purse.words}: it is kept for {keep_seconds:.0f} s at most"
    return p.step("thrift", keep, Reason.BUDGET_THIN, because)


def spent(p: Proposal) -> Step | None:
    """Nobody works on a spent budget where `on_exhausted` is `stop`: not even the minimum; who runs a task finishes it."""
    return p.step("budget", 0, Reason.BUDGET_SPENT, p.view.purse.words) if p.view.purse.spent else None
