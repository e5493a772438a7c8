"""What the window answers, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from telling import NOW, a_decision, a_record, a_snapshot, a_source, a_step
from window import TOKEN, House

from autoscaler.report.redact import redactor
from autoscaler.web.assets import FOLDER
from autoscaler.web.guard import LARGEST_BODY, LONGEST_PATH

DOCS = Path(__file__).parents[2] / "docs" / "http-api.md"
GETS = [
    "/",
    "/page/page.js",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/v1/status",
    "/api/v1/pools/browser",
    "/api/v1/pools/browser/decisions",
    "/api/v1/history",
    "/api/v1/targets",
]
"""An address of every route that is only read and comes to an end; /api/v1/events does not, see test_stream.py."""


@pytest.fixture
def house() -> House:
    """The application with one pool behind it."""
    return House()


def test_every_get_answers(house: House) -> None:
    """All that can be read is there."""
    assert {path: house.get(path).status_code for path in GETS} == dict.fromkeys(GETS, 200)


def test_every_route_is_listed_and_documented(house: House) -> None:
    """The foot of the page and docs/http-api.md name exactly the routes that there are."""
    routes = {(next(iter(r.methods - {"HEAD"})), r.path.replace(":path", "")) for r in house.app.routes}
    described = set(re.findall(r"^### `(GET|POST) ([^`?]+)", DOCS.read_text(), re.MULTILINE))
    listed = set(re.findall(r"<dt>(?:<a[^>]*>)?(GET|POST) ([^<]+)<", (FOLDER / "index.html").read_text()))

    assert listed | {("GET", "/")} == routes
    assert described == routes


@pytest.mark.parametrize("alive", [True, False])
def test_health_is_that_of_the_loop(house: House, alive: bool) -> None:
    """200 while it ticks, 503 when it does not, with words; no neighbour is asked."""
    house.alive = (alive, "the last tick ended 99 s ago")
    house.snapshot, house.journal_error = None, "disk gone"
    answer = house.get("/healthz")

    assert answer.status_code == (200 if alive else 503)
    assert answer.json() == {"alive": alive, "detail": "the last tick ended 99 s ago"}


def test_readiness_waits_for_the_first_tick(house: House) -> None:
    """503 with what is missing, then 200, also when that tick saw nothing."""
    house.snapshot = a_snapshot()
    before = house.get("/readyz")
    house.snapshot = a_snapshot(a_record(sources=(a_source(up=False),)))

    assert (before.status_code, before.json()["missing"]) == (503, ["the first tick is not over yet"])
    assert house.get("/readyz").status_code == 200


def test_metrics_pass_the_accept_header_and_do_not_redirect(house: House) -> None:
    """The page comes from exactly one address, in the format that the scraper prefers."""
    answer = house.get("/metrics", headers={"accept": "application/openmetrics-text"})

    assert answer.text == "accept=application/openmetrics-text\n"
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert house.get("/metrics/").status_code == 404


def test_decisions_come_from_the_journal(house: House) -> None:
    """With the limit that was asked for, 50 by default, and older ones after the last id that was read."""
    house.rows = [{"id": 1, "why": "browser 0 -> 2"}]

    assert house.get("/api/v1/pools/browser/decisions").json() == {"pool": "browser", "decisions": house.rows}
    house.get("/api/v1/pools/browser/decisions?limit=7")
    house.get("/api/v1/pools/browser/decisions?before=812")
    assert house.asked == [("decisions", "browser", 50, None), ("decisions", "browser", 7, None), ("decisions", "browser", 50, 812)]


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "ten", "", "1e3", "٣", "9" * 50])
def test_a_bad_limit_is_refused_with_words(house: House, limit: str) -> None:
    """400 says what may stand there."""
    answer = house.get("/api/v1/pools/browser/decisions", params={"limit": limit})

    assert answer.status_code == 400
    assert "limit must be a whole number from 1 to 1000" in answer.json()["error"]


def test_history_is_by_pool(house: House) -> None:
    """One pool or all, since a time."""
    house.rows = [{"at": NOW, "backlog": None}]
    house.snapshot = a_snapshot(None, "browser", "reports")

    assert house.get("/api/v1/history?since=1000").json() == {"since": 1000.0, "pools": {"browser": house.rows, "reports": house.rows}}
    assert list(house.get("/api/v1/history?pool=reports").json()["pools"]) == ["reports"]


@pytest.mark.parametrize("query", ["since=yesterday", "since=nan", "since=inf", "limit=0"])
def test_a_bad_history_question_is_refused(house: House, query: str) -> None:
    """400 with words, and the journal is not asked."""
    assert house.get(f"/api/v1/history?{query}").status_code == 400
    assert house.asked == []


@pytest.mark.parametrize("path", ["/api/v1/pools/nobody", "/api/v1/pools/nobody/decisions", "/api/v1/history?pool=nobody"])
def test_an_unknown_pool_is_named(house: House, path: str) -> None:
    """404 says which pools there are."""
    answer = house.get(path)

    assert answer.status_code == 404
    assert answer.json()["error"] == "there is no pool 'nobody'; configured are: browser"


def test_an_unreadable_journal_is_not_an_empty_one(house: House) -> None:
    """503 with the reason, never an empty list."""
    house.journal_error = "the journal cannot be read: disk I/O error"
    answer = house.get("/api/v1/pools/browser/decisions")

    assert (answer.status_code, answer.json()) == (503, {"error": house.journal_error})


def test_targets_are_for_prometheus(house: House) -> None:
    """The format of HTTP service discovery: a list of targets with labels."""
    house.snapshot = a_snapshot(metrics_targets={"browser": ("a-browser-1:9100", "a-browser-2:9100"), "reports": ()})

    assert house.get("/api/v1/targets").json() == [{"targets": ["a-browser-1:9100", "a-browser-2:9100"], "labels": {"pool": "browser"}}]


def test_before_the_configuration_is_loaded_status_says_so(house: House) -> None:
    """503 with words instead of an error."""
    house.snapshot = None

    assert house.get("/api/v1/status").status_code == 503
    assert house.get("/api/v1/targets").json() == []


# ---------------------------------------------------------------- changes


def test_reload_is_noted(house: House) -> None:
    """202: the next tick does it."""
    assert house.post("/-/reload").status_code == 202
    assert house.reloads == 1


@pytest.mark.parametrize("tokens", [(), ("",)], ids=["none", "an empty one"])
def test_without_a_configured_token_every_change_is_refused(house: House, tokens: tuple[str, ...]) -> None:
    """403 says what to set; an empty token file opens nothing."""
    house.tokens = tokens
    answer = house.post("/-/reload", token="")

    assert answer.status_code == 403
    assert "api.token_file" in answer.json()["error"]
    assert house.reloads == 0


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN + "x", TOKEN[:-1], "ü"])
def test_a_wrong_token_is_refused(house: House, token: str | None) -> None:
    """401 with the scheme that is wanted; nothing happens."""
    answer = house.ask("POST", "/-/reload", headers=[] if token is None else [(b"authorization", f"Bearer {token}".encode())])

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert house.reloads == 0


def test_tokens_can_be_rotated(house: House) -> None:
    """Each of several tokens opens."""
    house.tokens = ("old-token", TOKEN)

    assert [house.post("/-/reload", token=t).status_code for t in house.tokens] == [202, 202]


def test_the_token_is_asked_for_before_the_body(house: House) -> None:
    """Nobody without a token makes us read 64 KB."""
    assert house.post("/-/reload", token="wrong", content=b"x" * (LARGEST_BODY + 1)).status_code == 401


def test_a_body_must_be_json(house: House) -> None:
    """A form of another site's page cannot be one."""
    assert house.post("/-/reload", content=b"a=1").status_code == 415
    assert house.post("/-/reload", json={}).status_code == 202


