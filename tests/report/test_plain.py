"""The nouns as JSON, and Memory back."""

from __future__ import annotations

import json
import math

import pytest
from telling import NOW, a_record

from autoscaler.model import ActionKind, Drain, Known, Memory, PoolMemory, Stale, Unknown
from autoscaler.report.plain import memory_from_json, memory_to_json, to_json, to_plain

FULL = Memory(
    {
        "browser": PoolMemory(
            recommendations=((NOW - 5, 3), (NOW, 2)),
            last_up=NOW - 9,
            waiting_since=NOW - 2,
            drains=(Drain("a-browser-1", NOW - 3, "idle", was_idle=True),),
            ready=("a-browser-1", "a-browser-2"),
            pending=(("a-browser-3", NOW),),
            failures=2,
            backoff_until=NOW + 20,
            desired=2,
        ),
        "reports": PoolMemory(),
    }
)


@pytest.mark.parametrize(
    ("reading", "kind"),
    [(Known(0, NOW, "flower"), "known"), (Stale(3, NOW, "flower", "old"), "stale"), (Unknown("no answer"), "unknown")],
)
def test_a_reading_says_its_kind(reading, kind: str) -> None:
    """Nobody who reads the JSON can take "cannot say" for zero."""
    assert to_plain(reading)["kind"] == kind


def test_an_unknown_reading_has_no_value() -> None:
    """What was not seen has no number at all, not even null under a name that means a number."""
    assert "value" not in to_plain(Unknown("no answer"))


def test_a_whole_record_is_json() -> None:
    """Everything in a record, enums and nested tuples included, becomes JSON's own types."""
    record = a_record()

    assert json.loads(to_json(record)) == to_plain(record)
    assert to_plain(ActionKind.START) == "start"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_lacks_become_null(number: float) -> None:
    """NaN and infinity would make the text unreadable for others."""
    assert to_json({"n": number}) == '{"n":null}'


def test_memory_survives_the_journey() -> None:
    """What a restart reads back is exactly what was remembered."""
    assert memory_from_json(memory_to_json(FULL)) == FULL


@pytest.mark.parametrize("last_up", [NOW, 0.1 + 0.2, 1e300, math.nan, -math.inf])
def test_memory_has_one_text(last_up: float) -> None:
    """The quick way to write it, of every tick, gives the text that the plain way gives."""
    memory = Memory({"browser": PoolMemory(last_up=last_up), **FULL.pools})

    assert json.loads(memory_to_json(memory)) == json.loads(to_json(memory))


def test_memory_of_a_newer_version_is_read() -> None:
    """Keys that this version does not know are no reason to forget the others."""
    plain = to_plain(FULL)
    plain["pools"]["browser"]["mood"] = "good"

    assert memory_from_json(json.dumps(plain)) == FULL


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="cut off"),
        pytest.param("[]", id="not a mapping"),
        pytest.param("[" * 100_000, id="too deep"),
        pytest.param('{"pools": {"p": {"failures": "2"}}}', id="text for a number"),
        pytest.param('{"pools": {"p": {"drains": [{"replica": "r"}]}}}', id="half a drain"),
        pytest.param('{"pools": {"p": {"recommendations": [[1.0]]}}}', id="half a pair"),
        pytest.param('{"pools": {"p": {"last_up": NaN}}}', id="not a number"),
        pytest.param('{"pools": {"p": {"last_up": 1e999}}}', id="infinity in disguise"),
    ],
)
def test_anything_else_is_no_memory(text: str) -> None:
    """Half a memory could let a drain be forgotten, so none of it is used."""
    assert memory_from_json(text) is None
