"""How many workers there may be: bounds, blindness, steps and windows."""

from __future__ import annotations

import math
from collections import defaultdict

from autoscaler.fleet.docker_spec import POOL as POOL_LABEL
from autoscaler.model import (
    ActionKind,
    Decision,
    Memory,
    Observation,
    OrderKind,
    Phase,
    Policies,
    PoolDecision,
    PoolPolicy,
)

from ..engine import Change
from ..machine import Process
from ..world import Life, World
from .common import ORDERED_SECONDS, RESTING_SECONDS, SHORTEST_WINDOW_SECONDS, Invariant, gives_way, is_forced, new_drains, serving


class WithinBounds(Invariant):
    key, promise = "I1", "P9"
    text = "min <= desired <= max for every pool, and no more than max_replicas over all; also counted on the host at every start"

    def __init__(self) -> None:
        self._limits: list[tuple[float, Policies]] = []

    def on_decision(self, world: World, life: Life, policies: Policies, seen: Observation, memory: Memory, decision: Decision) -> None:
        now = world.machine.now
        self._limits = [(at, p) for at, p in self._limits if now - at <= ORDERED_SECONDS] + [(now, policies)]
        if not all(pool.view.fleet_seen for pool in decision.pools):
            return
        total = sum(pool.desired for pool in decision.pools)
        if total > policies.max_replicas:
            self.broken(world, f"{total} wanted over all pools, and max_replicas is {policies.max_replicas}")
        free = policies.max_replicas - sum(max(p.desired, p.current) + len(p.view.of(Phase.DRAINING)) for p in decision.pools)
        for pool in decision.pools:
            policy = policies.pools.get(pool.pool)
            low, high = (policy.replicas_min, policy.replicas_max) if policy else (0, 0)
            nobody = pool.view.purse.spent or any(order.kind is OrderKind.DRAIN and order.sets_count for order in pool.view.orders)
            if pool.desired > high or (pool.desired < low and free > 0 and not nobody):
                self.broken(world, f"{pool.pool}: {pool.desired} wanted, outside of {low}..{high}: {pool.steps}")

    def on_change(self, world: World, change: Change) -> None:
        if change.kind != "create" or change.late or (world.docker.named_elsewhere and len({life.state for life in world.lives}) > 1):
            return
        if any(box.name == change.name for box in world.docker.boxes.values()):
            return  # the engine makes one container of each name
        pool = change.labels.get(POOL_LABEL, "")
        there = [box for box in world.ours() if box.runs and not box.unasked]
        most = max((p.pools[pool].replicas_max for _, p in self._limits if pool in p.pools), default=0)
        cap = max((p.max_replicas for _, p in self._limits), default=0)
        # Of a pool on two brokers one side shrinks and the other grows in one decision, before it shows that the signal is refused.
        here = [box for box in serving(there) if box.labels.get(POOL_LABEL) == pool and box.asked_at != change.at]
        if len(here) >= most:
            self.broken(world, f"{change.name} is started beside {len(here)} of pool {pool}, whose max is {most}")
        if len(there) >= cap:
            self.broken(world, f"{change.name} is started beside {len(there)} workers, and max_replicas is {cap}")


class BlindHolds(Invariant):
    key, promise = "I3", "P2"
    text = "a pool whose queues nobody could read is not scaled down; while the engine does not list, nothing is done at all"

    def on_decision(self, world: World, life: Life, policies: Policies, seen: Observation, memory: Memory, decision: Decision) -> None:
        now, slack = world.machine.now, policies.interval_seconds + 6.0
        if decision.actions and now - world.docker.listed_at > slack:
            self.broken(world, f"it acts, and the engine has not listed for {now - world.docker.listed_at:.1f} s: {decision.actions}")
        for pool in decision.lanes:
            if not new_drains(pool, memory) or is_forced(pool, decision, policies):
                continue
            if any(step.rule == "lanes" for step in pool.steps):
                continue  # whose broker cannot be seen gives its share of the maximum to those that work for another one
            broker = pool.broker or world.broker.name
            late = slack + (RESTING_SECONDS if broker in decision.books else 0.0)
            unread = [q for q in policies.pools[pool.pool].queues if now - world.depth_read.get((broker, q), -math.inf) > late]
            if unread:
                self.broken(
                    world, f"{pool.pool} shrinks from {pool.current} to {pool.desired}, and nobody could read {unread}: {pool.steps}"
                )


