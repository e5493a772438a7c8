"""Deliberate faults against restarts, bounds, punctuality and silence (P7, P9 to P12)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
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
    Damping,
    Memory,
    Policies,
    PoolPolicy,
)

from .seams import decides, mutation, of_pools, remembers, wrapped

# ---------------------------------------------------------------- P7: restarts and rivals


@mutation("Loses the window on restart", "I13", faults=("kill -9 of the daemon", "The daemon is stopped (SIGTERM) and started"), first=9)
def _window_lost() -> Iterator[None]:
    def wrap(resume: Callable[[Memory], Memory]) -> Callable[[Memory], Memory]:
        def empty(memory: Memory) -> Memory:
            kept = resume(memory)
            return replace(kept, pools={name: replace(pool, recommendations=((0.0, 0),)) for name, pool in kept.pools.items()})

        return empty

    with wrapped(autoscaler.daemon, "resume", wrap):
        yield


@mutation("Does not wait for the window", "I13", first=1)
def _no_window() -> Iterator[None]:
    with decides(of_pools(scale_down=Damping(stabilization_seconds=0.0))):
        yield


@mutation("Takes no lock", "I4", faults=("A second daemon is started",), first=2)
def _no_lock() -> Iterator[None]:
    unlocked = SimpleNamespace(flock=lambda *_: None, LOCK_EX=0, LOCK_NB=0)
    with patch.object(autoscaler.lock, "fcntl", unlocked):
        yield


@mutation("Forgets starts that are under way", "I1", "I14", faults=("The engine is slow", "Workers start slowly"), first=57)
def _no_pending() -> Iterator[None]:
    with remembers(lambda pool: replace(pool, pending=())):
        yield


@mutation("Forgets drains that are under way", "I1", "I5", "I7", "I13", "I14", first=1)
def _no_drains() -> Iterator[None]:
    with remembers(lambda pool: replace(pool, drains=())):
        yield


# ---------------------------------------------------------------- P9: bounds


@mutation("Ignores replicas.max", "I1", first=3)
def _no_max() -> Iterator[None]:
    def raised(policies: Policies) -> Policies:
        return replace(policies, pools={n: replace(p, replicas_max=p.replicas_max + 2) for n, p in policies.pools.items()})

    with decides(raised):
        yield


@mutation("Ignores max_replicas", "I1", faults=("max_replicas is lowered",), first=2)
def _no_cap() -> Iterator[None]:
    with decides(lambda policies: replace(policies, max_replicas=99)):
        yield


@mutation("Ignores max_step", "I12", first=1)
def _no_step() -> Iterator[None]:
    def unlimited(pool: PoolPolicy) -> PoolPolicy:
        ways = {way: replace(getattr(pool, way), max_step=None, max_step_percent=None) for way in ("scale_up", "scale_down")}
        return replace(pool, **ways)

    with decides(lambda policies: replace(policies, pools={n: unlimited(p) for n, p in policies.pools.items()})):
        yield


@mutation("Gives new workers a quarter of their time", "I15", faults=("Workers never become ready", "Workers start slowly"), first=2)
def _impatient() -> Iterator[None]:
    def hurried(policies: Policies) -> Policies:
        pools = {n: replace(p, start_timeout_seconds=p.start_timeout_seconds / 4) for n, p in policies.pools.items()}
        return replace(policies, pools=pools)

    with decides(hurried):
        yield


# ---------------------------------------------------------------- P10: on time and bounded


@mutation("Waits for a slow engine", "I8", faults=("Changes hang at the engine, and happen late",))
def _patient_hands() -> Iterator[None]:
    def wrap(init: Callable[..., None]) -> Callable[..., None]:
        return lambda self, fleet, **more: init(self, fleet, **{**more, "patience_seconds": 86400.0})

    with wrapped(autoscaler.fleet.hands.Hands, "__init__", wrap):
        yield


@mutation("Waits for the last answer", "I8", faults=("The engine drips its answers",))
def _patient_eyes() -> Iterator[None]:
    def wrap(configure: Callable[..., None]) -> Callable[..., None]:
        return lambda self, sources, **more: configure(self, sources, **{**more, "patience_seconds": 86400.0})

    with wrapped(autoscaler.sources.eyes.Eyes, "configure", wrap):
        yield


@mutation("Asks again before the last answer has come", "I9", faults=("The engine drips its answers", "The engine hangs"), first=3)
def _piles_up() -> Iterator[None]:
    def wrap(ask: Callable[..., None]) -> Callable[..., None]:
        def forgetful(self: Any, *what: Any) -> None:
            self.take_up()
            self.flight = None
            ask(self, *what)

        return forgetful

    with wrapped(autoscaler.sources.eyes._Watch, "ask", wrap):
        yield


@mutation("Waits by the wall clock", "I7", "I8", faults=("The wall clock jumps back",), first=2)
def _wall_clock() -> Iterator[None]:
    def wrap(wait: Callable[..., bool]) -> Callable[..., bool]:
        def by_wall(self: Any, until: float) -> bool:
            clock = autoscaler.clock.time
            due = clock.time() + until - clock.monotonic()
            while (left := due - clock.time()) > 0.5:
                if not wait(self, clock.monotonic() + min(left, 0.5)):
                    return False
            return wait(self, clock.monotonic() + left)

        return by_wall

    with wrapped(autoscaler.clock.SystemClock, "wait", wrap):
        yield


@mutation(
    "Does not follow a clock that is set",
    "I5",
    "I7",
    "I13",
    "I15",
    faults=("The wall clock jumps forward", "The wall clock jumps back"),
    first=10,
)
def _ignores_jumps() -> Iterator[None]:
    with patch.object(autoscaler.clock.SystemClock, "jumped", lambda self: 0.0):
        yield


@mutation("Ticks twenty times as often", "I16")
def _restless() -> Iterator[None]:
    def wrap(wait: Callable[..., bool]) -> Callable[..., bool]:
        return lambda self, until: wait(self, autoscaler.clock.time.monotonic() + 0.1)

    with wrapped(autoscaler.clock.SystemClock, "wait", wrap):
        yield


# ---------------------------------------------------------------- P11, P12: dry run and secrets


@mutation("Acts in a dry run", "I11", faults=("dry_run is turned on",), first=10)
def _wet() -> Iterator[None]:
    dry = autoscaler.fleet.dry.DryFleet

    def start(self: Any, *args: Any) -> None:
        self._inner.start(*args)

    with patch.object(dry, "start", start):
        yield


@mutation("Writes the broker's address into a label", "I10", first=3)
def _tells_secrets() -> Iterator[None]:
    def wrap(create_body: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def told(*what: Any, **more: Any) -> dict[str, Any]:
            body = create_body(*what, **more)
            return {**body, "Labels": {**body["Labels"], "environment": " ".join(body["Env"])}}

        return told

    with wrapped(autoscaler.fleet.docker, "create_body", wrap):
        yield
