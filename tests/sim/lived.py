"""A pool's life as the journal tells it: the loop on a simulated world, tick by tick, and what was kept of it."""

from __future__ import annotations

from collections.abc import Iterator

from autoscaler.loop import tick
from autoscaler.model import Memory, Policies, PoolPolicy, Record
from autoscaler.policy.memory import resume
from autoscaler.report.ticks import Look, pool_tick
from autoscaler.sim.arrivals import Trace
from autoscaler.sim.world import Boot, World

BOOT = Boot(3.0)


def alone(policy: PoolPolicy, interval: float = 1.0) -> Policies:
    """This pool and no other."""
    return Policies("t", interval, 1000, {policy.name: policy}, "lived")


def life(
    policy: PoolPolicy,
    trace: Trace,
    *,
    interval: float = 1.0,
    boot: Boot = BOOT,
    restart_at: float | None = None,
) -> Iterator[tuple[Record, Memory]]:
    """Every tick until long after the last task; the daemon may be restarted once, with the memory it had."""
    world, memory, policies, number = World(policy, trace, boot, seed=3), Memory(), alone(policy, interval), 0
    while world.done < len(trace) or number * interval < trace.arrivals[-1] + 60.0:
        now = number * interval
        world.advance(now)
        if restart_at is not None and restart_at <= now < restart_at + interval:
            memory = resume(memory)
        record, memory = tick(policies, memory, world, world, now)
        yield record, memory
        number += 1


def looks_of(told: Iterator[tuple[Record, Memory]], restart_at: float | None = None) -> tuple[Look, ...]:
    """What the journal would keep of these ticks."""
    kept: list[Look] = []
    for record, memory in told:
        fresh = not kept or (restart_at is not None and kept[-1].at < restart_at <= record.at)
        kept.append(Look(record.at, fresh, {d.pool: pool_tick(d, memory, record.at) for d in record.decision.pools}))
    return tuple(kept)
