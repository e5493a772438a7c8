"""Fails over and returns on real parts, with the daemon as it is delivered, and says how long that took.

python -m tests.failover [--outages 20 60 120] [--write]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from .course import Findings, run
from .parts import two_brokers
from .report import told

TRANSPORT = {"visibility_timeout": 60, "unacked_restore_interval": 5}
"""What a worker held when it died is given out again after a minute, not after an hour."""


def main() -> int:
    """1 when a task was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.failover", description="A quota that ends and is renewed, on real parts.")
    parser.add_argument(
        "--outages", type=float, nargs="+", default=[20.0, 60.0, 120.0], help="seconds for which the quota is gone, each a round"
    )
    parser.add_argument("--write", action="store_true", help="put the figures into docs/reliability.md")
    asked = parser.parse_args()
    os.environ["CELERY_BROKER_URL"] = "memory://"  # of the producer's app: it says for each task where it goes
    with tempfile.TemporaryDirectory(prefix="failover-", ignore_cleanup_errors=True) as folder:
        found = measured(Path(folder), asked.outages)
    print(told(found))
    if asked.write:
        from simulation.report import between

        page = Path("docs/reliability.md")
        page.write_text(between(page.read_text(), "failover", told(found)))
    return 1 if found.lost else 0


def measured(folder: Path, outages: list[float]) -> Findings:
    """A task every half second, as the quota comes and goes."""
    with two_brokers(folder) as house:
        house.configure(TRANSPORT, interval="2s")
        house.start_secured_flower()
        house.start_daemon()
        return run(house, outages, every_seconds=0.5, runtime=0.4)


if __name__ == "__main__":
    sys.exit(main())
