"""Rages for a while against real parts and says what came of it.

python -m tests.chaos --duration 240 [--tasks 2000] [--fleet docker] [--seed N] [--write]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from .docker_parts import DockerHouse
from .judge import Findings, find, settle
from .nemesis import Nemesis
from .parts import ChaosHouse, small_disk
from .report import told

PATIENCE_SECONDS = 150.0
"""After the last deed: a visibility timeout, a backoff and a drain fit in."""


FLEETS: dict[str, type[ChaosHouse]] = {"process": ChaosHouse, "docker": DockerHouse}
PLACES = {"process": "chaos", "docker": "chaos in containers"}
"""Where the figures stand in docs/reliability.md."""


def main() -> int:
    """1 when something is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Kill, hang and starve real parts.")
    parser.add_argument("--duration", type=float, default=240.0, help="seconds of rage")
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--fleet", choices=FLEETS, default="process", help="what workers are: local processes, or containers")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1000)
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it there")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/reliability.md")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        run = storm(asked.keep or Path(folder), asked.duration, asked.tasks, asked.seed, FLEETS[asked.fleet])
    print(told(run))
    for wrong in run.wrong:
        print(f"WRONG (seed {asked.seed}): {wrong}")
    if asked.write and not run.wrong:
        from simulation.report import between

        page = Path("docs/reliability.md")
        page.write_text(between(page.read_text(), PLACES[asked.fleet], told(run)))
    return 1 if run.wrong else 0


def storm(folder: Path, seconds: float, tasks: int, seed: int, kind: type[ChaosHouse] = ChaosHouse) -> Findings:
    """One whole run: parts up, work and rage, rest, judgement, parts down."""
    folder.mkdir(exist_ok=True)
    with small_disk(folder / "state") as is_small:
        house = kind(folder)
        try:
            house.open()
            began = time.monotonic()
            house.produce(tasks, seconds)
            nemesis = Nemesis(house, seed, small_disk=is_small)
            nemesis.rage(seconds)
            while house.sent < tasks:
                time.sleep(0.2)
            return find(house, nemesis, time.monotonic() - began, settle(house, PATIENCE_SECONDS))
        finally:
            house.close()


if __name__ == "__main__":
    sys.exit(main())
