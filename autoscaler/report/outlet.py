"""The last yard of the log: a bounded queue and one thread that writes, so that a stuck pipe never stops the loop.

`log.py` attaches it to the root logger. Lines are formatted where they are logged (so that nothing they hold can change
meanwhile) and written by the thread; when the reader of the pipe stalls, lines are dropped and counted, and the count is
told as soon as writing works again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TextIO

LONGEST_BACKLOG = 2000
LONGEST_LINE = 65_536


class Outlet(logging.Handler):
    """A log handler that never raises and never waits for the stream."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.dropped = 0
        """Lines that were lost because the stream was stuck or broken, or because they could not be formatted."""
        self.stream = stream
        self._lines: deque[str] = deque()
        self._changed = threading.Condition()
        self._writing = False
        self._closed = False
        self._untold = 0
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Format and queue one record."""
        try:
            line = self.format(record)[:LONGEST_LINE]
        except Exception:  # a log line must never end the one who wrote it
            line = None
        with self._changed:
            if line is None or self._closed or len(self._lines) >= LONGEST_BACKLOG:
                self._drop()
                return
            self._lines.append(line)
            self._changed.notify_all()

    def flush_within(self, seconds: float) -> bool:
        """Wait until everything is written, but no longer; True when it is."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while self._lines or self._writing:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True

    def close(self) -> None:
        """Write what can be written within a second and take no more."""
        self.flush_within(1.0)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        super().close()

    def _drop(self) -> None:
        self.dropped += 1
        self._untold += 1

    def _run(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._lines or self._closed)
                if not self._lines:
                    return
                lines, untold = [*self._lines], self._untold
                self._lines.clear()
                self._untold = 0
                self._writing = True
            self._write([*lines, *self._told(untold)])

    def _write(self, lines: list[str]) -> None:
        try:
            self.stream.write("".join(f"{line}\n" for line in lines))
            self.stream.flush()
        except (OSError, ValueError):  # the reader is gone, or the stream is closed
            with self._changed:
                self.dropped += len(lines)
                self._untold += len(lines)

    def _told(self, dropped: int) -> list[str]:
        if not dropped:
            return []
        text = f"{dropped} log lines were dropped: the log's reader was too slow or a line could not be formatted"
        record = logging.LogRecord("autoscaler.log", logging.WARNING, __file__, 0, text, (), None)
        return [self.format(record)]
