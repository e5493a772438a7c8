"""One trace under the settings of one pool: our own policy, those who know the future, and where asked for the rivals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from autoscaler.config.models import Settings
from autoscaler.model import Policies
from autoscaler.sim.arrivals import Trace
from autoscaler.sim.rivals.catalog import CATALOG
from autoscaler.sim.rivals.contest import contest
from autoscaler.sim.run import PoliciesAt, Run, only, run
from autoscaler.sim.score import Score, score_bounds, score_run, target_seconds
from autoscaler.sim.world import Boot

MONDAY = 1704067200.0
"""2024-01-01 00:00 UTC: a trace begins on a Monday at midnight, for pools with schedules."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a simulation gave: our policy first, then the bounds, then the rivals."""

    scores: tuple[Score, ...]
    run: Run
    """The one of our own policy."""


def simulate(policies_at: PoliciesAt, trace: Trace, boot: Boot, seed: int, rivals: Iterable[str] = ()) -> Simulation:
    """The pool of these policies on this trace; waits are held against the pool's own target, those of the rivals too.

    Each rival is asked for when its turn comes: an iterator hears by that how far it is.
    """
    policy = only(policies_at(0.0))
    target = target_seconds(policy)
    ours = run(policies_at, trace, boot, seed=seed)
    scores = [score_run(ours, policy.slots, target), *score_bounds(trace, policy.slots, boot.mean_seconds, target)]
    for name in rivals:
        theirs = contest(CATALOG[name], policies_at, trace, boot, seed)
        scores.append(score_run(theirs, policy.slots, target, name))
    return Simulation(tuple(scores), ours)


def compare(policies_at: PoliciesAt, trace: Trace, boot: Boot, seed: int = 0, rivals: Iterable[str] = tuple(CATALOG)) -> tuple[Score, ...]:
    """The rows of our policy, of the bounds and of these rivals (see `rivals.catalog`), in this order.

    The rivals know nothing of the pool's sizing: who compares several settings on one trace needs them once only.
    """
    return simulate(policies_at, trace, boot, seed, rivals).scores


def policies_of(settings: Settings, pool: str, begins_at: float = MONDAY) -> PoliciesAt:
    """The policies of this pool alone, with the schedules that hold so long after the beginning of the trace.

    Nobody is out of date in a simulation: workers are not replaced for their spec.
    """

    def at(now: float) -> Policies:
        everything = settings.policies(begins_at + now)
        return replace(everything, pools={pool: replace(everything.pools[pool], spec="")})

    always = None if settings.pools[pool].schedules else at(0.0)
    return (lambda _: always) if always else at
