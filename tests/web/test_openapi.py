"""docs/openapi.yaml is what the server does: compared with the code, and put to a real server by schemathesis."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from telling import NOW, a_decision, a_record, a_replica, a_snapshot, a_source, a_step, a_view, an_action, an_outcome
from window import TOKEN, House

from autoscaler.desk import Desk
from autoscaler.model import ActionKind, Memory, Order, OrderKind
from autoscaler.report.journal import Journal
from autoscaler.web import app, bodies, orders, tokens
from autoscaler.web.server import Server

FILE = Path(__file__).parents[2] / "docs" / "openapi.yaml"
API: dict[str, Any] = yaml.safe_load(FILE.read_text())
KINDS = (bodies.Pause, bodies.Resume, bodies.Scale, bodies.Drain, bodies.Wake, bodies.WakeQueues, bodies.Reload)
BODIES = {kind.__name__: kind for kind in KINDS}
PAUSE = Order(OrderKind.PAUSE, "browser", NOW, "anna", until=NOW + 60)
VIEW = a_view("browser", waiting=7, replicas=(a_replica("a-browser-1"),), orders=(PAUSE,))
RECORD = a_record(
    a_decision("browser", a_step(1, 4), view=VIEW, actions=(an_action(),)),
    outcomes=(an_outcome(ActionKind.START),),
    sources=(a_source(), a_source("workers", up=False, detail="it is away")),
)


# ---------------------------------------------------------------- compared with the code


def test_every_route_and_method_is_described() -> None:
    """No more, no less."""
    routes = {(next(iter(r.methods - {"HEAD"})).lower(), r.path.replace(":path", "")) for r in House().app.routes}

    assert {(method, path) for path, methods in API["paths"].items() for method in methods} == routes


@pytest.mark.parametrize("name", BODIES)
def test_bodies_are_those_of_the_code(name: str) -> None:
    """The same keys, bounds and words."""
    model = BODIES[name].model_json_schema()
    described = API["components"]["schemas"][name]

    assert set(described.get("required", ())) == set(model.get("required", ()))
    assert described["additionalProperties"] is False
    assert {key: plain(value) for key, value in described["properties"].items()} == {
        key: plain(resolved(value, model)) for key, value in model["properties"].items()
    }


def resolved(value: dict[str, Any], model: dict[str, Any]) -> dict[str, Any]:
    """The key's own schema with what it refers to, and a choice between something and nothing as one schema."""
    if "$ref" in value:
        value = {**model["$defs"][value["$ref"].rpartition("/")[2]], **value}
    if "anyOf" in value:
        some, nothing = value["anyOf"]
        assert nothing == {"type": "null"}
        value = {**value, **some, "type": [some["type"], "null"]}
    return value


def plain(value: dict[str, Any]) -> dict[str, Any]:
    """Without titles and what an enumeration says twice."""
    kept = {key: entry for key, entry in value.items() if key not in ("title", "anyOf", "$ref")}
    if "enum" in kept:
        kept.pop("type", None)
    return {key: entry for key, entry in kept.items() if not (key == "default" and entry is None)}


@pytest.mark.parametrize(
    ("path", "name", "most", "default"),
    [
        ("/api/v1/history", "limit", app.HISTORY_MAX, app.HISTORY_DEFAULT),
        ("/api/v1/history", "points", app.POINTS_MAX, None),
        ("/api/v1/orders", "limit", app.LIMIT_MAX, app.LIMIT_DEFAULT),
        ("/api/v1/pools/{pool}/decisions", "limit", app.LIMIT_MAX, app.LIMIT_DEFAULT),
        ("/api/v1/pools/{pool}/decisions", "before", app.ID_MAX, None),
    ],
)
def test_limits_are_those_of_the_code(path: str, name: str, most: int, default: int | None) -> None:
    """What a question may ask for."""
    parameters = [referred(each) for each in API["paths"][path]["get"]["parameters"]]
    (schema,) = (each["schema"] for each in parameters if each["name"] == name)

    assert (schema["minimum"], schema["maximum"], schema.get("default")) == (1, most, default)


