"""What a certificate, an address and INFO mean."""

from __future__ import annotations

import pytest

from autoscaler.sources.broker_verdicts import certificate, judge, without_tls

NOW = 1_795_219_200.0  # 2026-11-21


def judged(billed: bool = False, budget: bool = False, **told: object) -> dict[str, tuple[str, str]]:
    """Step -> verdict and words about a server that says this."""
    info = "".join(f"{key}:{value}\r\n" for key, value in told.items()).encode()
    return {each.step: (each.verdict, each.text) for each in judge(b"# Server\r\n" + info, billed=billed, budget=budget)}


@pytest.mark.parametrize(
    ("told", "step", "verdict", "words"),
    [
        ({"redis_version": "7.2.4"}, "version", "ok", "Redis 7.2.4"),
        ({"redis_version": "5.0.14"}, "version", "warning", "gets no fixes"),
        ({"used_memory": 90, "maxmemory": 100}, "memory", "warning", "90% of"),
        ({"used_memory": 2**27, "maxmemory": 2**28}, "memory", "ok", "50% of 256m used"),
        ({"maxmemory_policy": "volatile-lru", "maxmemory": 1}, "eviction", "ok", "queues stay"),
        ({"connected_clients": 90, "maxclients": 100}, "connections", "warning", "90 of 100: beyond that nobody is let in"),
    ],
)
def test_what_a_server_tells(told: dict, step: str, verdict: str, words: str) -> None:
    """One line decides; what is left out is no trouble."""
    found = judged(**told)

    assert list(found) == [step]
    assert found[step][0] == verdict
    assert words in found[step][1]


def test_a_host_that_bills_wants_a_budget() -> None:
    """Only a known one, and only while none is given."""
    assert judged(billed=True)["quota"][0] == "warning"
    assert "add budget: 500000/month" in judged(billed=True, total_commands_processed=7)["quota"][1]
    assert judged(billed=True, budget=True, total_commands_processed=7)["quota"] == (
        "ok",
        "not used up; 7 commands served since its start",
    )
    assert "quota" not in judged()


@pytest.mark.parametrize(
    ("until", "verdict", "words"),
    [("Dec  1 00:00:00 2026 GMT", "warning", "over in 10 days"), ("Nov 21 00:00:00 2027 GMT", "ok", "for 365 more days")],
)
def test_a_certificate_that_ends_soon(until: str, verdict: str, words: str) -> None:
    """Two weeks are enough to renew it."""
    (found,) = certificate({"notAfter": until}, NOW)

    assert found.verdict == verdict
    assert words in found.text


def test_a_certificate_that_nobody_looks_at() -> None:
    """Encryption without knowing to whom."""
    assert "ssl_cert_reqs=none" in certificate({}, NOW)[0].text


@pytest.mark.parametrize(("host", "verdict"), [("redis", "ok"), ("10.1.2.3", "ok"), ("us1-cat.upstash.io", "warning")])
def test_a_plain_connection_to_far_away(host: str, verdict: str) -> None:
    """Within one's own network it is usual, beyond it everybody between reads along."""
    assert without_tls(host)[0].verdict == verdict
