"""A circuit breaker for each neighbour: one that fails again and again is asked more rarely, until it answers.

The eyes tell it how each look ended and ask how long to leave the neighbour alone; status and metrics show whether it is open. It
spares a neighbour in trouble, and us: each look at one that hangs ties up a call until its deadline. The longest pause is short,
because a recovery should be seen soon, and there is one circuit for each neighbour, so that one's trouble delays no other.
"""

from __future__ import annotations

OPENS_AFTER = 5
"""Failures in a row; before that every tick looks, as a hiccup should cost no time."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 2.0, 8.0


class Circuit:
    """Closed at first, open after failures in a row, closed again by one answer."""

    def __init__(self) -> None:
        self._failures = 0

    def tell(self, *, answered: bool) -> None:
        """How the latest look ended."""
        self._failures = 0 if answered else self._failures + 1

    @property
    def is_open(self) -> bool:
        """Whether looks are spaced out."""
        return self._failures >= OPENS_AFTER

    @property
    def pause_seconds(self) -> float:
        """How long after the last look the next one may begin: none while closed, then doubling.

        >>> circuit = Circuit()
        >>> pauses = []
        >>> for _ in range(9):
        ...     circuit.tell(answered=False)
        ...     pauses.append(circuit.pause_seconds)
        >>> pauses
        [0.0, 0.0, 0.0, 0.0, 2.0, 4.0, 8.0, 8.0, 8.0]
        """
        beyond = min(self._failures - OPENS_AFTER, 10)
        return min(FIRST_PAUSE_SECONDS * 2**beyond, LONGEST_PAUSE_SECONDS) if self.is_open else 0.0

    @property
    def words(self) -> str:
        """What to add to its trouble; empty while closed."""
        if not self.is_open:
            return ""
        return f" (failed {self._failures} times in a row: asked every {self.pause_seconds:g} s until it answers)"