def referred(node: dict[str, Any]) -> dict[str, Any]:
    """What a `$ref` stands for."""
    while "$ref" in node:
        found: Any = API
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = found
    return node


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/v1/status", "Status"),
        ("/api/v1/pools/browser", "PoolDetail"),
        ("/api/v1/orders", "Orders"),
        ("/api/v1/pools/browser/decisions", "Decisions"),
        ("/api/v1/history", "History"),
        ("/api/v1/history?points=5", "History"),
        ("/healthz", "Alive"),
        ("/readyz", "Ready"),
        ("/api/v1/targets", "Targets"),
    ],
)
def test_every_key_of_an_answer_is_described(house: House, path: str, name: str) -> None:
    """A key that is added to an answer is added to the file."""
    answer = house.get(path)

    assert answer.status_code == 200, answer.text
    assert unknown(answer.json(), {"$ref": f"#/components/schemas/{name}"}) == set()


def unknown(value: Any, schema: dict[str, Any], at: str = "") -> set[str]:
    """Paths of keys that the schema does not name."""
    parts = [referred(part) for part in schema.get("allOf", [schema])]
    parts = [referred(inner) for part in parts for inner in part.get("allOf", [part])]
    if isinstance(value, list):
        return {found for item in value for part in parts for found in unknown(item, part.get("items", {}), f"{at}[]")}
    named = {key: entry for part in parts for key, entry in part.get("properties", {}).items()}
    if not isinstance(value, dict) or not named:
        rest = next((part["additionalProperties"] for part in parts if isinstance(part.get("additionalProperties"), dict)), {})
        return {found for item in value.values() for found in unknown(item, rest, at)} if isinstance(value, dict) and rest else set()
    beyond = {f"{at}.{key}" for key in value if key not in named}
    return beyond | {found for key, item in value.items() if key in named for found in unknown(item, named[key], f"{at}.{key}")}


# ---------------------------------------------------------------- put to a real server


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The application with a real journal and a real desk behind it, and without patience for guessers."""
    folder = tmp_path_factory.mktemp("state")
    journal = Journal(folder / "journal.sqlite3")
    journal.record(a_record(*RECORD.decision.pools, at=time.time(), outcomes=RECORD.outcomes), Memory())
    desk = Desk(folder / "orders.json", journal.note, lambda _seconds: None)
    desk.give(PAUSE)
    assert journal.flush()
    built = House(a_snapshot(RECORD, metrics_targets={"browser": ("a-browser-1:9100",)}))
    doors = replace(built.doors, decisions=journal.decisions, history=journal.ticks, ordered=journal.orders, give=desk.give)
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((tokens, "GUESSES_AT_ONCE"), (tokens, "ALL_GUESSES_AT_ONCE"), (orders, "WAKES_AT_ONCE")):
            patch.setattr(module, name, 1e9)
        built.app = app.build_app(replace(doors, standing=lambda: desk.standing))
    yield built
    journal.close()


@pytest.fixture(scope="module")
def served(house: House) -> Iterator[str]:
    """Its address."""
    made = Server(house.app, "127.0.0.1:0")
    made.start()
    yield f"http://127.0.0.1:{made.port}"
    made.stop()


def asked() -> Any:
    """The file for schemathesis; half of the pools it asks for are there, and streams without an end are left out."""
    raw = json.loads(json.dumps(API))
    raw["components"]["parameters"]["pool"]["schema"] = {"anyOf": [{"const": "browser"}, {"type": "string", "minLength": 1}]}
    return schemathesis.openapi.from_dict(raw).exclude(path="/api/v1/events").exclude(path="/page/{file}")


SCHEMA = asked()


@SCHEMA.auth()
class Bearer:
    """The token, where a question is to have one."""

    def get(self, _case: Case, _context: Any) -> str:
        return TOKEN

    def set(self, case: Case, token: str, _context: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"}


@SCHEMA.parametrize()
@settings(
    max_examples=12, deadline=None, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck), derandomize=True
)
def test_the_server_keeps_to_the_file(served: str, case: Case) -> None:
    """Good and bad questions: every answer has a described status, type, headers and shape, and no bad one is taken for a good one."""
    case.call_and_validate(base_url=served, timeout=10)
