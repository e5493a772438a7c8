"""What time alone will do to the counts of pools, for the status: "down to 2 at 12:03:20".

The answer costs a few decisions for each pool, so it is asked only where something is under way, with one census for all pools.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from autoscaler.model import PoolDecision
from autoscaler.policy.foresight import look_at, next_change
from autoscaler.report.sentence import limits
from autoscaler.report.snapshot import Snapshot

NOTHING_EXPECTED: Mapping[str, float] = {}


def next_changes(snapshot: Snapshot, names: Iterable[str], expected: Mapping[str, float] = NOTHING_EXPECTED) -> dict[str, dict[str, Any]]:
    """pool -> the count that it gets next and when, if all stays as it is and nothing arrives; only where something is under way."""
    if snapshot.record is None:
        return {}
    wanted = set(names) & set(snapshot.policies.pools)
    pools = [pool.pool for pool in snapshot.record.decision.pools if pool.pool in wanted and _is_under_way(pool)]
    if not pools:
        return {}
    look = look_at(snapshot.policies, snapshot.record.observation, snapshot.memory)
    found = {pool: next_change(snapshot.policies, look, snapshot.memory, pool, expected.get(pool)) for pool in pools}
    return {pool: {"to": change.to, "at": change.at} for pool, change in found.items() if change}


def _is_under_way(pool: PoolDecision) -> bool:
    return bool(limits(pool)) or pool.recommended != pool.current
