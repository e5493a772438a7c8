"""What foresight says of a pool is what the same pool then does, if nothing comes or ends by itself any more."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from lived import BOOT, alone
from small import pools, traces

from autoscaler.loop import tick
from autoscaler.model import Memory, PoolPolicy
from autoscaler.policy.foresight import Change, Foresight, foresee, look_at, next_change
from autoscaler.sim.arrivals import Trace, trace_of
from autoscaler.sim.world import World

STAYS_SECONDS = 5000.0
"""How long the tasks run that hold their workers until after the end."""
ENDS_SECONDS = 1200.0


class Told(NamedTuple):
    """One tick: the count that was decided, and what was foreseen where nothing was under way."""

    at: float
    desired: int
    change: Change | None = None
    said: Foresight | None = None


def ticks(policy: PoolPolicy, trace: Trace, interval: float) -> list[Told]:
    """A pool's life until long after its short tasks are done."""
    policies, world, memory, told = alone(policy, interval), World(policy, trace, BOOT), Memory(), []
    short = sum(runtime < STAYS_SECONDS for runtime in trace.runtimes)
    for number in range(int(ENDS_SECONDS / interval)):
        world.advance(number * interval)
        record, memory = tick(policies, memory, world, world, number * interval)
        kept, (decided,), seen = memory.of(policy.name), record.decision.pools, record.observation
        told.append(Told(record.at, decided.desired))
        under_way = decided.actions or decided.view.exited or kept.drains or kept.starting
        if world.arrived == len(trace) and world.done == short and not under_way:
            change = next_change(policies, look_at(policies, seen, memory), memory, policy.name)
            told[-1] = Told(record.at, decided.desired, change, foresee(policies, seen, memory, policy.name))
    return told


@settings(max_examples=30, deadline=None)
@given(pools, traces, st.lists(st.floats(0.0, 90.0), max_size=8), st.sampled_from([2.0, 5.0]))
def test_what_is_foreseen_happens(policy: PoolPolicy, trace: Trace, long: list[float], interval: float) -> None:
    """The count changes at the look that was said, or the one beside it, to what was said; where nothing was said it stays."""
    tasks = [*zip(trace.arrivals, trace.runtimes, strict=True), *((at, STAYS_SECONDS) for at in long)]
    told = ticks(policy, trace_of(tasks), interval)

    for number, (now, desired, change, said) in enumerate(told):
        if said is None or now > ENDS_SECONDS / 2:
            continue
        then = next((later for later in told[number + 1 :] if later.desired != desired), None)
        if change is None or then is None:
            assert then is None
            assert change is None or change.at >= ENDS_SECONDS - interval
        else:
            assert (then.desired, True) == (change.to, abs(then.at - change.at) <= interval + 1e-6)
        if change and change.to < desired:
            assert (said.down_to, said.down_in_seconds) == (change.to, round(change.at - now, 1))
