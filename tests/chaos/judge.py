"""What must be true when the storm is over, found by looking at the real parts and at what tasks left behind."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field

from .nemesis import Nemesis
from .parts import ChaosHouse


@dataclass(slots=True)
class Findings:
    """How a run ended."""

    seconds: float
    tasks: int
    done: int
    executions: Counter[int]
    """How often tasks ran to their end -> how many tasks did."""
    adrift: list[int]
    """Tasks that were taken off their queue and noted nowhere. Celery takes a message from Redis in two steps: what kills the worker, or
    Redis, in between takes the task with it."""
    interrupted: list[str]
    """Tasks that began on a worker that nobody killed, and did not end there."""
    killed_workers: int
    daemon_starts: int
    deeds: Counter[str]
    converged_seconds: float | None
    """From the last deed until all work was done and every worker gone; None where that did not come."""
    left_over: list[str]
    foreign_lives: bool
    wrong: list[str] = field(default_factory=list)

    def judge(self) -> Findings:
        """Say what is not as it must be."""
        if self.done + len(self.adrift) != self.tasks:
            self.wrong.append(f"{self.tasks - self.done} of {self.tasks} tasks had no effect")
        if len(self.adrift) > self.killed_workers + self.deeds["kill -9 of Redis"]:
            self.wrong.append(f"{len(self.adrift)} tasks are adrift, more than were killed with them in hand: {self.adrift[:5]}")
        if self.interrupted:
            self.wrong.append(f"{len(self.interrupted)} tasks were cut off on workers that the nemesis left alone: {self.interrupted[:5]}")
        if self.left_over:
            self.wrong.append(f"workers were left behind: {self.left_over}")
        if not self.foreign_lives:
            self.wrong.append("the worker that is not ours was ended")
        if self.converged_seconds is None:
            self.wrong.append("it did not come to rest")
        return self


def settle(house: ChaosHouse, patience_seconds: float) -> float | None:
    """Wait until the broker holds no task and no worker is left, in two looks; how long that took."""
    began, looks = time.monotonic(), 0
    while time.monotonic() - began < patience_seconds:
        looks = 0 if house.workers() or house.held() else looks + 1
        if looks > 1:
            return time.monotonic() - began
        time.sleep(0.3)
    return None


def find(house: ChaosHouse, nemesis: Nemesis, seconds: float, converged: float | None) -> Findings:
    """Look at everything once."""
    finished = house.traces("finished")
    begun, ended = (Counter((n, host) for n, _, host in _lines(house, what)) for what in ("started", "finished"))
    nodes = {f"celery@{name}" for name in nemesis.killed}
    known = {*finished, *(number for number, _ in begun), *house.held()}
    cut = [f"task {n} on {host}" for (n, host), times in begun.items() if ended[(n, host)] < times and host not in nodes]
    return Findings(
        seconds=seconds,
        tasks=house.sent,
        done=len(finished),
        executions=Counter(finished.values()),
        adrift=sorted(set(range(house.sent)) - known),
        interrupted=cut,
        killed_workers=len(nemesis.killed),
        daemon_starts=house.daemon_starts,
        deeds=nemesis.done,
        converged_seconds=converged,
        left_over=sorted(house.workers()),
        foreign_lives=house.foreign_lives(),
    ).judge()


def _lines(house: ChaosHouse, what: str) -> list[tuple[int, float, str]]:
    return [tuple(json.loads(line)) for line in house.redis.lrange(what, 0, -1)]
