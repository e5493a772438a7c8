"""`autoscaler run`: the daemon with its signals.

SIGTERM and SIGINT stop deciding and leave the workers running; SIGHUP reads the configuration again. A handler only notes
what came: the loop takes it up.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import FrameType

from autoscaler.collector import collect_seldom
from autoscaler.daemon import Daemon


def run_daemon(config: Path, *, dry_run: bool, once: bool, standby: bool) -> int:
    """Start, tick until told to stop, shut down; returns the exit code."""
    daemon = Daemon(config, os.environ, dry_run=dry_run)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        daemon.clock.stop()

    def reload(_signal: int, _frame: FrameType | None) -> None:
        daemon.clock.nudge()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, reload)
    if not daemon.startup(standby=standby):
        return 0
    collect_seldom()
    try:
        return daemon.run(once=once)
    finally:
        daemon.shutdown()
