"""What was promised: orders of people, the brokers' order, and budgets."""

from __future__ import annotations

import math
from collections import defaultdict

from autoscaler.model import ActionKind, Decision, Direction, Memory, Observation, Order, OrderKind, Policies, PoolDecision

from ..broker import Health
from ..machine import Process
from ..world import Life, Ordered, World
from .common import Invariant, is_forced, new_drains

ENOUGH_LOOKS = 10
"""Three failed ones tell that a broker is gone; some of them take two ticks."""


class OrdersStand(Invariant):
    key, promise = "I17", "P7"
    text = "an order that was taken is followed at once, stands through every restart until its time is over, and no longer"

    def on_decision(self, world: World, life: Life, policies: Policies, seen: Observation, memory: Memory, decision: Decision) -> None:
        now = world.machine.now
        world.orders = [o for o in world.orders if o.order.pool in policies.pools and (o.until is None or now < o.until)]
        for given in world.orders:
            if life.tick_began > given.at and life.state == given.state:
                self._follows(world, life, policies, given, decision, memory)
        followed = [o for o in world.orders if o.order.worker or o.order.kind is OrderKind.WAKE]
        world.orders = [o for o in world.orders if o not in followed or o.state != life.state or life.tick_began <= o.at]
        for pool in decision.pools:
            for order in pool.view.orders:
                over = world.machine.wall - (math.inf if order.until is None else order.until)
                if over > policies.interval_seconds + 1.0:
                    self.broken(world, f"{order.kind} {pool.pool} is over for {over:.1f} s, and stands")

    def _follows(self, world: World, life: Life, policies: Policies, given: Ordered, decision: Decision, memory: Memory) -> None:
        order, waited = given.order, life.tick_began - max(given.at, life.born, life.last_wake)
        new = life.last_tick is not None and life.last_tick < given.at
        if new and waited > 3 * policies.interval_seconds:
            self.broken(world, f"{order.kind} {order.pool} was ordered {waited:.1f} s before anybody looked")
        if order.worker or order.kind is OrderKind.WAKE:
            return
        for pool in (pool for pool in decision.pools if pool.pool == order.pool):
            kept = [o for o in pool.view.orders if o.kind is order.kind and o.replicas == order.replicas]
            if not kept:
                self.broken(world, f"{order.kind} {order.pool} was taken at {given.at:.1f} s, and is forgotten: {pool.view.orders}")
            elif order.kind is OrderKind.SCALE:
                self._keeps_count(world, order, pool, policies)
            elif order.kind is OrderKind.PAUSE and order.direction.covers(Direction.DOWN):
                shrinks = [lane for lane in pool.lanes or (pool,) if new_drains(lane, memory) and not is_forced(lane, decision, policies)]
                if shrinks:
                    self.broken(world, f"{pool.pool} is paused, and shrinks: {shrinks[0].steps}")

    def _keeps_count(self, world: World, order: Order, pool: PoolDecision, policies: Policies) -> None:
        most = max(order.replicas, policies.pools[pool.pool].replicas_min) + any(step.rule == "rolling" for step in pool.steps)
        if pool.view.fleet_seen and not pool.lanes and pool.desired > most:
            self.broken(world, f"{pool.pool} is set to {order.replicas}, and is to have {pool.desired}: {pool.steps}")


class LeavesDeadBrokers(Invariant):
    key, promise = "I18", "P3"
    text = "a broker that does not serve is left for one that does, and work on either is done"

    def __init__(self) -> None:
        self._looks: dict[Process, int] = defaultdict(int)

    def on_decision(self, world: World, life: Life, policies: Policies, seen: Observation, memory: Memory, decision: Decision) -> None:
        active = world.brokers.get(decision.brokers.active)
        others = [b for b in world.brokers.values() if b is not active and b.health is Health.UP and not b.latency]
        if active is None or active.health is Health.UP or not others or len(policies.brokers) < 2:
            self._looks.clear()
            return
        self._looks[life.process] += 1
        if self._looks[life.process] > ENOUGH_LOOKS:
            self.broken(world, f"{active.name} is {active.health} for {ENOUGH_LOOKS} looks, {others[0].name} serves, and nobody changes")


class KeepsBudgets(Invariant):
    key, promise = "I19", "P8"
    text = "nothing is started for a broker whose budget is spent, where on_exhausted is stop; and only there is work held back"

    def on_decision(self, world: World, life: Life, policies: Policies, seen: Observation, memory: Memory, decision: Decision) -> None:
        for lane in decision.lanes:
            account = decision.books.get(_broker_of(lane, world))
            stops = account is not None and account.is_spent and account.budget.stops
            starts = any(action.kind is ActionKind.START for action in lane.actions)
            if stops and starts:
                self.broken(world, f"{lane.pool} starts workers, and the budget of {_broker_of(lane, world)} is spent")
            if lane.view.purse.spent and not stops:
                self.broken(world, f"{lane.pool} is held back by a budget that is not spent, or may be exceeded: {lane.steps}")


def _broker_of(lane: PoolDecision, world: World) -> str:
    return lane.broker or world.broker.name
