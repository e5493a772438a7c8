"""Whose an unacknowledged message is, from the bytes that kombu stores."""

from __future__ import annotations

import json

import pytest

from autoscaler.sources.broker_unacked import Binding, Route, binding, count, exchanges, route

SEP = "\x06\x16"
TOPIC = Binding("media.audio.*", r"^media\.audio\.[^\.]+$", "audio")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param(b'[{"body": "x"}, "", "celery"]', Route("", "celery"), id="default exchange"),
        pytest.param(b'[{"body": "x"}, null, "celery"]', Route("", "celery"), id="no exchange"),
        pytest.param(b'[{"body": "x"}, "media", "media.video.hd"]', Route("media", "media.video.hd"), id="named exchange"),
        pytest.param(b'[{"body": "x"}, "", ""]', None, id="no routing key"),
        pytest.param(b'[{"body": "x"}, "", null]', None, id="null routing key"),
        pytest.param(b'[{"body": "x"}, 1, "celery"]', None, id="exchange is a number"),
        pytest.param(b'{"body": "x"}', None, id="another shape"),
        pytest.param(b'["short"]', None, id="too short"),
        pytest.param(b"7", None, id="a number"),
        pytest.param(b"\xff\xfe", None, id="no text"),
        pytest.param(b"[" * 100_000, None, id="nested without end"),
    ],
)
def test_reads_where_a_message_was_sent(entry: bytes, expected: Route | None) -> None:
    """What cannot be read is unknown, not an error."""
    assert route(entry) == expected


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        pytest.param(SEP.join(("letters", "", "mail")), Binding("letters", "", "mail"), id="direct"),
        pytest.param(SEP.join((TOPIC.routing_key, TOPIC.pattern, "audio")), TOPIC, id="topic"),
        pytest.param("letters", None, id="no separators"),
        pytest.param(SEP.join(("a", "(", "q")), None, id="pattern that is none"),
    ],
)
def test_reads_a_binding(member: str, expected: Binding | None) -> None:
    """A member of an exchange's set is a routing key, a pattern and a queue."""
    assert binding(member.encode(), SEP) == expected


@pytest.mark.parametrize(
    ("routes", "unread", "expected"),
    [
        pytest.param([], False, {"audio": 0, "mail": 0}, id="none"),
        pytest.param([Route("", "mail")] * 3, False, {"audio": 0, "mail": 3}, id="the routing key is the queue"),
        pytest.param([Route("media", "media.audio.mp3")], False, {"audio": 1, "mail": 0}, id="by the pattern of a topic"),
        pytest.param([Route("", "someone.else")] * 9, False, {"audio": 0, "mail": 0}, id="other apps' messages are theirs"),
        pytest.param([Route("media", "media.video.hd")], False, {"audio": 1, "mail": 1}, id="no binding takes it"),
        pytest.param([Route("lost", "mail")], False, {"audio": 1, "mail": 1}, id="exchange without bindings"),
        pytest.param([None, None, Route("", "mail")], False, {"audio": 1, "mail": 1}, id="unreadable ones count once"),
        pytest.param([Route("", "mail")] * 3, True, {"audio": 1, "mail": 3}, id="some were left unread"),
    ],
)
def test_forgets_no_message(routes: list[Route | None], unread: bool, expected: dict[str, int]) -> None:
    """A message of unknown queue may be any queue's, so each has at least one."""
    assert count(routes, {"media": [TOPIC]}, ["audio", "mail"], unread) == expected


def test_asks_for_each_named_exchange_once() -> None:
    """The default exchange has no bindings to read."""
    assert exchanges([Route("", "a"), Route("media", "b"), Route("media", "c"), None]) == ("media",)


def test_reads_what_kombu_writes() -> None:
    """The JSON of kombu itself is understood, whatever the body is."""
    raw = {"body": "gAJ9", "headers": {"id": "1"}, "properties": {"delivery_info": {"exchange": "", "routing_key": "q"}}}
    assert route(json.dumps([raw, "", "q"]).encode()) == Route("", "q")
