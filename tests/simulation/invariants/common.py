"""What invariants share: their base, and what a decision means in the words of the world."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress

from autoscaler.fleet.docker_spec import POOL as POOL_LABEL
from autoscaler.model import (
    ActionKind,
    Decision,
    Memory,
    Phase,
    Policies,
    PoolDecision,
)

from ..engine import Box
from ..tasks import Where
from ..world import Watcher, World

ORDERED_SECONDS = 60.0
"""An order may wait so long in the daemon's hands before it reaches the engine."""
RESTING_SECONDS = 600.0
"""A broker whose commands are counted is asked so rarely at the least while nothing is to do; its last answer stands meanwhile."""
SHORTEST_WINDOW_SECONDS = 10.0
"""`stabilization: auto` is never less."""
KIND_OF = {
    "create": ActionKind.START,
    "start": ActionKind.START,
    "stop": ActionKind.DRAIN,
    "kill": ActionKind.KILL,
    "remove": ActionKind.REMOVE,
}


class Invariant(Watcher):
    """One thing that must hold."""

    key = ""
    promise = ""
    text = ""

    def broken(self, world: World, text: str) -> None:
        """It does not hold."""
        world.fail(self.key, text)


def new_drains(pool: PoolDecision, memory: Memory) -> list[str]:
    """Replicas that this decision asks to leave, for the first time and because fewer are wanted.

    Not those whose signal is sent again, starts that failed, those that a person sends home by name, and old ones that leave their
    place to a new one.
    """
    if pool.desired >= pool.current:
        return []
    other = {drain.replica for drain in memory.of(pool.key).drains} | {replica.name for replica in pool.view.failed_starts}
    other |= {order.worker for order in pool.view.orders if order.worker}
    return [a.replica for a in pool.actions if a.kind is ActionKind.DRAIN and a.replica not in other]


def is_forced(pool: PoolDecision, decision: Decision, policies: Policies) -> bool:
    """Whether bounds, a person's word or a spent budget may take replicas away: blindness and windows do not hold those."""
    policy = policies.pools.get(pool.pool)
    if policy is None or pool.view.purse.spent or any(order.sets_count for order in pool.view.orders):
        return True
    of_pool = sum(lane.current for lane in decision.lanes if lane.pool == pool.pool)
    return of_pool > policy.replicas_max or sum(p.current for p in decision.pools) > policies.max_replicas


def gives_way(pool: PoolDecision, decision: Decision, policies: Policies) -> bool:
    """Whether another pool, or the same one on another broker, wants the room: what a window alone keeps may give way to it."""
    if any(step.rule == "lanes" for step in pool.steps):
        return True
    lack = sum(s.before - s.after for p in decision.pools if p is not pool for s in p.steps if s.rule == "budget" and s.after < s.before)
    used = sum(p.desired for p in decision.pools) + sum(len(p.view.of(Phase.DRAINING)) for p in decision.pools)
    return lack > 0 and used + lack + pool.current - pool.desired > policies.max_replicas


def serving(boxes: list[Box]) -> list[Box]:
    """Containers that run, or are about to, and were not told to leave."""
    return [b for b in boxes if b.state in ("created", "running") and not b.told and not (b.worker and b.worker.is_leaving)]


def journal_rows(world: World) -> Iterator[str]:
    """Everything that stands in the journals."""
    for file in sorted(world.folder.glob("*/journal.sqlite3")):
        with closing(sqlite3.connect(file)) as connection, suppress(sqlite3.DatabaseError):
            for table in ("decisions", "memory"):
                yield from (row[0] for row in connection.execute(f"SELECT json FROM {table}"))


def _stopped_by_budget(world: World) -> bool:
    """Whether work waits because somebody wants nothing to be done once a budget is spent, and nobody works any more."""
    record = world.life.daemon._record if world.life and world.life.daemon else None
    if record is None or any(box.worker.alive for box in world.ours() if box.worker and box.worker.broker is world.broker):
        return False
    return any(account.is_spent and account.budget.stops for account in record.decision.books.values())


def unrest(world: World) -> str:
    """Why the world has not come to rest, in words; empty when it has."""
    if _stopped_by_budget(world):
        return ""
    unseen = 0 if "brokers" in world.config else world.ledger.counts[Where.LEFT]  # only a broker shows what was left behind
    if world.ledger.open > unseen:
        return f"tasks are not done: { {str(w): n for w, n in world.ledger.counts.items() if n} }"
    pools = world.config["pools"]
    boxes = world.ours()
    counts = Counter(box.labels[POOL_LABEL] for box in serving(boxes) if box.runs)
    for name, pool in pools.items():
        if counts[name] != pool["replicas"]["min"]:
            return f"pool {name} has {counts[name]} workers and not {pool['replicas']['min']}"
    left = [
        f"{box.name} ({box.state}{', told to leave' if box.told else ''})" for box in boxes if box not in serving(boxes) or not box.runs
    ]
    return f"left behind: {left}" if left else ""
