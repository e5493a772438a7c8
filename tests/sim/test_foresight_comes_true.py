"""What foresight says of a pool is what the same pool then does."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from lived import BOOT, alone
from small import pools, traces

from autoscaler.loop import tick
from autoscaler.model import Memory, PoolPolicy
from autoscaler.policy.foresight import Foresight, foresee
from autoscaler.sim.arrivals import Trace, trace_of
from autoscaler.sim.world import World

STAYS_SECONDS = 5000.0
"""How long the tasks run that hold their workers until after the end."""
ENDS_SECONDS = 1200.0


class Told(NamedTuple):
    """One tick: the count that was decided, and what was foreseen if nothing comes or ends by itself any more."""

    at: float
    desired: int
    said: Foresight | None


def ticks(policy: PoolPolicy, trace: Trace, interval: float) -> list[Told]:
    """A pool's life until long after its short tasks are done."""
    policies, world, memory, told = alone(policy, interval), World(policy, trace, BOOT), Memory(), []
    short = sum(runtime < STAYS_SECONDS for runtime in trace.runtimes)
    for number in range(int(ENDS_SECONDS / interval)):
        world.advance(number * interval)
        record, memory = tick(policies, memory, world, world, number * interval)
        kept, (decided,) = memory.of(policy.name), record.decision.pools
        under_way = world.waiting or kept.drains or kept.starting or decided.actions or decided.view.exited
        calm = world.arrived == len(trace) and world.done == short and not under_way
        told.append(Told(record.at, decided.desired, foresee(policies, record.observation, memory, policy.name) if calm else None))
    return told


@settings(max_examples=30, deadline=None)
@given(pools, traces, st.integers(0, 3), st.sampled_from([2.0, 5.0]))
def test_what_is_foreseen_happens(policy: PoolPolicy, trace: Trace, stay: int, interval: float) -> None:
    """The count falls at the look that was said, to what was said; where nothing was said it stays."""
    tasks = [*zip(trace.arrivals, trace.runtimes, strict=True), *((1.0, STAYS_SECONDS) for _ in range(stay))]
    told = ticks(policy, trace_of(tasks), interval)

    for number, (now, desired, said) in enumerate(told):
        if said is None:
            continue
        fallen = next((later for later in told[number + 1 :] if later.desired < desired), None)
        if said.down_in_seconds is None:
            assert fallen is None
        elif now + said.down_in_seconds < ENDS_SECONDS - interval:
            assert fallen is not None
            assert fallen.desired == said.down_to
            assert abs(now + said.down_in_seconds - fallen.at) <= interval + 1e-6
