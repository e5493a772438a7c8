"""The loop: observe -> decide -> act -> remember -> report, and the doors it needs.

Every arrow hands on one frozen value. The daemon, the simulator and the replay run this same code; they differ only in
who stands at the doors (eyes, hands) and who holds the clock. One thread owns the loop and the memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from autoscaler.model import Action, Memory, Observation, Outcome, Policies, Record
from autoscaler.policy.decide import decide
from autoscaler.policy.memory import remember


class Eyes(Protocol):
    """The door through which the loop sees."""

    def look(self, policies: Policies, now: float) -> Observation:
        """See all that can be seen in time; what cannot is a gap in the answer, never an exception."""


class Hands(Protocol):
    """The door through which the loop acts."""

    def act(self, actions: tuple[Action, ...], now: float) -> tuple[Outcome, ...]:
        """Do these, and report what ended since the last call, late answers to earlier actions included."""


class Clock(Protocol):
    """Who says what time it is and when the next tick is due."""

    def now(self) -> float:
        """Wall-clock seconds since the epoch."""

    def wait(self, until: float) -> bool:
        """Sleep until this moment of the monotonic clock, or until something brings the tick forward; False when asked to stop."""


Reporter = Callable[[Record, Memory], None]


def tick(policies: Policies, memory: Memory, eyes: Eyes, hands: Hands, now: float) -> tuple[Record, Memory]:
    """One pass: look, decide, act, remember. `now` is the only clock reading."""
    seen = eyes.look(policies, now)
    decision = decide(policies, seen, memory, now)
    outcomes = hands.act(decision.actions, now)
    record = Record(at=now, config_hash=policies.config_hash, observation=seen, decision=decision, outcomes=outcomes)
    return record, remember(memory, record)
