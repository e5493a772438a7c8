"""One instance per state folder: an advisory lock that the kernel releases when the process dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from autoscaler.errors import LockHeld


class StateLock:
    """Holds `<state>/lock` for as long as this object lives."""

    def __init__(self, state: Path) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self._file = (state / "lock").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            text = f"another instance (process {holder}) holds the lock on {state}: stop it, or give this one its own `state`"
            raise LockHeld(text, holder=f"process {holder}") from error
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Let another instance in."""
        self._file.close()
