"""Estimates what another configuration would have cost: both, it and what was decided then, are simulated on the rebuilt tasks.

Closed-loop: here the backlog follows from the decisions. What was measured stands beside it: how far the simulation of what was
decided then is from what was measured is how much the whole estimate may be off, and comparing two simulations takes that out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autoscaler.model import Action, ActionKind
from autoscaler.report.ticks import PoolTick
from autoscaler.sim.reconstruct import Rebuilt
from autoscaler.sim.replay import lengths
from autoscaler.sim.run import PATIENCE_SECONDS, PoliciesAt, only, run
from autoscaler.sim.score import broker_commands, percentile
from autoscaler.sim.world import STOP_SECONDS, Boot, SimReplica, World

STEP_SECONDS = 1.0
"""How often the world is looked at after the last look, until all is done."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What some time cost and how long tasks waited in it. None: nobody counted tasks."""

    worker_seconds: float
    starts: int
    tasks: int | None
    wait_mean_s: float | None
    wait_p95_s: float | None
    wait_max_s: float | None
    broker_commands: int
    """Estimate: workers with Celery's default flags on Redis."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Both simulated on the same tasks."""

    happened: Figures
    """With as many replicas as were wanted then, at every moment."""
    config: Figures
    """As this configuration decides."""

    @property
    def cost_ratio(self) -> float | None:
        """Worker-hours of this configuration for each one of what was decided then."""
        return self.config.worker_seconds / self.happened.worker_seconds if self.happened.worker_seconds else None


def measured(ticks: Sequence[PoolTick], rebuilt: Rebuilt | None) -> Figures:
    """What was seen to happen: no estimate but the waits, which are those of a queue served in order."""
    seconds = lengths([tick.at for tick in ticks])
    paid = math.fsum((tick.current + tick.draining) * held for tick, held in zip(ticks, seconds, strict=True))
    return _figures(paid, sum(tick.rare.up for tick in ticks), rebuilt.waits if rebuilt else None)


def estimate(policies_at: PoliciesAt, rebuilt: Rebuilt, ticks: Sequence[PoolTick]) -> Estimate:
    """This configuration and what was decided then on the same tasks; times count from the beginning of the trace."""
    boot = Boot(rebuilt.boot_seconds)
    then = _follow(World(only(policies_at(0.0)), rebuilt.trace, boot), rebuilt.begins_at, ticks)
    now = run(policies_at, rebuilt.trace, boot).world
    return Estimate(_of_world(then), _of_world(now))


def _of_world(world: World) -> Figures:
    return _figures(world.worker_seconds, world.starts, world.waits)


def _figures(paid: float, starts: int, waits: Sequence[float] | None) -> Figures:
    if not waits:
        return Figures(paid, starts, None, None, None, None, broker_commands(paid, starts, 0))
    in_order = sorted(waits)
    mean, commands = math.fsum(in_order) / len(in_order), broker_commands(paid, starts, len(in_order))
    return Figures(paid, starts, len(in_order), mean, percentile(in_order, 0.95), in_order[-1], commands)


def _follow(world: World, begins_at: float, ticks: Sequence[PoolTick]) -> World:
    """Let the world have the replicas that were wanted at each look, and when looks end those that were wanted last, until all is done."""
    now, wanted = 0.0, 0
    for tick in ticks:
        now, wanted = max(0.0, tick.at - begins_at), tick.desired
        world.advance(now)
        _want(world, wanted)
    latest = now + PATIENCE_SECONDS
    while world.done < len(world.trace) and now < latest:
        now += STEP_SECONDS
        world.advance(now)
        _want(world, max(1, wanted))
    _want(world, 0)
    world.advance(now + STOP_SECONDS)
    world.close()
    return world


def _want(world: World, count: int) -> None:
    """Start, or let go of, as many as it takes: those that are not ready first, then the least busy."""
    serving = [replica for replica in world.replicas.values() if replica.ended is None and not replica.draining]
    starts = [_action(world, ActionKind.START, f"then-{world.starts + number}") for number in range(count - len(serving))]
    leaving = sorted(serving, key=_load)[: max(0, len(serving) - count)]
    ended = [replica for replica in world.replicas.values() if replica.ended is not None]
    drains = [_action(world, ActionKind.DRAIN, replica.name) for replica in leaving]
    removals = [_action(world, ActionKind.REMOVE, replica.name) for replica in ended]
    world.act((*starts, *drains, *removals), world.now)


def _load(replica: SimReplica) -> tuple[bool, int]:
    return replica.ready, len(replica.running)


def _action(world: World, kind: ActionKind, name: str) -> Action:
    return Action(kind, world.pool, name, name)