class StepsAreLimited(Invariant):
    key, promise = "I12", "P9"
    text = "no decision goes further than max_step of its direction, but where bounds ask for it"

    def on_decision(self, world: World, life: Life, policies: Policies, seen: Observation, memory: Memory, decision: Decision) -> None:
        for pool in decision.lanes:
            policy = policies.pools.get(pool.pool)
            if policy is None:
                continue
            starts = sum(action.kind is ActionKind.START for action in pool.actions)
            most = max(_step(policy.scale_up, pool.current), policy.replicas_min - pool.current)
            if starts > most and not any(order.sets_count for order in pool.view.orders):
                self.broken(world, f"{pool.pool}: {starts} starts at once, and max_step up is {most}")
            fewer = len(new_drains(pool, memory))
            if fewer > max(0, pool.current - pool.desired):
                self.broken(world, f"{pool.pool}: {fewer} drained to come from {pool.current} to {pool.desired}")
            free_to = is_forced(pool, decision, policies) or gives_way(pool, decision, policies)
            most = _step(policy.scale_down, pool.current)
            if fewer > most and not free_to:
                self.broken(world, f"{pool.pool}: {fewer} drains at once, and max_step down is {most}")


def _step(damping: object, current: int) -> float:
    if damping.max_step is not None:
        return damping.max_step
    return math.inf if damping.max_step_percent is None else max(1, math.ceil(current * damping.max_step_percent / 100.0))


def _window(policy: PoolPolicy) -> float:
    seconds = policy.scale_down.stabilization_seconds
    return SHORTEST_WINDOW_SECONDS if seconds is None else seconds


class WindowHolds(Invariant):
    key, promise = "I13", "P7"
    text = (
        "no scale-down below what was needed, or would have done, within the window, or below what tasks are expected for; "
        "at a start the present size counts as needed"
    )

    def __init__(self) -> None:
        self._needs: dict[tuple[Process, str], list[tuple[float, int]]] = defaultdict(list)
        self._watched_since: dict[tuple[Process, str], float] = {}

    def on_decision(self, world: World, life: Life, policies: Policies, seen: Observation, memory: Memory, decision: Decision) -> None:
        now = life.tick_began
        for pool in decision.lanes:
            if not pool.view.fleet_seen:
                continue
            key = life.process, pool.key
            needs = self._needs[key]
            needs.append((now, pool.needed if needs else max(pool.needed, pool.current)))
            since = self._watched_since.setdefault(key, now)
            if not pool.view.replicas:
                since = self._watched_since[key] = -math.inf  # who has no replicas hides nothing
            if not new_drains(pool, memory) or is_forced(pool, decision, policies) or gives_way(pool, decision, policies):
                continue
            policy = policies.pools[pool.pool]
            keep_seconds = pool.view.purse.keep_seconds  # a budget that would not last keeps idle workers for a shorter time
            window = _window(policy) if keep_seconds is None else min(_window(policy), keep_seconds)
            floor = max((count for at, count in needs if now - at < window - 0.5), default=0)
            if policy.may_wait_seconds and now - since >= window:
                floor = min(floor, _enough(policy, pool.view.flow.would_wait))
            if policy.scale_down.stabilization_seconds is None and pool.view.flow.is_measured and now - since >= window:
                floor = min(floor, _expected(policy, pool, memory))
            if pool.desired < min(pool.current, floor):
                self.broken(world, f"{pool.pool} shrinks to {pool.desired}, and within {window:g} s {floor} were needed: {pool.steps}")


def _enough(policy: PoolPolicy, would_wait: tuple[float, ...]) -> int:
    """The fewest replicas with which nothing would have waited for more than half of the time that it may."""
    too_few = [n for n, work in enumerate(would_wait, start=1) if work / (n * policy.slots) > policy.may_wait_seconds / 2]
    return max(too_few, default=0) + 1


def _expected(policy: PoolPolicy, pool: PoolDecision, memory: Memory) -> int:
    """The fewest replicas whose slots hold what runs and what will come within two restarts, to the nearest whole task."""
    learned = memory.of(pool.pool)
    soon = 2 * max(learned.boot_seconds + learned.stop_seconds, SHORTEST_WINDOW_SECONDS / 3)
    silent = [r.slots for r in pool.view.serving if r.phase is Phase.LOST or (r.running is None and r.phase is not Phase.STARTING)]
    work = pool.view.busy + sum(silent) + max(0.0, pool.view.flow.arrival_rate * soon - 0.5)
    return math.ceil(work / policy.slots - 1e-9)
