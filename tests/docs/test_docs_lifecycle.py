"""docs/lifecycle.md draws the table that the code goes by."""

import re
from pathlib import Path

from autoscaler.model import Phase
from autoscaler.model.lifecycle import MEANING, TABLE, diagram

PAGE = (Path(__file__).parents[2] / "docs" / "lifecycle.md").read_text()


def test_the_diagram_is_the_table():
    """Every arrow, in the order of the table, and no other."""
    (drawn,) = re.findall(r"```mermaid\n(.*?)\n```", PAGE, re.DOTALL)

    assert diagram() == drawn
    assert len(TABLE) == drawn.count("-->")


def test_every_phase_is_explained():
    """In the words of the code."""
    assert [(p.value, MEANING[p]) for p in Phase] == re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE)


def test_every_phase_is_reached_and_left():
    """No phase without a way in and a way out."""
    assert {then for then in TABLE.values() if then} == set(Phase) == {phase for phase, _ in TABLE if phase}
