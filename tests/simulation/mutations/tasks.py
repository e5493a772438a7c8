"""Deliberate faults against tasks, sight, reasons and owners (P1, P2, P4, P6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
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
from autoscaler.fleet.docker_engine import Question
from autoscaler.fleet.docker_spec import POOL
from autoscaler.model import (
    Action,
    ActionKind,
    Decision,
    Exit,
    Known,
    Observation,
    Outcome,
    Phase,
    QueueSight,
    Stale,
    Unknown,
)
from autoscaler.report.journal import Journal

from .seams import altered_actions, decides, mutation, of_pools, sees, with_queues, wrapped

# ---------------------------------------------------------------- P1: tasks


@mutation("Kills instead of draining", "I5", first=1)
def _kills() -> Iterator[None]:
    def wrap(stop: Callable[..., None]) -> Callable[..., None]:
        return lambda self, container_id, *, kill=False: stop(self, container_id, kill=True)

    with wrapped(autoscaler.fleet.docker.DockerFleet, "stop", wrap):
        yield


@mutation("Kills at the deadline though told to wait", "I5", faults=("Workers swallow SIGTERM", "Workers hang"), first=8)
def _kills_late() -> Iterator[None]:
    with decides(of_pools(kill_on_drain_timeout=True, drain_timeout_seconds=5.0)):
        yield


@mutation("Sends busy workers home and keeps idle ones", "I5", first=2)
def _busy_first() -> Iterator[None]:
    def wrap(_: Any) -> Callable[..., tuple[int, ...]]:
        return lambda replica, memory: (-(replica.running or 0),)

    with wrapped(autoscaler.policy.selection, "_cost", wrap):
        yield


@mutation("Removes workers that still finish their tasks", "I5", first=4)
def _removes_running() -> Iterator[None]:
    def by_force(self: Any, container_id: str) -> Exit:
        self._engine.ask(Question("DELETE", f"/containers/{container_id}", {"force": "1"}))
        return Exit(0)

    def mend(decision: Decision) -> Decision:
        def of(pool: Any) -> tuple[Action, ...]:
            leaving = pool.view.of(Phase.DRAINING)
            return tuple(Action(ActionKind.REMOVE, pool.pool, r.name, r.container_id, "it drains") for r in leaving)

        return replace(decision, pools=tuple(replace(pool, actions=(*pool.actions, *of(pool))) for pool in decision.pools))

    with decides(lambda policies: policies, mend), patch.object(autoscaler.fleet.docker.DockerFleet, "remove", by_force):
        yield


@mutation("Forgets tasks that a killed worker left behind", "I7", faults=("All workers die with the last tasks in hand",), first=58)
def _forgets_leftovers() -> Iterator[None]:
    with sees(with_queues(lambda queue: replace(queue, unacked=Unknown("not looked at")))):
        yield


# ---------------------------------------------------------------- P2: not seeing is never zero


@mutation("Reads an error as zero", "I3", faults=("Flower and the broker cannot be reached",), first=38)
def _zero() -> Iterator[None]:
    def read(queue: QueueSight) -> QueueSight:
        return queue if isinstance(queue.waiting, Known) else replace(queue, waiting=Known(0, 0.0, "nobody"))

    with sees(with_queues(read)):
        yield


@mutation("Acts on an old list of containers", "I3", faults=("The engine does not list (500)", "The engine refuses connections"), first=7)
def _old_list() -> Iterator[None]:
    def believing(seen: Observation) -> Observation:
        listed = seen.containers
        return replace(seen, containers=Known(listed.value, seen.at, "fleet")) if isinstance(listed, Stale) else seen

    with sees(believing):
        yield


# ---------------------------------------------------------------- P4, P6: reasons, and whose containers


@mutation(
    "Forgets the label filter", "I2", faults=("The engine lists everybody's containers", "Others' containers are on the host"), first=20
)
def _no_filter() -> Iterator[None]:
    with patch.object(autoscaler.fleet.docker.DockerFleet, "_is_ours", lambda self, labels: bool(labels) and POOL in labels):
        yield


@mutation("Acts without a reason", "I6")
def _no_reason() -> Iterator[None]:
    with decides(lambda policies: policies, altered_actions(lambda action: replace(action, because=""))):
        yield


@mutation("Does what nobody decided", "I1", "I6")
def _undecided() -> Iterator[None]:
    def wrap(act: Callable[..., tuple[Outcome, ...]]) -> Callable[..., tuple[Outcome, ...]]:
        def twice(self: Any, actions: tuple[Action, ...], now: float) -> tuple[Outcome, ...]:
            more = [replace(a, replica=f"{a.replica}x") for a in actions if a.kind is ActionKind.START]
            return act(self, (*actions, *more), now)

        return twice

    with wrapped(autoscaler.fleet.hands.Hands, "act", wrap):
        yield


@mutation("Leaves the journal empty", "I6")
def _no_journal() -> Iterator[None]:
    with patch.object(Journal, "record", lambda self, *_: None):
        yield
