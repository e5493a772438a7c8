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
        """Sleep until then, or until nudged; False when asked to stop.

        The wait itself is on the monotonic clock, and never longer than it was when it began, so that a wall clock that is
        set back does not stop the loop.
        """
        deadline = time.monotonic() + max(0.0, until - time.time())
        with self._changed:
            while not (self._stopping or self._nudged) and (left := deadline - time.monotonic()) > 0:
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
