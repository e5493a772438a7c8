"""Writes records until it is killed; run by the test of `kill -9`. Prints the number of each record once it is on disk."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from telling import NOW, a_decision, a_record, a_step

from autoscaler.model import Memory, PoolMemory
from autoscaler.report.journal import Journal


def main(path: Path, first: int) -> None:
    """Record numbers from `first` on, for ever."""
    journal = Journal(path)
    number = first
    while True:
        step = a_step(0, number % 7, because=f"number {number}")
        journal.record(a_record(a_decision("browser", step), at=NOW + number), Memory({"browser": PoolMemory(failures=number)}))
        assert journal.flush()
        print(number, flush=True)
        number += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
