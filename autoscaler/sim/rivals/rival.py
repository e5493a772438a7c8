"""What every rival is shown at its own polling period, and what it answers.

A rival is an object with a memory of its own that is asked how many replicas there should be; it starts and stops nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from autoscaler.sim.world import SimReplica


@dataclass(frozen=True, slots=True)
class Seen:
    """The pool at one moment, as the truth is; every rival takes from it only what its like can see."""

    at: float
    """Seconds from the beginning of the trace."""
    waiting: int
    oldest_wait_seconds: float
    """0 when nothing waits."""
    running: int
    """Tasks that run anywhere, also on replicas that are leaving: to a broker they are unacknowledged alike."""
    running_here: int
    """Tasks that run on the replicas that stay."""
    replicas: Sequence[SimReplica]
    """Those that stay, the oldest first: what has been asked for, ready or not."""
    ready: int
    """How many of them take tasks."""
    slots: int
    """Tasks that one replica runs at once."""
    finished: int
    finished_seconds: float
    """Tasks that ended so far, and how long they ran together."""

    @property
    def count(self) -> int:
        """Replicas that were asked for."""
        return len(self.replicas)


class Rival(Protocol):
    """Some autoscaler's way to choose a number."""

    @property
    def period_seconds(self) -> float:
        """How often it looks."""

    def want(self, seen: Seen) -> int:
        """How many replicas there should be; asked once a period. The pool's bounds are kept by whoever asks."""
