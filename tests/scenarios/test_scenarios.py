"""Every scenario ends as its file says."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import played

HERE = Path(__file__).parent


@pytest.mark.parametrize("scenario", sorted(HERE.glob("*.txt")), ids=lambda path: path.stem)
def test_scenario(scenario: Path, request: pytest.FixtureRequest) -> None:
    """The transcript is what the loop does; with --rewrite it becomes so."""
    now = played(scenario)
    if request.config.getoption("rewrite", default=False):
        scenario.write_text(now)

    assert scenario.read_text() == now
