"""The Grafana dashboards: built from code, asking only for metrics that exist, in PromQL that parses, and fit for any data source."""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import Any

import pytest
from boards_read import BOARDS, DASHBOARDS, EXPRESSIONS, PANELS, build
from promql import RATES, daemon_page, kinds, parsed, selectors, worker_page

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
BUILT_IN = {"__rate_interval", "__range", "__all"}
DAEMON, WORKER = kinds(daemon_page()), kinds(worker_page())
KINDS = DAEMON | WORKER
UNUSED = {
    "python_info": "python_version stands in build_info, too",
    "process_virtual_memory_bytes": "says little of a program that maps its journal; the resident memory is shown",
    "autoscaler_worker_info": "the name of a worker; boards count workers, they do not list them",
    "autoscaler_source_circuit_open": "such a source is shown as down; how often it is asked meanwhile is in the status",
    "autoscaler_worker_setup_info": "how a worker is set up, which check judges",
}
"""Series that no board shows, and why."""


def test_the_dashboards_are_there() -> None:
    """The tables below are not empty."""
    assert {"overview", "pool", "daemon", "brokers"} == {path.stem for path in DASHBOARDS}
    assert len(EXPRESSIONS) > 60
    assert KINDS["autoscaler_decisions_total"] == "counter"
    assert KINDS["autoscaler_replicas_desired"] == "gauge"


@pytest.mark.parametrize("board", build.BOARDS, ids=lambda board: board.file)
def test_files_are_as_built(board: Any) -> None:
    """A board that was changed in its code, or by hand, and not built anew: `make dashboards` does it."""
    assert (build.FOLDER / f"{board.file}.json").read_text() == build.text(board)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_exists(expression: str) -> None:
    """A panel on a metric that nobody has would stay empty for ever."""
    found = [selector.name for selector, _ in selectors(parsed(expression))]

    assert found
    assert [name for name in found if name not in KINDS] == []


def test_every_metric_is_shown() -> None:
    """Each family of the daemon's page and of a worker's is on a board, or there is a reason why not."""
    shown = {selector.name for param in EXPRESSIONS for selector, _ in selectors(parsed(param.values[0]))}
    families = {re.sub("_(bucket|sum|count)$", "", name) for name in KINDS}

    assert families - {re.sub("_(bucket|sum|count)$", "", name) for name in shown} == set(UNUSED)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_counters_are_seen_as_rates(expression: str) -> None:
    """The absolute value of a counter says nothing, and a gauge has no rate."""
    for selector, function in selectors(parsed(expression)):
        assert (KINDS[selector.name] == "counter") == (function in RATES), selector.name


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_chosen_variables_are_asked_for(expression: str) -> None:
    """Every selector follows the job and instance at the top of the page, and the pool and broker where the metric has one."""
    for selector, _ in selectors(parsed(expression)):
        chosen = {matcher.name: matcher.value for matcher in selector.matchers.matchers}
        of_daemon = selector.name in DAEMON
        assert chosen["job"] == ("$job" if of_daemon else "$workers")
        assert chosen.get("instance") == ("$instance" if of_daemon else None)
        assert chosen.get("pool", "$pool") == "$pool"
        assert chosen.get("broker", "$broker") == "$broker"


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_rates_follow_the_zoom(expression: str) -> None:
    """A fixed window would be too short for a day and too long for a minute; single numbers count over all that is shown."""
    windows = re.findall(r"(?:rate|increase)\([^)]*\[([^\]]+)\]", expression)

    assert set(windows) <= {"$__rate_interval", "$__range"}


@pytest.mark.parametrize("panel", PANELS)
def test_panels_explain_themselves(panel: dict[str, Any]) -> None:
    """Title, a sentence or more of description, a unit, and the source that the reader has chosen."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == SOURCE
    assert panel["targets"]
    assert all(target["datasource"] == SOURCE and target["legendFormat"] for target in panel["targets"])
    assert "$__range" not in json.dumps(panel["targets"]) or panel["type"] == "stat"


@pytest.mark.parametrize("board", BOARDS)
def test_it_can_be_imported_anywhere(board: dict[str, Any]) -> None:
    """No number of a database, no name of a data source; variables are known and follow the time range."""
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(board)))

    assert "id" not in board
    assert "__inputs" not in board
    assert board["editable"] is False
    assert used - BUILT_IN == variables.keys()
    assert all(variable["refresh"] == 2 for variable in variables.values() if variable["type"] == "query")
    for variable in variables.values():
        if variable["type"] == "query":
            metric = re.match(r"label_values\((\w+)", variable["definition"])
            assert metric
            assert metric[1] in KINDS


def test_boards_have_addresses_of_their_own() -> None:
    """Which never change, because people keep them, and which Grafana accepts."""
    addresses = [param.values[0]["uid"] for param in BOARDS]

    assert len(set(addresses)) == len(addresses)
    assert all(re.fullmatch(r"[a-z-]{1,40}", address) for address in addresses)


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
