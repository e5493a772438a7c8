"""The decision: from what is wanted, what is seen and what is remembered to what should be done, and why.

A plain pure function: no I/O, no clock, no randomness, no logging. Asked twice it answers the same.
"""

from __future__ import annotations

from collections.abc import Callable

from autoscaler.model import Decision, Memory, Observation, Policies, PoolDecision, PoolMemory, PoolPolicy, PoolView, Step
from autoscaler.model.spending import Account
from autoscaler.policy import idle_first, pace, rolling, rules, stabilization, steering, thrift
from autoscaler.policy.allowance import accounts, purses
from autoscaler.policy.budget import share
from autoscaler.policy.census import Census, census
from autoscaler.policy.demand import demand
from autoscaler.policy.failover import choose
from autoscaler.policy.lanes import joined, lanes, share_lanes
from autoscaler.policy.reasons import Reason
from autoscaler.policy.room import fit
from autoscaler.policy.rules import Proposal
from autoscaler.policy.selection import actions
from autoscaler.policy.view import view

RULES: tuple[Callable[[Proposal], Step | None], ...] = (
    rules.blindness,
    stabilization.stabilization,
    thrift.thrift,
    idle_first.idle_first,
    pace.max_step,
    rules.cooldown,
    steering.pause,
    steering.by_hand,
    rules.refusal,
    rules.backoff,
    rules.bounds,
    thrift.spent,
    rolling.rolling,
)
"""What happens to a recommendation, in this order. Before it: demand, activation, wake; after it: the cap over all pools, and the room
on the host."""


def decide(policies: Policies, seen: Observation, memory: Memory, now: float) -> Decision:
    """What every pool should have, step by step, and the actions that lead there."""
    books, look = books_and_look(policies, seen, memory, now)
    choice = choose(policies.brokers, seen.brokers, memory, now)
    parts = lanes(policies, choice, look, memory)
    proposals = tuple([propose(lane, look, memory.of(lane.key), now, policies.interval_seconds) for lane in parts])
    granted = share(share_lanes(proposals), policies.max_replicas)
    decided = [settle(proposal, policies.instance) for proposal in fit(granted, seen)]
    return Decision(now, joined(decided, policies.brokers), choice, books)


def books_and_look(policies: Policies, seen: Observation, memory: Memory, now: float) -> tuple[dict[str, Account], Census]:
    """How each budget stands, and the look sorted for all pools, with what the budgets ask of each lane."""
    books = accounts(policies.budgets, memory.meters, now)
    return books, census(seen, policies.brokers, purses(policies.brokers, books, memory.meters))


def propose(policy: PoolPolicy, look: Census, memory: PoolMemory, now: float, interval_seconds: float) -> Proposal:
    """One lane through demand, activation, wake and the rules."""
    pool = view(policy, look, memory, now, interval_seconds)
    if not pool.fleet_seen:
        return Proposal.begin(policy, pool, memory, now, _hands_off(pool))
    needed = demand(policy, pool, memory.boot_seconds + interval_seconds, interval_seconds)
    active = rules.activation(pool, needed)
    awake = steering.wake(pool, (active or needed).after, policy.slots)
    proposal = Proposal.begin(policy, pool, memory, now, needed, active, awake)
    for rule in RULES:
        if step := rule(proposal):
            proposal = proposal.take(step)
    return proposal


def settle(proposal: Proposal, instance: str) -> PoolDecision:
    """The proposal as a decision, with the actions that it means."""
    p = proposal
    needed, orders = stabilization.needed(p), actions(p, instance)
    return PoolDecision(p.policy.name, p.view, p.current, p.recommended, p.count, p.steps, orders, needed, p.policy.broker)


def _hands_off(pool: PoolView) -> Step:
    return Step("fleet", pool.current, pool.current, Reason.FLEET_UNSEEN, "; ".join(pool.blind))
