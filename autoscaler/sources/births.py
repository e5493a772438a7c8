"""When each container was created, told by the clock that the loop goes by.

The engine says it once, by the wall clock of that moment. `eyes.py` fixes it here when a container is first listed and moves it when
the clock is set, so that a worker that has just been started does not look an hour old, or as if it came from tomorrow.
"""

from __future__ import annotations

from dataclasses import replace

from autoscaler.model import Container


class Births:
    """By container id; forgotten with their containers."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def dated(self, listed: tuple[Container, ...], now: float) -> tuple[Container, ...]:
        """The same containers, each with its birth as first seen.

        One that seems to come from tomorrow was born before the clock was set back.
        """
        self._at = {c.id: self._at.get(c.id, min(c.created_at, now)) for c in listed}
        return tuple([c if c.created_at == self._at[c.id] else replace(c, created_at=self._at[c.id]) for c in listed])

    def shift(self, seconds: float) -> None:
        """The clock was set by so much."""
        self._at = {key: at + seconds for key, at in self._at.items()}
