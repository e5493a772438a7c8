"""Workers of many slots: under round-robin none of them is ever idle, so the least busy is told to leave."""

from __future__ import annotations

import math
import random
import re
from pathlib import Path

import pytest
from small import BOOT, a_pool

from autoscaler.model import Action, ActionKind, Outcome, Policies, Result, TargetWait
from autoscaler.sim import run as simulator
from autoscaler.sim.arrivals import Trace, trace_of
from autoscaler.sim.world import World

PAGE = (Path(__file__).parents[2] / "docs" / "how-it-decides.md").read_text()
SLOTS = 16


class OnlyIdleLeave(World):
    """A fleet that refuses to drain a worker while it runs anything."""

    def _do(self, action: Action) -> Outcome:
        if action.kind is ActionKind.DRAIN and self.replicas[action.replica].running:
            return Outcome(action, Result.FAILED, self.now)
        return super()._do(action)


def a_morning() -> Trace:
    """Twenty minutes of requests to a language model: two to eight a second, about seven seconds each."""
    chance, now, tasks = random.Random(7), 0.0, []
    while now < 1200.0:
        now += chance.expovariate(2.0 + 6.0 * math.sin(math.pi * now / 1200.0) ** 2)
        tasks.append((now, min(36.0, chance.lognormvariate(math.log(5.4), 0.65))))
    return trace_of(tasks)


def ran(world: type[World], monkeypatch: pytest.MonkeyPatch) -> simulator.Run:
    """The morning with `target_wait: 10s` on such a fleet."""
    policies = Policies("t", 1.0, 100, {"p": a_pool(slots=SLOTS, replicas_max=100, sizing=TargetWait(10.0))})
    monkeypatch.setattr(simulator, "World", world)
    return simulator.run(lambda _: policies, a_morning(), BOOT)


def test_the_least_busy_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs what the page says, a good deal less than to wait for an idle one, and nobody waits longer or is interrupted."""
    ours, idle_only = (ran(world, monkeypatch) for world in (World, OnlyIdleLeave))
    work = sum(a_morning().runtimes) / SLOTS
    told = [float(figure) for figure in re.findall(r"(\d\.\d\d) times the bare work", PAGE)]

    assert [ours.world.worker_seconds / work, idle_only.world.worker_seconds / work] == pytest.approx(told[:2], rel=0.08)
    assert ours.world.worker_seconds < 0.9 * idle_only.world.worker_seconds
    assert max(ours.world.waits) <= 11.0
    assert ours.world.interrupted == 0
