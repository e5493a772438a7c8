"""The changing requests: what becomes an order, and what is refused with words."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from telling import NOW, a_decision, a_record, a_replica, a_snapshot, a_step, a_view
from window import TOKEN, House

from autoscaler.model import Direction, Order, OrderKind, PoolPolicy
from autoscaler.web import orders
from autoscaler.web.orders import WAKE_SECONDS, WAKES_AT_ONCE

POOL = "/api/v1/pools/browser"


@pytest.fixture
def house() -> House:
    """The application with one pool of two workers behind it."""
    view = a_view("browser", replicas=(a_replica("a-browser-1"), a_replica("a-browser-2")))
    return House(a_snapshot(a_record(a_decision("browser", a_step(2, 2), view=view))))


@pytest.mark.parametrize(
    ("action", "body", "expected"),
    [
        pytest.param("pause", None, {"kind": OrderKind.PAUSE, "direction": Direction.BOTH}, id="pause, as it is"),
        pytest.param("pause", {"direction": "up", "why": "the move"}, {"direction": Direction.UP, "why": "the move"}, id="pause up"),
        pytest.param("resume", {}, {"kind": OrderKind.RESUME}, id="resume"),
        pytest.param("scale", {"replicas": 0}, {"kind": OrderKind.SCALE, "replicas": 0}, id="scale to none"),
        pytest.param("scale", {"replicas": 3}, {"kind": OrderKind.SCALE, "replicas": 3}, id="scale"),
        pytest.param("drain", None, {"kind": OrderKind.DRAIN, "worker": ""}, id="drain the pool"),
        pytest.param("drain", {"worker": "a-browser-2"}, {"worker": "a-browser-2"}, id="drain one"),
        pytest.param("drain", {"worker": "celery@a-browser-2"}, {"worker": "a-browser-2"}, id="drain one by its node name"),
        pytest.param("wake", None, {"kind": OrderKind.WAKE, "tasks": 0}, id="wake"),
        pytest.param("wake", {"count": 12}, {"kind": OrderKind.WAKE, "tasks": 12}, id="wake with a count"),
    ],
)
def test_an_order_is_given(house: House, action: str, body: dict | None, expected: dict) -> None:
    """202, and the desk has the order, with who gave it."""
    answer = house.post(f"{POOL}/{action}", **({"json": body} if body is not None else {}))

    assert answer.status_code == 202, answer.text
    (order,) = house.orders
    assert {key: getattr(order, key) for key in expected} == expected
    assert (order.pool, order.by) == ("browser", "key0 (127.0.0.1)")
    assert answer.json()["orders"][0]["kind"] == order.kind


@pytest.mark.parametrize(("action", "more"), [("pause", {}), ("scale", {"replicas": 1}), ("drain", {})])
def test_an_order_ends_by_its_time(house: House, action: str, more: dict) -> None:
    """`for` is a duration with a unit; without it the order stands until it is resumed."""
    before = time.time()
    house.post(f"{POOL}/{action}", json={"for": "1h30m", **more})
    house.post(f"{POOL}/{action}", json=more)

    assert house.orders[0].until == pytest.approx(before + 5400, abs=5)
    assert house.orders[1].until is None


def test_a_wake_stands_for_a_while_only(house: House) -> None:
    """Nobody resumes a wake, so it ends by itself."""
    house.post(f"{POOL}/wake")

    assert house.orders[0].until == house.orders[0].at + WAKE_SECONDS


def test_who_asked_may_be_said(house: House) -> None:
    """A name in the body stands beside the token's, never instead of it, and cannot start a line of its own."""
    house.post(f"{POOL}/pause", json={"by": "anna\r\nroot", "why": "one\ntwo"})

    assert (house.orders[0].by, house.orders[0].why) == ("anna root (token key0, 127.0.0.1)", "one two")


