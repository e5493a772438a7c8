"""The Grafana dashboard asks only for metrics that exist, in PromQL that parses, and works with any data source."""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import Any

import pytest
from live import ROOT
from promql import daemon_page, kinds, parsed, selectors

DASHBOARDS = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
BUILT_IN = {"__rate_interval", "__all"}


def load(path: Any) -> dict[str, Any]:
    """One dashboard."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found


BOARDS = [pytest.param(load(path), id=path.stem) for path in DASHBOARDS]
PANELS = [
    pytest.param(panel, id=f"{path.stem}: {panel['title']}")
    for path in DASHBOARDS
    for panel in load(path)["panels"]
    if panel["type"] != "row"
]
EXPRESSIONS = [
    *(pytest.param(target["expr"], id=f"{param.id} {target['refId']}") for param in PANELS for target in param.values[0]["targets"]),
    *(
        pytest.param(note["expr"], id=f"{path.stem}: {note['name']}")
        for path in DASHBOARDS
        for note in load(path)["annotations"]["list"]
        if "expr" in note
    ),
]


KINDS = kinds(daemon_page())


def test_the_dashboard_is_there() -> None:
    """The tables below are not empty."""
    assert "overview" in [path.stem for path in DASHBOARDS]
    assert len(EXPRESSIONS) > 20
    assert KINDS["autoscaler_decisions_total"] == "counter"
    assert KINDS["autoscaler_replicas_desired"] == "gauge"


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_exists(expression: str) -> None:
    """A panel on a metric that the daemon does not have would stay empty for ever."""
    found = [selector.name for selector, _ in selectors(parsed(expression))]

    assert found
    assert [name for name in found if name not in KINDS] == []


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_counters_are_seen_as_rates(expression: str) -> None:
    """The absolute value of a counter says nothing, and a gauge has no rate."""
    for selector, function in selectors(parsed(expression)):
        assert (KINDS[selector.name] == "counter") == (function in ("rate", "increase")), selector.name


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_chosen_job_and_instance_are_asked_for(expression: str) -> None:
    """Every selector follows the variables at the top of the page, and the pool too where the metric has one."""
    for selector, _ in selectors(parsed(expression)):
        chosen = {matcher.name: matcher.value for matcher in selector.matchers.matchers}
        assert chosen["job"] == "$job"
        assert chosen["instance"] == "$instance"
        assert chosen.get("pool", "$pool") == "$pool"
    assert not re.search(r"rate\([^)]*\[(?!\$__rate_interval)", expression)


@pytest.mark.parametrize("panel", PANELS)
def test_panels_explain_themselves(panel: dict[str, Any]) -> None:
    """Title, a sentence or more of description, a unit, and the source that the reader has chosen."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == SOURCE
    assert panel["targets"]
    assert all(target["datasource"] == SOURCE and target["legendFormat"] for target in panel["targets"])


@pytest.mark.parametrize("board", BOARDS)
def test_it_can_be_imported_anywhere(board: dict[str, Any]) -> None:
    """No number of a database, no name of a data source; variables are known and follow the time range."""
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(board)))

    assert "id" not in board
    assert "__inputs" not in board
    assert board["editable"] is False
    assert used - BUILT_IN <= variables.keys()
    assert all(variable["refresh"] == 2 for variable in variables.values() if variable["type"] == "query")
    for variable in variables.values():
        if variable["type"] == "query":
            metric = re.match(r"label_values\((\w+)", variable["definition"])
            assert metric
            assert metric[1] in KINDS


@pytest.mark.parametrize("board", BOARDS)
def test_panels_do_not_overlap(board: dict[str, Any]) -> None:
    """Each has a number and a place of its own, within the 24 columns."""
    numbers = [panel["id"] for panel in board["panels"]]
    places = [panel["gridPos"] for panel in board["panels"]]

    assert len(set(numbers)) == len(numbers)
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_x or apart_y
