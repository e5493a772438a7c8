"""What a mutation is, the list of all, and the seams at which most of them stand: a look, a decision, what is remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import autoscaler.clock
import autoscaler.daemon
import autoscaler.fleet.docker
import autoscaler.fleet.dry
import autoscaler.fleet.hands
import autoscaler.lock
import autoscaler.loop
import autoscaler.model.pool
import autoscaler.policy.selection
import autoscaler.sources.eyes
from autoscaler.model import (
    Action,
    Decision,
    Memory,
    Observation,
    Policies,
    PoolMemory,
    QueueSight,
)


@dataclass(frozen=True, slots=True)
class Mutation:
    """One deliberate fault."""

    name: str
    caught: frozenset[str]
    """The invariants of which one must break first."""
    applied: Callable[[], Any]
    """A context manager."""
    faults: tuple[str, ...] = ()
    """Faults that are made frequent, because the mutation shows only under them."""
    first: int = 0
    """The seed to begin with: one that once caught it, which saves the long search."""


MUTATIONS: list[Mutation] = []


def mutation(name: str, *caught: str, faults: tuple[str, ...] = (), first: int = 0) -> Callable[[Callable[[], Iterator[None]]], None]:
    """Enter a mutation into the list: a generator that changes something, yields, and changes it back."""

    def enter(course: Callable[[], Iterator[None]]) -> None:
        MUTATIONS.append(Mutation(name, frozenset(caught), contextmanager(course), faults, first))

    return enter


@contextmanager
def wrapped(place: Any, name: str, wrap: Callable[[Any], Any]) -> Iterator[None]:
    """`wrap(what stands there)` in its place for a while; a name that is gone is an error: then the mutation has to be rewritten."""
    with patch.object(place, name, wrap(getattr(place, name))):
        yield


def decides(change: Callable[[Policies], Policies], mend: Callable[[Decision], Decision] = lambda decision: decision) -> Any:
    """The policy decides for other settings than those in force, or its decision is altered on the way."""

    def wrap(decide: Callable[..., Decision]) -> Callable[..., Decision]:
        return lambda policies, seen, memory, now: mend(decide(change(policies), seen, memory, now))

    return wrapped(autoscaler.loop, "decide", wrap)


def of_pools(**changes: Any) -> Callable[[Policies], Policies]:
    """Every pool with other settings."""
    return lambda policies: replace(policies, pools={name: replace(pool, **changes) for name, pool in policies.pools.items()})


def sees(change: Callable[[Observation], Observation]) -> Any:
    """What was seen is altered on its way to the decision."""

    def wrap(look: Callable[..., Observation]) -> Callable[..., Observation]:
        return lambda self, policies, now: change(look(self, policies, now))

    return wrapped(autoscaler.sources.eyes.Eyes, "look", wrap)


def with_queues(change: Callable[[QueueSight], QueueSight]) -> Callable[[Observation], Observation]:
    """A look with every queue altered, wherever it is told of."""

    def altered(seen: Observation) -> Observation:
        brokers = {n: replace(b, queues={q: change(sight) for q, sight in b.queues.items()}) for n, b in seen.brokers.items()}
        return replace(seen, queues={q: change(sight) for q, sight in seen.queues.items()}, brokers=brokers)

    return altered


def remembers(change: Callable[[PoolMemory], PoolMemory]) -> Any:
    """What is remembered of every pool is altered after each tick."""

    def wrap(remember: Callable[..., Memory]) -> Callable[..., Memory]:
        def altered(memory: Memory, record: Any) -> Memory:
            after = remember(memory, record)
            return replace(after, pools={name: change(pool) for name, pool in after.pools.items()})

        return altered

    return wrapped(autoscaler.loop, "remember", wrap)


def altered_actions(change: Callable[[Action], Action | None]) -> Callable[[Decision], Decision]:
    """A decision with every action altered, or left out."""

    def mend(decision: Decision) -> Decision:
        pools = [replace(pool, actions=tuple(a for a in map(change, pool.actions) if a)) for pool in decision.pools]
        return replace(decision, pools=tuple(pools))

    return mend
