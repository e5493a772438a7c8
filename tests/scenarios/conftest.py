"""Scenarios: `pytest tests/scenarios --rewrite` writes what happens into the files; the diff is reviewed as text."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "loop"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """The switch that accepts what the code does now."""
    parser.addoption("--rewrite", action="store_true", help="write the scenarios' transcripts anew")
