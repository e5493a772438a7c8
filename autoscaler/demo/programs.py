"""One program of the demo's stack: started apart from the terminal, waited for, and surely ended.

`stack.py` says which; nothing here knows what they are.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from autoscaler.errors import AutoscalerError

LAST_LINES = 12


class DemoFailed(AutoscalerError):
    """The demo cannot go on; the text says what to do."""


class Program:
    """A running program in a session of its own, so that Ctrl-C reaches only the demo, which ends them in the right order."""

    def __init__(self, name: str, command: Sequence[str], *, log: Path, environment: Mapping[str, str], told: str = "") -> None:
        self.name = name
        self._log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert self._process.stdin
        with suppress(BrokenPipeError), self._process.stdin as pipe:
            pipe.write(told.encode())

    def check(self) -> None:
        """Raise DemoFailed, with its last words, when the program has ended."""
        code = self._process.poll()
        if code is not None:
            raise DemoFailed(f"{self.name} ended with exit code {code}:\n{self.last_words()}")

    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-LAST_LINES:])

    def stop(self, seconds: float) -> None:
        """Ask it to leave, and after so many seconds end it with everything it has started."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)


def free_port(host: str) -> int:
    """A port of this address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
