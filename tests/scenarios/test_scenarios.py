"""Every scenario ends as its file says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from stage import played

from autoscaler.policy.reasons import Reason

HERE = Path(__file__).parent


@pytest.mark.parametrize("scenario", sorted(HERE.glob("*.txt")), ids=lambda path: path.stem)
def test_scenario(scenario: Path, request: pytest.FixtureRequest) -> None:
    """The transcript is what the loop does; with --rewrite it becomes so."""
    now = played(scenario)
    if request.config.getoption("rewrite", default=False):
        scenario.write_text(now)

    assert scenario.read_text() == now


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_rehearsed(reason: Reason) -> None:
    """Some transcript shows a step with this code: write a scenario with `explain POOL` where it holds, and run with --rewrite."""
    step = re.compile(rf"^    \w+ +\d+ -> \d+ +{reason} ", re.MULTILINE)

    assert any(step.search(scenario.read_text()) for scenario in HERE.glob("*.txt"))