@pytest.mark.parametrize(
    ("action", "body", "words"),
    [
        pytest.param("pause", b"{", "the body is not JSON", id="half a body"),
        pytest.param("pause", b"[" * 50_000, "the body is not JSON", id="a deep one"),
        pytest.param("pause", b"[]", "must be a JSON object", id="a list"),
        pytest.param("pause", b"\xff", "the body is not JSON", id="no text"),
        pytest.param("pause", {"until": 5}, "until: unknown key; there are why, by, for, direction", id="unknown key"),
        pytest.param("pause", {"for": 60}, "for: 60 is not how long an order can stand", id="a bare number"),
        pytest.param("pause", {"for": "60"}, "for: '60' is not how long an order can stand: write it like \"30s\"", id="no unit"),
        pytest.param("pause", {"for": ""}, "for: '' is not how long", id="nothing"),
        pytest.param("pause", {"for": "0s"}, "for: '0s' is not how long", id="no time at all"),
        pytest.param("pause", {"for": "1.5h"}, "for: '1.5h' is not how long", id="a fraction"),
        pytest.param("pause", {"for": "9999d"}, "for: '9999d' is not how long", id="too long"),
        pytest.param("pause", {"direction": "left"}, "direction: Input should be 'up', 'down' or 'both'", id="no direction"),
        pytest.param("pause", {"why": "x" * 201}, "why: String should have at most 200 characters", id="a novel"),
        pytest.param("scale", {}, "replicas: is missing", id="no count"),
        pytest.param("scale", {"replicas": -1}, "replicas: Input should be greater than or equal to 0", id="negative"),
        pytest.param("scale", {"replicas": 1.5}, "replicas: Input should be a valid integer", id="half a worker"),
        pytest.param("scale", {"replicas": True}, "replicas: Input should be a valid integer", id="a yes"),
        pytest.param("scale", {"replicas": "3"}, "replicas: Input should be a valid integer", id="text"),
        pytest.param("scale", {"replicas": 10**30}, "replicas: Input should be less than or equal to 10000", id="endless"),
        pytest.param("drain", {"worker": "a-browser-1", "for": "1h"}, "belongs to a drain of the whole pool", id="one worker for an hour"),
        pytest.param("wake", {"count": -1}, "count: Input should be greater than or equal to 0", id="negative wake"),
    ],
)
def test_a_mistake_is_told_in_words(house: House, action: str, body: object, words: str) -> None:
    """400, and nothing is ordered."""
    content = {"content": body, "headers": {"content-type": "application/json"}} if isinstance(body, bytes) else {"json": body}
    answer = house.post(f"{POOL}/{action}", **content)

    assert (answer.status_code, house.orders) == (400, [])
    assert words in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/api/v1/pools/nobody/pause", "there is no pool 'nobody'; configured are: browser"),
        (f"{POOL}/drain", "browser has no worker 'x'; it has: a-browser-1, a-browser-2"),
    ],
)
def test_what_does_not_exist_is_named(house: House, path: str, words: str) -> None:
    """404 says what there is."""
    answer = house.post(path, json={"worker": "x"} if path.endswith("drain") else {})

    assert (answer.status_code, answer.json()["error"], house.orders) == (404, words, [])


def test_an_order_that_cannot_be_kept_was_not_taken(house: House) -> None:
    """503 with the reason."""
    house.desk_error = "the order was not taken, because it cannot be written"
    answer = house.post(f"{POOL}/pause")

    assert (answer.status_code, answer.json()["error"]) == (503, house.desk_error)


@pytest.mark.parametrize("action", ["pause", "resume", "scale", "drain", "wake"])
def test_every_action_needs_a_token(house: House, action: str) -> None:
    """401 without one, 403 where none is configured, 415 for a body that is not JSON."""
    assert house.post(f"{POOL}/{action}", token=None).status_code == 401
    assert house.post(f"{POOL}/{action}", headers={"content-type": "text/plain"}, content=b"{}").status_code == 415
    house.tokens = ()
    assert house.post(f"{POOL}/{action}").status_code == 403
    assert house.orders == []


def test_a_producer_may_wake_and_nothing_else(house: House) -> None:
    """Its token opens one door; the other tokens open that one, too."""
    house.wake_tokens = ("producer-token",)
    actions = ("wake", "pause", "resume", "scale", "drain")

    assert [house.post(f"{POOL}/{action}", token="producer-token").status_code for action in actions] == [202, 401, 401, 401, 401]
    assert house.post("/-/reload", token="producer-token").status_code == 401
    assert house.post(f"{POOL}/wake").status_code == 202
    assert [order.by for order in house.orders] == ["producer (127.0.0.1)", "key0 (127.0.0.1)"]


def test_a_flood_of_wakes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """429 with the time to wait, to that address alone; the pool is being woken all the same."""
    monkeypatch.setattr(orders, "WAKES_PER_SECOND", 0.01)
    house = House()
    codes = [house.post(f"{POOL}/wake").status_code for _ in range(WAKES_AT_ONCE + 2)]
    refused = house.post(f"{POOL}/wake")

    assert codes == [202] * WAKES_AT_ONCE + [429] * 2
    assert int(refused.headers["retry-after"]) in range(90, 101)
    assert house.post(f"{POOL}/wake", client=("192.0.2.1", 4321)).status_code == 202


