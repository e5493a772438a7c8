"""The rules between demand and the final count. Each looks at one proposal and answers with a step, or None.

Every rule is small, pure, and does one thing; their order is stated once, in `decide.RULES`.
"""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.model import OrderKind, Phase, PoolMemory, PoolPolicy, PoolView, Step
from autoscaler.model.health import REMEDY
from autoscaler.model.lean import lean
from autoscaler.policy.reasons import Reason

ANY_NUMBER = 1_000_000


@lean
@dataclass(frozen=True, slots=True)
class Proposal:
    """A count on its way through the rules, with everything they may look at."""

    policy: PoolPolicy
    view: PoolView
    memory: PoolMemory
    now: float
    current: int
    """Replicas that serve or will."""
    count: int
    recommended: int
    """Before the rules."""
    steps: tuple[Step, ...]

    @classmethod
    def begin(cls, policy: PoolPolicy, view: PoolView, memory: PoolMemory, now: float, *steps: Step | None) -> Proposal:
        """What these first steps recommend; the first is kept even where it changes nothing, so every trace begins with it."""
        taken = tuple(filter(None, steps))
        wanted = taken[-1].after
        return cls(policy, view, memory, now, len(view.serving), wanted, wanted, taken)

    def step(self, rule: str, after: int, reason: Reason, because: str) -> Step | None:
        """A step of this rule, None where it changes nothing."""
        return Step(rule, self.count, after, reason, because) if after != self.count else None

    def take(self, step: Step | None) -> Proposal:
        """The proposal after this step."""
        if step is None:
            return self
        steps = (*self.steps, step)
        return Proposal(self.policy, self.view, self.memory, self.now, self.current, step.after, self.recommended, steps)


def activation(pool: PoolView, needed: Step) -> Step | None:
    """One replica at least, while anything waits, was left behind, or sits scheduled in a worker's memory.

    What a target lets wait for more to come (`demand`) is not in need of one yet.
    """
    wanted = needed.after
    if pool.unserved > 0 and wanted < 1 and needed.reason is not Reason.TARGET_WAIT:
        return Step("activation", wanted, 1, Reason.ACTIVATED, f"{pool.unserved} waiting need at least one replica")
    if pool.holders > wanted:
        return Step("activation", wanted, pool.holders, Reason.HOLDS_SCHEDULED, f"{pool.holders} replicas hold scheduled tasks")
    if pool.leftover > 0 and wanted < 1:
        because = f"{pool.leftover} unacknowledged tasks that no worker is known to run: only a living worker brings them back"
        return Step("activation", wanted, 1, Reason.UNACKNOWLEDGED, because)
    return None


def cooldown(p: Proposal) -> Step | None:
    """No second change in the same direction within its cooldown; from zero there is none."""
    if p.count == p.current:
        return None
    up = p.count > p.current
    damping, last = (p.policy.scale_up, p.memory.last_up) if up else (p.policy.scale_down, p.memory.last_down)
    if last is None or (up and p.current == 0):
        return None
    left = damping.cooldown_seconds - max(0.0, p.now - last)
    if left <= 0:
        return None
    because = f"the last change {'up' if up else 'down'} was {p.now - last:.0f} s ago, {left:.0f} s of the cooldown are left"
    return p.step("cooldown", p.current, Reason.COOLING_DOWN, because)


def refusal(p: Proposal) -> Step | None:
    """No start for a broker that turns everybody away: the worker would only die of it."""
    if not p.view.refused or p.count <= p.current:
        return None
    return p.step("broker", p.current, Reason.BROKER_REFUSES, p.view.refused)


def backoff(p: Proposal) -> Step | None:
    """No start for a while after workers ended badly, then one at a time until one of them is ready."""
    if p.count <= p.current:
        return None
    most, why = startable(p)
    reason = Reason.BROKER_FAULT if p.memory.broker_fault else Reason.BACKING_OFF
    return p.step("backoff", min(p.count, p.current + most), reason, why)


def startable(p: Proposal) -> tuple[int, str]:
    """How many replicas may be started now, and why no more: after bad ends none for a while, then one to try."""
    fault, failures = p.memory.broker_fault, p.memory.failures
    if p.view.refused:
        return 0, p.view.refused
    if p.view.failed_starts:
        return 0, "a worker was not heard in time: the next start waits"
    if not (fault or failures):
        return ANY_NUMBER, ""
    bad = f"workers ended because the broker {REMEDY[fault.health]}" if fault else f"workers ended badly {failures} times in a row"
    left = (fault.until if fault else p.memory.backoff_until) - p.now
    if left > 0:
        return 0, f"{bad}; the next start is in {left:.0f} s"
    if p.view.of(Phase.READY):
        return ANY_NUMBER, ""
    return max(0, 1 - p.current), f"{bad}; one start to try before the others"


def blindness(p: Proposal) -> Step | None:
    """What cannot be seen blocks scaling down; scaling up on what can be seen goes on."""
    if not p.view.blind or p.count >= p.current:
        return None
    return p.step("blind", p.current, Reason.BLIND, "; ".join(p.view.blind))


def bounds(p: Proposal) -> Step | None:
    """min <= count <= max, always; an excess is drained, never killed. A pool that somebody sends home keeps no minimum."""
    if p.policy.removed:
        gone = f"broker {p.policy.broker}, which its workers serve," if p.policy.broker else "the pool"
        return p.step("bounds", 0, Reason.POOL_REMOVED, f"{gone} no longer stands in the configuration")
    low, high, when = p.policy.replicas_min, p.policy.replicas_max, p.policy.schedule
    if p.count > high:
        return p.step("bounds", high, Reason.TOO_MANY_REPLICAS, f"replicas.max is {high}{when}")
    if p.count < low and not any(o.kind is OrderKind.DRAIN and o.sets_count for o in p.view.orders):
        most, why = startable(p)
        waits = f", but {why}" if low - p.current > most else ""
        return p.step("bounds", low, Reason.TOO_FEW_REPLICAS, f"replicas.min is {low}{when}{waits}")
    return None
