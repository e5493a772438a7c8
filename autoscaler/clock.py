"""The clock of the real loop: wall time, and a wait that a signal, a reload or an order cuts short.

Nothing acts inside a signal handler: it only notes what came, and the next tick takes it up.
"""

from __future__ import annotations

import math
import threading
import time

LEAST_SECONDS = 0.1
"""Between two ticks at the least, so that no flood of wakes turns into a flood of looks."""

JUMP_SECONDS = 1.0
"""A wall clock that leaves the monotonic one by more than this between two ticks was set; less is its ordinary drift."""


class SystemClock:
    """Satisfies `loop.Clock`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._stopping = False
        self._forward = math.inf
        """When the next tick is wanted, on the monotonic clock; infinite while nobody has asked."""
        self._woke = -math.inf
        self._ahead = time.time() - time.monotonic()

    def now(self) -> float:
        """Wall-clock seconds since the epoch."""
        return time.time()

    def jumped(self) -> float:
        """By how much the wall clock was set since the last call, below zero when it was set back; 0.0 when it only ran."""
        ahead = time.time() - time.monotonic()
        jump, self._ahead = ahead - self._ahead, ahead
        return jump if abs(jump) > JUMP_SECONDS else 0.0

    def wait(self, until: float) -> bool:
        """Sleep until this moment of the monotonic clock, or until nudged; False when asked to stop.

        The wall clock has no part in it: one that is set back, in whatever moment of a tick, does not stop the loop.
        """
        with self._changed:
            while not self._stopping and (left := min(until, self._forward) - time.monotonic()) > 0:
                self._changed.wait(left)
            self._forward, self._woke = math.inf, time.monotonic()
            return not self._stopping

    def nudge(self, within_seconds: float = 0.0) -> None:
        """Bring the next tick forward: it begins within this time, or `LEAST_SECONDS` after the one before."""
        with self._changed:
            wanted = max(time.monotonic() + within_seconds, self._woke + LEAST_SECONDS)
            self._forward = min(self._forward, wanted)
            self._changed.notify_all()

    def stop(self) -> None:
        """End the wait for good."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    @property
    def stopping(self) -> bool:
        """Whether the loop was asked to stop."""
        return self._stopping
