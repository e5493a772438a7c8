"""Standing by: a daemon that waits for the lock of another one is seen, says so, and does nothing.

`daemon.py` asks for the lock here when it was started with `--standby`, and goes on as after any restart when it has it: the memory
is in the journal, the workers are adopted. Until then nobody is asked and nothing is opened in the state folder but the lock. The
kernel lets go of the lock in the moment in which the process that holds it ends, however it ends; one that only hangs keeps it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from autoscaler.assemble import api_keys
from autoscaler.clock import SystemClock
from autoscaler.config.models import Settings
from autoscaler.errors import AutoscalerError, LockHeld
from autoscaler.lock import StateLock
from autoscaler.report.metrics import Metrics
from autoscaler.report.snapshot import Snapshot
from autoscaler.web.app import Doors, build_app
from autoscaler.web.server import Server

TRY_SECONDS = 0.2
"""Between two tries for the lock; a try is one call to the kernel."""


class StandingBy(AutoscalerError):
    """Asked of the wrong one: another instance is in charge."""


class Standby:
    """Serves the API and waits; `snapshot` is what can be told of a daemon that has not looked at anything yet."""

    def __init__(self, settings: Settings, snapshot: Snapshot, clock: SystemClock) -> None:
        self._settings, self._snapshot, self._clock = settings, snapshot, clock
        self._tried = time.monotonic()
        self._log = structlog.stdlib.get_logger("autoscaler.standby")

    def lock(self, state: Path) -> StateLock | None:
        """The lock on this folder, as soon as nobody else has it; None when told to stop before. Raises ListenRefused, OSError."""
        lock = self._try(state)
        if lock is None:
            self._log.info("standing by", why=self._snapshot.standby, listen=self._settings.api.listen)
            lock = self._served(lambda: self._wait(state))
            self._log.info("taking over" if lock else "stopped while standing by", state=str(state))
        return lock

    def _served(self, wait: Callable[[], StateLock | None]) -> StateLock | None:
        """What `wait` brings, with the API answering meanwhile."""
        app = build_app(self._doors())
        server = Server(app, self._settings.api.listen, leaving=app.state.stream.close)
        server.start()
        try:
            return wait()
        finally:
            server.stop()

    def _wait(self, state: Path) -> StateLock | None:
        while self._clock.wait(time.monotonic() + TRY_SECONDS):
            if lock := self._try(state):
                return lock
        return None

    def _try(self, state: Path) -> StateLock | None:
        self._tried = time.monotonic()
        try:
            return StateLock(state)
        except LockHeld as held:
            words = f"standby: another instance ({held.holder}) is in charge, this one takes over when it ends"
            if words != self._snapshot.standby:
                self._snapshot = replace(self._snapshot, standby=words)
            return None

    def _alive(self) -> tuple[bool, str]:
        late = time.monotonic() - self._tried
        return late <= 10.0, f"standby: the last try for the lock was {late:.1f} s ago"

    def _doors(self) -> Doors:
        """Nothing can be asked of a journal or told to a desk that are in the hands of another."""
        metrics, api = Metrics(lambda: self._snapshot), self._settings.api
        return Doors(
            snapshot=lambda: self._snapshot,
            metrics=metrics.render,
            decisions=self._refuse,
            history=self._refuse,
            news=lambda *_: [],
            give=self._refuse,
            standing=dict,
            ordered=self._refuse,
            reload=self._refuse,
            alive=self._alive,
            keys=lambda: api_keys(api.tokens),
            wake_keys=lambda: api_keys(api.wake_tokens),
            allowed_hosts=lambda: api.allowed_hosts,
            counted=metrics.count_request,
        )

    def _refuse(self, *_: Any) -> Any:
        raise StandingBy(f"{self._snapshot.standby}: ask that one")
