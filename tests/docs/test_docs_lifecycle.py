"""docs/lifecycle.md draws the table that the code goes by."""

import re
from pathlib import Path

from autoscaler.errors import Refusal
from autoscaler.model import Failure, Phase
from autoscaler.model.failure import MEANING as FAILURES
from autoscaler.model.lifecycle import MEANING, TABLE, diagram

DOCS = Path(__file__).parents[2] / "docs"
PAGE, METRICS = ((DOCS / name).read_text() for name in ("lifecycle.md", "metrics.md"))


def rows() -> list[tuple[str, str]]:
    """The rows of the page's tables, in order."""
    return re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE)


def test_the_diagram_is_the_table():
    """Every arrow, in the order of the table, and no other."""
    (drawn,) = re.findall(r"```mermaid\n(.*?)\n```", PAGE, re.DOTALL)

    assert diagram() == drawn
    assert len(TABLE) == drawn.count("-->")


def test_every_phase_is_explained():
    """In the words of the code."""
    assert [(p.value, MEANING[p]) for p in Phase] == rows()[: len(Phase)]


def test_every_failure_is_explained():
    """In the words of the code, one for each value of the metric's label."""
    assert [(f.value, FAILURES[f]) for f in Failure] == rows()[len(Phase) :]
    assert all(f"`{f}`" in METRICS for f in Failure)


def test_a_door_says_what_the_model_knows():
    """Every word of a refused start is one of the failures."""
    assert {r.value for r in Refusal} <= {f.value for f in Failure}


def test_every_phase_is_reached_and_left():
    """No phase without a way in and a way out."""
    assert {then for then in TABLE.values() if then} == set(Phase) == {phase for phase, _ in TABLE if phase}
