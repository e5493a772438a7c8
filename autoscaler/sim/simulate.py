"""One trace under the settings of one pool: the rows of figures and the course of the run."""

from __future__ import annotations

from dataclasses import dataclass, replace

from autoscaler.config.models import Settings
from autoscaler.model import Policies
from autoscaler.sim.arrivals import Trace
from autoscaler.sim.run import Course, PoliciesAt, run
from autoscaler.sim.score import Score, score_bounds, score_run, target_seconds
from autoscaler.sim.world import Boot

MONDAY = 1704067200.0
"""2024-01-01 00:00 UTC: a trace begins on a Monday at midnight, for pools with schedules."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a simulation gave: our policy first, then the bounds."""

    scores: tuple[Score, ...]
    course: Course


def simulate(policies_at: PoliciesAt, trace: Trace, boot: Boot, seed: int) -> Simulation:
    """The pool of these policies on this trace, beside those who know the future."""
    (policy,) = policies_at(0.0).pools.values()
    target = target_seconds(policy)
    result = run(policies_at, trace, boot, seed=seed)
    ours = score_run(result, policy.slots, target)
    return Simulation((ours, *score_bounds(trace, policy.slots, boot.mean_seconds, target)), result.course)


def policies_of(settings: Settings, pool: str) -> PoliciesAt:
    """The policies of this pool alone, with the schedules that hold so long after the beginning of the trace."""

    def at(now: float) -> Policies:
        everything = settings.policies(MONDAY + now)
        return replace(everything, pools={pool: everything.pools[pool]})

    always = None if settings.pools[pool].schedules else at(0.0)
    return (lambda _: always) if always else at