def test_a_page_of_another_site_is_refused(house: House) -> None:
    """Even with the token: our own page has our own origin."""
    assert house.post("/-/reload", headers={"origin": "http://evil.example"}).status_code == 403
    assert house.post("/-/reload", headers={"origin": "http://test"}).status_code == 202


def test_a_get_changes_nothing(house: House) -> None:
    """The changing address answers 405 to anything but POST."""
    answer = house.get("/-/reload", headers={"authorization": f"Bearer {TOKEN}"})

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert house.reloads == 0


# ---------------------------------------------------------------- the guard


@pytest.mark.parametrize("path", ["/", "/api/v1/status", "/nowhere", "/-/reload", "/metrics"])
def test_every_answer_carries_safe_headers(house: House, path: str) -> None:
    """Pages and errors alike."""
    headers = house.get(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "server" not in headers


@pytest.mark.parametrize(("path", "code"), [("/nowhere", 404), ("/%2e%2e/etc/passwd", 404), ("/api/v1/pools/%00", 404)])
def test_errors_are_json_with_words(house: House, path: str, code: int) -> None:
    """Never a stack trace or a page of HTML."""
    answer = house.get(path)

    assert answer.status_code == code
    assert answer.json()["error"]


def test_a_long_address_is_refused(house: House) -> None:
    """414 before anything looks at it."""
    assert house.get("/" + "a" * LONGEST_PATH).status_code == 414


def test_a_large_body_is_refused(house: House) -> None:
    """413, whoever sends it."""
    answer = house.post("/-/reload", headers={"content-type": "application/json"}, content=b"x" * (LARGEST_BODY + 1))

    assert answer.status_code == 413
    assert house.reloads == 0


def test_a_bug_is_an_answer_too(house: House) -> None:
    """500 as JSON, without the exception's text."""
    house.snapshot = "not a snapshot"
    answer = house.get("/api/v1/status")

    assert (answer.status_code, answer.json()) == (500, {"error": "this is a bug: the log says more"})


def test_requests_are_counted_by_route(house: House) -> None:
    """By the template of the route, so that addresses of an attacker make no series."""
    for path in ("/healthz", "/api/v1/pools/browser", "/api/v1/pools/nobody", "/x/y"):
        house.get(path)

    assert house.counted == [
        ("/healthz", "GET", 200),
        ("/api/v1/pools/{pool}", "GET", 200),
        ("/api/v1/pools/{pool}", "GET", 404),
        ("other", "GET", 404),
    ]


def test_no_secret_leaves(house: House) -> None:
    """An error text of a neighbour that holds a configured secret is shown without it."""
    redactor.learn(["web-canary-secret"])
    step = a_step(0, 0, because="cannot reach redis://:web-canary-url@h with web-canary-secret")
    house.snapshot = a_snapshot(a_record(a_decision("browser", step), sources=(a_source(up=False, detail="web-canary-secret"),)))

    assert "canary" not in house.get("/api/v1/status").text + house.get("/api/v1/pools/browser").text
