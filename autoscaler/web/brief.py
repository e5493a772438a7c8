"""The status as open pages get it: without the list of workers, which a page asks for where somebody looks at it.

It is composed once for each snapshot, however many ask.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from autoscaler.report.plain import to_plain
from autoscaler.report.redact import redactor
from autoscaler.report.snapshot import Snapshot
from autoscaler.web.status import status

AGEING = frozenset({"age_seconds"})
"""Keys that differ at every look by themselves: a pool of which nothing else does has not changed."""


class Briefs:
    """The brief status of the latest snapshot."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._told: dict[str, Any] | None = None

    def of(self, snapshot: Snapshot) -> dict[str, Any]:
        """Composed by whoever asks first; the others wait for it. From any thread, but not from an event loop's."""
        with self._lock:
            if self._told is None or snapshot is not self._snapshot:
                self._told = brief(snapshot, time.time(), self._told)
                self._snapshot = snapshot
            return self._told


def brief(snapshot: Snapshot, now: float, before: dict[str, Any] | None = None) -> dict[str, Any]:
    """The whole status but for the workers, without secrets; `before` is what was told last."""
    pools = before["pools"] if before else ()
    expected = {pool["pool"]: pool["next_change"]["at"] for pool in pools if pool["next_change"]}
    told: dict[str, Any] = redactor(to_plain(status(snapshot, now, workers=False, expected=expected)))
    return told


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any] | None:
    """What a reader of `before` needs to know `after`: changed keys, and changed pools whole; None where the pools are others.

    >>> changes({"now": 1, "dry_run": False, "pools": []}, {"now": 2, "dry_run": False, "pools": []})
    {'now': 2, 'pools': []}
    """
    old = {pool["pool"]: pool for pool in before["pools"]}
    if list(old) != [pool["pool"] for pool in after["pools"]]:
        return None
    told = {key: value for key, value in after.items() if key == "now" or value != before.get(key)}
    return told | {"pools": [pool for pool in after["pools"] if _ageless(pool) != _ageless(old[pool["pool"]])]}


def _ageless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ageless(item) for key, item in value.items() if key not in AGEING}
    return [_ageless(item) for item in value] if isinstance(value, list) else value
