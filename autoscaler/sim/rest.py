"""Which ticks may be left out: those that would see what the last one saw, and could decide nothing else.

A tick depends on what is seen, on what is remembered, and on the time. While nothing waits, boots or ends, what is seen stays the
same, and so does the memory, but for the window and the flow, which `carry` brings up to date. The time by itself matters to the
stabilization window, cooldowns, periods of `max_step`, deadlines of drains and spare replicas: where it may, no tick is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from autoscaler.model import Memory, PoolDecision, PoolMemory, PoolPolicy, Record, Step
from autoscaler.model.lean import changed
from autoscaler.policy.demand import SLOW_RATE
from autoscaler.policy.expected import fewer_in_seconds
from autoscaler.policy.fewer import account_of
from autoscaler.policy.flow import serving, unchanged
from autoscaler.policy.rules import Proposal
from autoscaler.policy.stabilization import soon_seconds, stabilization, window_seconds


def rests_until(policy: PoolPolicy, record: Record, before: Memory, memory: Memory, interval_seconds: float) -> float:
    """Until when every tick would do nothing if nothing happens in the world; 0 when the next one might do something.

    `before` is the memory that the tick of `record` had, `memory` the one that it left.
    """
    (decided,) = record.decision.pools
    kept = memory.of(policy.name)
    if not _is_still(decided, kept) or _time_matters(policy, decided, kept, record.at):
        return 0.0
    said = before.of(policy.name).recommendations
    confirmed = bool(said) and said[-1][1] == decided.recommended
    if not confirmed and not _stays(policy, decided, kept, record.at + interval_seconds):
        return 0.0
    window = window_seconds(policy, kept)
    holding = [at for at, count in kept.needs if count > decided.recommended and at > record.at - window]
    if not holding:
        return math.inf
    return min(min(holding) + window - interval_seconds, _forgotten(policy, decided, kept, record.at, window))


def _stays(policy: PoolPolicy, decided: PoolDecision, kept: PoolMemory, now: float) -> bool:
    """Whether the count stays when this look's recommendation is what the look before has said."""
    if decided.recommended >= decided.current:
        return True
    wanted = Step("demand", decided.current, decided.recommended, decided.reason, "")
    held = stabilization(Proposal.begin(policy, decided.view, kept, now, wanted))
    return held is not None and held.after == decided.current


def _forgotten(policy: PoolPolicy, decided: PoolDecision, kept: PoolMemory, now: float, window: float) -> float:
    """When fewer than the most that was needed may first do: a peak is worked off, or nobody is expected for an idle slot."""
    if kept.watched_since is None:
        return math.inf
    begins = kept.watched_since + window
    account, busy = account_of(policy), serving(decided.view.replicas)
    due = [begins] if begins > now else []
    if soon := soon_seconds(policy, kept):
        due.append(now + fewer_in_seconds(busy, policy.slots, kept.flow.arrival_rate * soon))
    for count, behind in enumerate(kept.flow.would_wait, start=1):
        spare, over = count * policy.slots - busy, behind - account.limit(count)
        if (over > 0 and spare > 0) or (over <= 0 and spare < 0):
            due.append(now + over / spare)
    return min(due, default=math.inf) - 1e-6


def carry(policy: PoolPolicy, memory: Memory, record: Record, looks: Sequence[float]) -> Memory:
    """The memory as ticks at these times would have left it, each deciding what `record` decided."""
    (decided,) = record.decision.pools
    kept = memory.of(decided.pool)
    now, flow = looks[-1], unchanged(kept.flow, decided.view.replicas, looks, account_of(policy))
    recommendations, needs = _prolonged(kept.recommendations, now), _prolonged(kept.needs, now)
    kept = changed(kept, flow=flow, recommendations=recommendations, needs=needs, looked_at=now)
    return Memory({decided.pool: kept}, memory.active_broker, memory.brokers, memory.meters)


def _prolonged(window: tuple[tuple[float, int], ...], now: float) -> tuple[tuple[float, int], ...]:
    """The window after more looks with its latest count."""
    return (*window[:-1], (now, window[-1][1]))


def _is_still(decided: PoolDecision, kept: PoolMemory) -> bool:
    """Nothing waits and nothing is on its way."""
    view = decided.view
    underway = decided.actions or view.exited or kept.starting or kept.pending or kept.failures
    return not (view.waiting or view.blind or underway) and decided.desired == decided.current


def _time_matters(policy: PoolPolicy, decided: PoolDecision, kept: PoolMemory, now: float) -> bool:
    """Some rule beside the window of scaling down may say something else a little later."""
    held_back = decided.recommended > decided.current
    cooling = kept.last_down is not None and now - kept.last_down < policy.scale_down.cooldown_seconds
    stepping = decided.recommended < decided.current and bool(kept.changes) and now - kept.changes[-1][0] < policy.scale_down.period_seconds
    drain_ends = policy.kill_on_drain_timeout and bool(kept.drains)
    patient = kept.none_idle_since is not None
    spare_ends = policy.spare > 0 and not decided.view.busy and kept.flow.arrival_rate > SLOW_RATE
    return held_back or patient or cooling or stepping or drain_ends or spare_ends
