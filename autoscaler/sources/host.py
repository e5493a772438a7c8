"""The machine that the workers share, asked about now and then in a thread of its own.

`eyes.py` asks in every look and never waits for it but once: before the first answer, starts would not know how much room there is.
An answer stays until there is a newer one, because a machine keeps its memory; a call that hangs is never made twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future

from autoscaler.errors import SightError
from autoscaler.model import Host, Known, Reading, Unknown
from autoscaler.sources.aside import in_thread

EVERY_SECONDS = 30.0
"""Other containers come and go slowly, and one look may inspect some of them."""


class HostWatch:
    """What is known of the host, and the one look that may be in flight; owned by the loop's thread."""

    def __init__(self, ask: Callable[[], Host | None]) -> None:
        self._ask = ask
        self._flight: Future[Host | None] | None = None
        self._asked_at = 0.0
        self._known: Host | None = None
        self._known_at = 0.0
        self._why = "has not answered yet"

    def look(self) -> tuple[Future[Host | None], ...]:
        """Take up an answer and begin the next look when it is due; what comes back is worth waiting for."""
        self._take_up()
        if self._flight or (self._asked_at and time.monotonic() - self._asked_at < EVERY_SECONDS):
            return ()
        is_first = not self._asked_at
        self._asked_at, self._flight = time.monotonic(), in_thread(self._ask, "ask-host")
        return (self._flight,) if is_first else ()

    def reading(self, now: float) -> Reading[Host]:
        """The newest answer, of whatever age."""
        self._take_up()
        if self._known is None:
            return Unknown(self._why, "host")
        return Known(self._known, now - (time.monotonic() - self._known_at), "host")

    def _take_up(self) -> None:
        if not self._flight or not self._flight.done():
            return
        flight, self._flight = self._flight, None
        try:
            found = flight.result()
        except Exception as error:  # a fault of ours must not stop a look, and its text may hold a secret
            self._why = str(error) if isinstance(error, SightError) else f"the look failed by a fault of ours ({type(error).__name__})"
            return
        self._known, self._known_at = found, self._asked_at
        self._why = "this fleet counts no room"
