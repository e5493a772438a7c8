"""The page on simulating names every row and every rival as the program does."""

from pathlib import Path

from autoscaler.sim.rivals.catalog import CATALOG, DRAIN
from autoscaler.sim.score import BOUNDS, OURS

PAGE = (Path(__file__).parents[2] / "docs" / "simulate.md").read_text()


def test_every_rival_stands_there_in_the_code_s_words():
    """One line each, in the order of the catalog."""
    lines = [f"| `{entry.name}` | {entry.about} |" for entry in CATALOG.values() if not entry.name.endswith(DRAIN)]
    places = [PAGE.find(line) for line in lines]
    assert -1 not in places
    assert places == sorted(places)


def test_every_other_row_stands_there():
    """Ours and the bounds."""
    assert all(f"| `{name}` |" in PAGE for name in (OURS, *BOUNDS))
