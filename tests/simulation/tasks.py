r"""Every task that was sent, and where it is: none may vanish, and none may be cut off by us.

    waiting --> prefetched --> running --> done
       ^  \        |   ^          |
       |   `--> scheduled         |  its worker ends without a warm shutdown
       |           |              v
       `---------- left (unacknowledged, its holder is dead) or, acknowledged early, lost

A task is lost only by what the world does (a worker that crashes with an early acknowledgement): then the cause is noted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Where(StrEnum):
    """Where a task is."""

    WAITING = "waiting"
    PREFETCHED = "prefetched"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    LEFT = "left"
    DONE = "done"
    LOST = "lost"


@dataclass(slots=True, eq=False)
class Task:
    """One message and what became of it."""

    number: int
    queue: str
    runtime: float
    acks_late: bool
    sent: float
    eta: float | None = None
    where: Where = Where.WAITING
    received: float = 0.0
    """When a worker last took it."""
    effects: int = 0
    """How often it was run to its end."""
    cause: str = ""
    """By whose hand it was lost or cut off, the last time that it was."""


@dataclass(slots=True)
class Ledger:
    """All tasks."""

    tasks: list[Task] = field(default_factory=list)
    counts: dict[Where, int] = field(default_factory=lambda: dict.fromkeys(Where, 0))

    def send(self, queue: str, runtime: float, now: float, *, acks_late: bool, eta: float | None = None) -> Task:
        """A task that was not there before."""
        task = Task(len(self.tasks), queue, runtime, acks_late, now, eta)
        self.tasks.append(task)
        self.counts[Where.WAITING] += 1
        return task

    def move(self, task: Task, where: Where, cause: str = "") -> None:
        """Book a task from where it is to where it goes."""
        self.counts[task.where] -= 1
        self.counts[where] += 1
        task.where = where
        task.cause = cause or task.cause

    @property
    def open(self) -> int:
        """Tasks that still have to run."""
        return len(self.tasks) - self.counts[Where.DONE] - self.counts[Where.LOST]
