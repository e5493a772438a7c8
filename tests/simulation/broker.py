"""The simulated Redis: Celery's queues as lists, what workers have taken as the hash `unacked`, and what goes wrong with it.

Workers take tasks and give them back here; the daemon asks through `Line`, which answers the few commands that it sends. What a
dead worker left behind comes back after the visibility timeout, and only while a living worker looks after it, as kombu does it.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import redis.exceptions as trouble

from autoscaler.sources.redis_line import Command, RedisLine

from .machine import Machine
from .tasks import Ledger, Task, Where

SWEEP_SECONDS = 5.0
"""How often living workers look for messages past their visibility timeout."""


class Health(StrEnum):
    """How the broker is."""

    UP = "up"
    DOWN = "down"
    FROZEN = "frozen"
    QUOTA = "quota"
    READONLY = "readonly"


REFUSAL = {
    Health.QUOTA: "ERR max requests limit exceeded. Limit: 500000, Usage: 500000.",
    Health.READONLY: "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
}


class Broker:
    """Queues, unacknowledged messages and a state of health."""

    def __init__(self, name: str, machine: Machine, ledger: Ledger, visibility_seconds: float) -> None:
        self.name = name
        self.health = Health.UP
        self.lists: dict[str, deque[Task]] = {}
        self.unacked: dict[Task, None] = {}
        self.visibility = visibility_seconds
        self.looked_after: Callable[[], bool] = lambda: False
        """Whether a worker lives that restores what is due."""
        self.arrived: Callable[[], None] = lambda: None
        """Told whenever there is something new to take."""
        self.read: Callable[[str, str], None] = lambda broker, queue: None
        """Told of every queue whose length the daemon has read."""
        self.latency = 0.0
        self._machine, self._ledger = machine, ledger
        self._sweeping = False

    # -------------------------------------------------------- for producers and workers

    def send(self, task: Task) -> None:
        """A new message."""
        self.lists.setdefault(task.queue, deque()).append(task)
        self.arrived()

    def take(self, queues: tuple[str, ...]) -> Task | None:
        """The next message for a worker; it stays unacknowledged."""
        if self.health is not Health.UP:
            return None
        for queue in queues:
            if line := self.lists.get(queue):
                task = line.popleft()
                self.unacked[task] = None
                task.received = self._machine.now
                return task
        return None

    def acknowledge(self, task: Task) -> None:
        """The message is done with."""
        self.unacked.pop(task, None)

    def give_back(self, task: Task) -> None:
        """A worker that leaves puts back what it has not begun."""
        self.unacked.pop(task, None)
        self._ledger.move(task, Where.WAITING)
        self.lists.setdefault(task.queue, deque()).appendleft(task)
        self.arrived()

    def leave(self, task: Task, cause: str) -> None:
        """Its holder is dead: it comes back in time."""
        self._ledger.move(task, Where.LEFT, cause)
        if not self._sweeping:
            self._sweeping = True
            self._machine.later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        now = self._machine.now
        if self.health is Health.UP and self.looked_after():
            for task in [t for t in self.unacked if t.where is Where.LEFT and now - t.received >= self.visibility]:
                self.give_back(task)
        self._sweeping = any(task.where is Where.LEFT for task in self.unacked)
        if self._sweeping:
            self._machine.later(SWEEP_SECONDS, self._sweep)

    # -------------------------------------------------------- for the daemon

    async def answer(self, commands: tuple[Command, ...]) -> list[Any]:
        """What Redis would say to these, or how it would fail."""
        if self.health is Health.DOWN:
            raise trouble.ConnectionError from ConnectionRefusedError()
        if self.health is Health.FROZEN:
            await asyncio.sleep(86400.0)
        if self.latency:
            await asyncio.sleep(self.latency)
        if self.health in REFUSAL:
            return [trouble.ResponseError(REFUSAL[self.health])] * len(commands)
        return [self._one(*command) for command in commands]

    def _one(self, verb: str | int, *words: str | int) -> Any:
        for key in words:
            self.read(self.name, str(key))
        match verb:
            case "EXISTS":
                return sum(bool(self.unacked if key == "unacked" else self.lists.get(str(key))) for key in words)
            case "LLEN":
                return len(self.lists.get(str(words[0]), ()))
            case "HLEN":
                return len(self.unacked)
            case "HSCAN":
                flat = [part for task in self.unacked for part in (str(task.number).encode(), self._entry(task))]
                return [b"0", flat]
            case "INFO":
                return b"# Server\r\nrun_id:sim\r\n# Replication\r\nrole:master\r\n"
            case "LINDEX":
                line = self.lists.get(str(words[0]))
                return self._message(line[0]) if line else None
            case "LRANGE":
                return [self._message(task) for task in reversed(self.lists.get(str(words[0]), ()))]
        return trouble.ResponseError(f"ERR unknown command '{verb}'")

    def _message(self, task: Task) -> bytes:
        """As Celery's second protocol has it: the time stands in the headers, by the wall clock."""
        due = None if task.eta is None else datetime.fromtimestamp(task.eta + self._machine.wall_offset, UTC).isoformat()
        return json.dumps({"body": "", "headers": {"eta": due}}).encode()

    @staticmethod
    def _entry(task: Task) -> bytes:
        return b'[{"body": "", "headers": {}}, "", "%s"]' % task.queue.encode()


class Line(RedisLine):
    """The daemon's connection to a simulated broker: the real one, with its last step replaced."""

    brokers: Mapping[str, Broker]
    gate: Callable[[str], None]

    async def ask(self, *commands: Command) -> list[Any]:
        """As `RedisLine.ask`."""
        self.commands_sent += len(commands)
        self.gate("the broker is asked")
        answers = await self.brokers[self._broker].answer(commands)
        self.gate("the broker has answered")
        return answers
