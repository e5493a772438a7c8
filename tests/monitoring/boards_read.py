"""The committed dashboards as tables for tests: boards, panels, and everything that they ask."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from live import ROOT

sys.path[:0] = [str(ROOT / "grafana")]

import build  # noqa: E402

DASHBOARDS = sorted(build.FOLDER.glob("*.json"))


def load(path: Any) -> dict[str, Any]:
    """One dashboard."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def expressions() -> Iterator[Any]:
    """Every query of every panel, and every annotation's."""
    for param in PANELS:
        for target in param.values[0]["targets"]:
            yield pytest.param(target["expr"], id=f"{param.id} {target['refId']}")
    for path in DASHBOARDS:
        for note in load(path)["annotations"]["list"]:
            if "expr" in note:
                yield pytest.param(note["expr"], id=f"{path.stem}: {note['name']}")


def asked(text: str, *, rate: str, span: str) -> str:
    """With everything chosen at the top of a board, as Grafana would ask."""
    for name, value in {"$__rate_interval": rate, "$__range": span, "$price": "0.20"}.items():
        text = text.replace(name, value)
    return re.sub(r"\$\w+", ".*", text)


BOARDS = [pytest.param(load(path), id=path.stem) for path in DASHBOARDS]
PANELS = [
    pytest.param(panel, id=f"{path.stem}: {panel['title']}")
    for path in DASHBOARDS
    for panel in load(path)["panels"]
    if panel["type"] != "row"
]
EXPRESSIONS = list(expressions())
VARIABLES = [
    pytest.param(variable["definition"], id=f"{path.stem}: ${variable['name']}")
    for path in DASHBOARDS
    for variable in load(path)["templating"]["list"]
    if variable["type"] == "query"
]

__all__ = ["BOARDS", "DASHBOARDS", "EXPRESSIONS", "PANELS", "VARIABLES", "asked", "build"]
