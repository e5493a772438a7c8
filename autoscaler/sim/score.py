"""What a run cost and how long its tasks waited: one row of figures, the same for a simulated policy and for a bound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from autoscaler.model import PoolPolicy, TargetWait, Thresholds
from autoscaler.sim.arrivals import Trace
from autoscaler.sim.bounds import Plan, within_target, zero_wait
from autoscaler.sim.run import Run
from autoscaler.sim.world import STOP_SECONDS

OURS = "autoscaler"
"""The name of our own policy's row."""
BOUNDS = ("clairvoyant_zero_wait", "clairvoyant_slo", "work_only")
"""The names of the rows of those who know the future."""

USUAL_TARGET_SECONDS = 30.0
"""What waits are held against where the pool sets no target of its own."""

COMMANDS_PER_MINUTE = 106.0
"""Redis commands of one worker with Celery's default flags, idle or busy: polling, heartbeat, gossip (measured)."""
COMMANDS_PER_START = 125.0
COMMANDS_PER_TASK = 10.0
"""One to publish, nine to consume; no result backend, no task events."""


@dataclass(frozen=True, slots=True)
class Score:
    """One row. None: this bound is no plan, so it has no such figure."""

    policy: str
    tasks: int
    done: int
    interrupted: int
    wait_mean_s: float | None
    wait_p50_s: float | None
    wait_p95_s: float | None
    wait_p99_s: float | None
    wait_max_s: float | None
    slo_target_s: float
    slo_met: float | None
    """Share of the tasks that were done and did not wait longer than `slo_target_s`."""
    worker_seconds: float
    """Of all replicas, from the start of each until it is gone."""
    busy_ratio: float
    """Share of the paid slot-seconds in which a task ran."""
    starts: int | None
    reversals: int | None
    """How often the count turned from growing to shrinking or back."""
    peak: int | None
    """The most replicas at once, those on their way out included."""
    broker_commands: int
    """Estimate: workers with Celery's default flags on Redis, without Flower and without what the autoscaler itself asks."""

    def plain(self) -> dict[str, Any]:
        """For JSON: no more digits than mean something."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in values.items()}


def target_seconds(policy: PoolPolicy) -> float:
    """How long a task of this pool may wait by its own settings."""
    match policy.sizing:
        case TargetWait():
            return policy.sizing.seconds
        case Thresholds():
            return policy.sizing.max_wait_seconds
    return USUAL_TARGET_SECONDS


def percentile(in_order: Sequence[float], share: float) -> float:
    """The smallest value that this share of all values does not exceed.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5), percentile([1.0, 2.0, 3.0, 4.0], 0.95)
    (2.0, 4.0)
    """
    return in_order[max(0, math.ceil(share * len(in_order)) - 1)]


def score_run(run: Run, slots: int, target: float, policy: str = OURS) -> Score:
    """The row of a simulated policy."""
    world = run.world
    undone = {*world.waiting, *(task for replica in world.replicas.values() for task in replica.running)}
    in_time = sum(1 for task, wait in enumerate(world.waits) if wait <= target + 1e-9 and task not in undone and task < world.arrived)
    return Score(
        policy=policy,
        tasks=len(world.trace),
        done=world.done,
        interrupted=world.interrupted,
        **_waits(world.waits),
        slo_target_s=target,
        slo_met=in_time / len(world.trace),
        worker_seconds=world.worker_seconds,
        busy_ratio=_ratio(world.busy_seconds, world.worker_seconds * slots),
        starts=world.starts,
        reversals=run.reversals,
        peak=world.peak,
        broker_commands=broker_commands(world.worker_seconds, world.starts, len(world.trace)),
    )


def score_bounds(trace: Trace, slots: int, boot_seconds: float, target: float) -> tuple[Score, ...]:
    """The rows of those who know the future; they know no `replicas.max` either."""
    restart = boot_seconds + STOP_SECONDS
    return (
        _score_plan("clairvoyant_zero_wait", zero_wait(trace, slots, restart), trace, slots, target),
        _score_plan("clairvoyant_slo", within_target(trace, slots, restart, target), trace, slots, target),
        _work_only(trace, slots, target),
    )


def _score_plan(name: str, plan: Plan, trace: Trace, slots: int, target: float) -> Score:
    paid, starts = plan.worker_seconds, len(plan.periods)
    return Score(
        policy=name,
        tasks=len(trace),
        done=len(trace),
        interrupted=0,
        **_waits(plan.waits),
        slo_target_s=target,
        slo_met=sum(1 for wait in plan.waits if wait <= target + 1e-9) / len(trace),
        worker_seconds=paid,
        busy_ratio=_ratio(trace.work_seconds, paid * slots),
        starts=starts,
        reversals=plan.reversals,
        peak=plan.peak,
        broker_commands=broker_commands(paid, starts, len(trace)),
    )


def _work_only(trace: Trace, slots: int, target: float) -> Score:
    paid = trace.work_seconds / slots
    return Score(
        policy="work_only",
        tasks=len(trace),
        done=len(trace),
        interrupted=0,
        wait_mean_s=None,
        wait_p50_s=None,
        wait_p95_s=None,
        wait_p99_s=None,
        wait_max_s=None,
        slo_target_s=target,
        slo_met=None,
        worker_seconds=paid,
        busy_ratio=1.0,
        starts=None,
        reversals=None,
        peak=None,
        broker_commands=broker_commands(paid, 0, len(trace)),
    )


def broker_commands(worker_seconds: float, starts: int, tasks: int) -> int:
    """About how many Redis commands the workers cost.

    >>> broker_commands(60.0, 1, 2)
    251
    """
    return round(worker_seconds / 60 * COMMANDS_PER_MINUTE + starts * COMMANDS_PER_START + tasks * COMMANDS_PER_TASK)


def _waits(waits: Sequence[float]) -> dict[str, Any]:
    in_order = sorted(waits)
    shares = {f"wait_p{p}_s": percentile(in_order, p / 100) for p in (50, 95, 99)}
    return {"wait_mean_s": math.fsum(in_order) / len(in_order), **shares, "wait_max_s": in_order[-1]}


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
