"""Tells people of trouble, through Apprise: a bounded queue and one thread, so that a dead mail server never holds up the loop.

The daemon hands every record in. What `notices.py` finds in it waits in the queue until a message may be sent: at most one in
`notify.every`, with everything that has come together by then. Apprise is an extra and is imported by the thread, not before.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog

from autoscaler.config.notify import NotifySettings
from autoscaler.model import Memory, Record
from autoscaler.report.notices import Notice, Notices
from autoscaler.report.redact import redactor

LONGEST_QUEUE = 100
MISSING = "apprise is not installed where the autoscaler runs: pip install 'apprise>=1.9,<3'"

Send = Callable[[tuple[str, ...], str, str], bool]
"""Addresses, title and body of one message; whether every address took it."""


def by_apprise(addresses: tuple[str, ...], title: str, body: str) -> bool:
    """Send one message to all; raises ImportError where Apprise is not installed."""
    messenger = _messenger()
    understood = [messenger.add(address) for address in addresses]
    return bool(messenger.notify(title=title, body=body)) and all(understood)


def problems(settings: NotifySettings) -> tuple[str, ...]:
    """What `check` says of the addresses, without a word of what is in them. Nothing is sent."""
    if not settings.addresses:
        return ()
    try:
        wrong = [number for number, address in enumerate(settings.addresses, 1) if not _messenger().add(address)]
    except ImportError:
        return (MISSING,)
    return tuple(f"notify.urls: address {number} is none that Apprise understands" for number in wrong)


def _messenger() -> Any:
    """An Apprise that knows no address yet; raises ImportError where it is not installed."""
    from apprise import Apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its warnings may name an address
    return Apprise()


class Notifier:
    """Sends what is worth telling; a reporter of the daemon."""

    def __init__(self, settings: NotifySettings, instance: str, send: Send = by_apprise) -> None:
        self._settings, self._title, self._send = settings, f"autoscaler {instance}", send
        self._notices = Notices()
        self._queue: deque[Notice] = deque()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self.dropped = 0
        """Notices that found the queue full and were only counted; a message says so."""
        self._thread: threading.Thread | None = None
        self._log = structlog.stdlib.get_logger("autoscaler")

    def configure(self, settings: NotifySettings) -> None:
        """From the next message on."""
        self._settings = settings

    def record(self, record: Record, _memory: Memory) -> None:
        """Queue what this record has to tell; never waits."""
        new = [notice for notice in self._notices.of(record) if notice.topic in self._settings.about]
        if not new or not self._settings.addresses:
            return
        with self._changed:
            for notice in new:
                if len(self._queue) < LONGEST_QUEUE:
                    self._queue.append(notice)
                else:
                    self.dropped += 1
            self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="notify", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Send nothing more; a message that is on its way is not waited for."""
        self._stop.set()
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        while not self._stop.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._stop.is_set())
                texts = [notice.text for notice in self._queue]
                self._queue.clear()
                if self.dropped:
                    texts.append(f"and {self.dropped} more")
                    self.dropped = 0
            if not self._stop.is_set():
                self._deliver("\n".join(dict.fromkeys(texts)))
                self._stop.wait(self._settings.every)

    def _deliver(self, body: str) -> None:
        try:
            if not self._send(self._settings.addresses, self._title, redactor.text(body)):
                self._log.warning("notification_failed", detail="an address did not take it")
        except ImportError:
            self._log.error("notification_failed", detail=MISSING)
        except Exception as error:  # whatever a plugin of Apprise may raise must end here
            self._log.warning("notification_failed", detail=type(error).__name__)