def test_producers_wake_by_queue(house: House) -> None:
    """The pools of these queues are woken with all that their queues were sent; a queue of nobody is no mistake."""
    policies = house.snapshot.policies
    pools = {"media": PoolPolicy("media", ("video", "audio"), 0, 4, slots=1), "mail": PoolPolicy("mail", ("mail",), 0, 4, slots=1)}
    house.snapshot = replace(house.snapshot, policies=replace(policies, pools=pools))
    house.wake_tokens = ("producer-token",)

    answer = house.post("/api/v1/wake", token="producer-token", json={"queues": {"video": 5, "audio": 7, "else\nwhere": 1}})

    assert (answer.status_code, answer.json()["pools"], answer.json()["unknown"]) == (202, {"media": 12}, ["else where"])
    (order,) = house.orders
    assert (order.kind, order.pool, order.tasks, order.until) == (OrderKind.WAKE, "media", 12, order.at + WAKE_SECONDS)
    assert house.post("/api/v1/wake", json={"queues": {"x": 1}}).json()["pools"] == {}
    assert house.post("/api/v1/wake", token=None, json={"queues": {"video": 1}}).status_code == 401
    assert house.post("/api/v1/wake", json={"queues": {}}).status_code == 400
    assert len(house.orders) == 1


def test_a_reload_is_kept_with_who_and_why(house: House) -> None:
    """It stands in the history like every order."""
    assert house.post("/-/reload", json={"why": "new limits", "by": "anna"}).status_code == 202
    assert house.reloaded_by == "anna (token key0, 127.0.0.1)"


# ---------------------------------------------------------------- what is told


def narrow(house: House, **changes) -> None:
    """The pool with bounds from 1 to 4, under a cap of 3 where that is said."""
    assert house.snapshot
    policies = house.snapshot.policies
    policy = PoolPolicy("browser", ("browser",), 1, 4, slots=1)
    house.snapshot = replace(house.snapshot, policies=replace(policies, pools={"browser": policy}), **changes)


@pytest.mark.parametrize(
    ("action", "body", "note"),
    [
        ("scale", {"replicas": 9}, "replicas.max is 4, so no more than 4 run"),
        ("scale", {"replicas": 0}, "replicas.min is 1, so 1 stay"),
        ("drain", {}, "replicas.min is 1, so 1 stay"),
    ],
)
def test_bounds_are_mentioned(house: House, action: str, body: dict, note: str) -> None:
    """Who orders more than the configuration allows is told so at once."""
    narrow(house)

    assert house.post(f"{POOL}/{action}", json=body).json()["notes"] == [note]


def test_a_dry_run_is_mentioned(house: House) -> None:
    """An order to a daemon that changes nothing changes nothing."""
    narrow(house, dry_run=True)

    assert house.post(f"{POOL}/pause").json()["notes"] == ["dry run: it changes what is decided, and nothing is done"]


def test_a_wake_of_a_paused_pool_says_so(house: House) -> None:
    """A producer that wonders why nothing starts finds it in the answer."""
    pause = Order(OrderKind.PAUSE, "browser", NOW, "anna", why="the move")
    record = house.snapshot.record
    house.snapshot = replace(house.snapshot, record=replace(record, observation=replace(record.observation, orders={"browser": (pause,)})))

    assert house.post(f"{POOL}/wake").json()["notes"] == ["nothing is started: browser is paused by anna: the move"]


def test_orders_are_listed(house: House) -> None:
    """What stands, and what the journal has, of one pool or of all."""
    house.post(f"{POOL}/pause", json={"for": "1h"})
    house.rows = [{"id": 1, "told": "paused by anna"}]
    answer = house.get("/api/v1/orders?pool=browser&limit=7").json()

    assert answer["given"] == house.rows
    assert [order["kind"] for order in answer["standing"]] == ["pause"]
    assert house.asked == [("orders", "browser", 7)]
    house.rows = []
    assert house.get("/api/v1/orders?pool=nobody").status_code == 404


def test_the_status_has_the_orders_of_the_last_tick(house: House) -> None:
    """So that everybody who looks sees that somebody holds the pool."""
    pause = Order(OrderKind.PAUSE, "browser", NOW, "anna", until=NOW + 60, direction=Direction.UP)
    house.snapshot = a_snapshot(a_record(a_decision("browser", view=a_view("browser", orders=(pause,)))))
    (pool,) = house.get("/api/v1/status").json()["pools"]

    assert [(o["kind"], o["direction"], o["by"], o["until"]) for o in pool["orders"]] == [("pause", "up", "anna", NOW + 60)]


def test_the_token_is_not_in_the_answer(house: House) -> None:
    """Its name is."""
    assert TOKEN not in house.post(f"{POOL}/pause").text
