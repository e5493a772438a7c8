"""`docs/reliability.md` tells what the simulation does: its faults, invariants and mutations are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from simulation.faults import FAULTS
from simulation.report import between, invariants_table, mutations_list

PAGE = (Path(__file__).parent.parent.parent / "docs" / "reliability.md").read_text()


def test_the_invariants_are_those_that_are_checked() -> None:
    """The table of promises is the code's own."""
    assert between(PAGE, "invariants", invariants_table()) == PAGE


def test_the_mutations_are_those_that_are_caught() -> None:
    """The list of deliberate faults is the code's own."""
    assert between(PAGE, "mutations", mutations_list()) == PAGE


def test_every_fault_of_the_catalogue_happened() -> None:
    """The run that the page shows had every fault, and no story failed."""
    told = dict(re.findall(r"^\| [^|]+ \| ([^|]+) \| (\d+) \|$", PAGE, re.MULTILINE))

    assert set(FAULTS) <= set(told)
    assert all(int(told[name]) > 0 for name in FAULTS)
    assert re.search(r"^\d[\d,]* stories, 0 failed", PAGE, re.MULTILINE)
