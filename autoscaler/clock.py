"""The clock of the real loop: wall time, and a wait that a signal, a reload or a wake cuts short.

Nothing acts inside a signal handler: it only notes what came, and the next tick takes it up.
"""

from __future__ import annotations

import threading
import time


class SystemClock:
    """Satisfies `loop.Clock`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._stopping = False
        self._nudged = False

    def now(self) -> float:
        """Wall-clock seconds since the epoch."""
        return time.time()

    def wait(self, until: float) -> bool:
        """Sleep until this moment of the monotonic clock, or until nudged; False when asked to stop.

        The wall clock has no part in it: one that is set back, in whatever moment of a tick, does not stop the loop.
        """
        with self._changed:
            while not (self._stopping or self._nudged) and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            self._nudged = False
            return not self._stopping

    def nudge(self) -> None:
        """Bring the next tick forward."""
        with self._changed:
            self._nudged = True
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
