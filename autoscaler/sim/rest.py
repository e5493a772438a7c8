"""Which ticks may be left out: those that would see what the last one saw, and could decide nothing else.

A tick depends on what is seen, on what is remembered, and on the time. While nothing waits, boots or ends, what is seen stays the
same, and so does the memory, but for the window and the flow, which `carry` brings up to date. The time by itself matters to the
stabilization window, cooldowns, periods of `max_step`, deadlines of drains and spare replicas: where it may, no tick is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from autoscaler.model import Memory, PoolDecision, PoolMemory, PoolPolicy, Record
from autoscaler.policy.demand import SLOW_RATE
from autoscaler.policy.flow import unchanged
from autoscaler.policy.rules import window_seconds


def rests_until(policy: PoolPolicy, record: Record, memory: Memory, interval_seconds: float) -> float:
    """Until when every tick would do nothing if nothing happens in the world; 0 when the next one might do something.

    `memory` is the one after the tick of `record`.
    """
    (decided,) = record.decision.pools
    kept = memory.of(policy.name)
    if not _is_still(decided, kept) or _time_matters(policy, decided, kept, record.at):
        return 0.0
    window = window_seconds(policy.scale_down, kept)
    holding = [at for at, count in kept.recommendations if count > decided.recommended and at > record.at - window]
    return min(holding) + window - interval_seconds if holding else math.inf


def carry(memory: Memory, record: Record, looks: Sequence[float]) -> Memory:
    """The memory as ticks at these times would have left it, each deciding what `record` decided."""
    (decided,) = record.decision.pools
    kept = memory.of(decided.pool)
    busy = sum(min(r.slots, r.running) for r in decided.view.replicas if r.running is not None)
    latest = (looks[-1], kept.recommendations[-1][1])
    window = (*kept.recommendations[:-1], latest)
    kept = replace(kept, flow=unchanged(kept.flow, busy, looks), recommendations=window, looked_at=looks[-1])
    return Memory({decided.pool: kept})


def _is_still(decided: PoolDecision, kept: PoolMemory) -> bool:
    """Nothing waits and nothing is on its way."""
    view = decided.view
    underway = decided.actions or view.exited or kept.starting or kept.pending or kept.failures
    return not (view.waiting or view.blind or underway) and decided.desired == decided.current


def _time_matters(policy: PoolPolicy, decided: PoolDecision, kept: PoolMemory, now: float) -> bool:
    """Some rule beside the window of scaling down may say something else a little later."""
    held_back = decided.recommended > decided.current
    cooling = kept.last_down is not None and now - kept.last_down < policy.scale_down.cooldown_seconds
    stepping = decided.recommended < decided.current and any(now - at < policy.scale_down.period_seconds for at, _ in kept.changes)
    drain_ends = policy.kill_on_drain_timeout and bool(kept.drains)
    spare_ends = policy.spare > 0 and not decided.view.busy and kept.flow.arrival_rate > SLOW_RATE
    return held_back or cooling or stepping or drain_ends or spare_ends
