"""A broker on trial, step by step, on real Redis servers: with a password, behind TLS, full, read-only, and not there at all."""

from __future__ import annotations

import asyncio
import datetime
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
import trustme
from live import a_redis, free_port
from tls_front import tls_front

from autoscaler.config.models import BrokerSettings
from autoscaler.sources.broker_trial import trials
from autoscaler.sources.broker_verdicts import Trial

PASSWORD, WRITTEN = "p@ss:w0rd/secret", "p%40ss%3Aw0rd%2Fsecret"


@dataclass
class Servers:
    """A Redis with a password, as it is and behind TLS."""

    port: int
    tls: int
    """Its certificate is for `localhost`, signed by `ca`."""
    tls_of_another: int
    tls_expired: int
    ca: str

    @property
    def client(self) -> redis.Redis:
        """Somebody who may do everything."""
        return redis.Redis(port=self.port, password=PASSWORD)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Started once: no test changes anything."""
    home = tmp_path_factory.mktemp("trial")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(home / "ca.pem"))
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    with a_redis(home, "--requirepass", PASSWORD) as url:
        port = urlsplit(url).port
        with (
            tls_front(port, authority.issue_cert("localhost")) as tls,
            tls_front(port, authority.issue_cert("elsewhere.example.com")) as other,
            tls_front(port, authority.issue_cert("localhost", not_before=past - datetime.timedelta(days=9), not_after=past)) as expired,
        ):
            made = Servers(port, tls, other, expired, str(home / "ca.pem"))
            with made.client as client:
                client.execute_command("ACL", "SETUSER", "reader", "on", ">p", "~*", "&*", "+@all", "-lpush")
                client.execute_command("ACL", "SETUSER", "shy", "on", ">p", "~*", "&*", "+@all", "-info")
            yield made


def tried(url: str, **more: object) -> list[Trial]:
    """All findings about a broker at this address."""

    async def collect() -> list[Trial]:
        return [each async for each in trials(BrokerSettings(name="primary", url=url, timeout="1s", **more))]

    return asyncio.run(collect())


def told(found: list[Trial]) -> dict[str, str]:
    """Verdict by step."""
    return {each.step: each.verdict for each in found}


STEPS = ["dns", "tcp", "tls", "certificate", "login", "ping", "commands", "version", "eviction", "connections", "quota"]


def test_a_good_broker_passes_every_step(servers: Servers) -> None:
    """TLS with an authority of its own, a password with every awkward character; nothing is left behind, and nothing shows the password."""
    found = tried(f"rediss://:{WRITTEN}@localhost:{servers.tls}/0?ssl_ca_certs={servers.ca}")

    assert told(found) == dict.fromkeys(STEPS, "ok")
    assert not any(secret in each.text for each in found for secret in (PASSWORD, WRITTEN))
    with servers.client as client:
        assert client.dbsize() == 0


@pytest.mark.parametrize(
    ("url", "step", "words"),
    [
        pytest.param("redis://nowhere.invalid:6379", "dns", "nowhere.invalid has no address", id="no such name"),
        pytest.param("redis://127.0.0.1:{free}", "tcp", "refuses connections: is Redis running", id="nobody listens"),
        pytest.param("rediss://:{password}@localhost:{tls}", "tls", "add ?ssl_ca_certs=/path/ca.pem", id="unknown authority"),
        pytest.param("rediss://:{password}@localhost:{other}?ssl_ca_certs={ca}", "tls", "is not for localhost", id="another's certificate"),
        pytest.param("rediss://:{password}@localhost:{expired}?ssl_ca_certs={ca}", "tls", "has expired: have it renewed", id="expired"),
        pytest.param("rediss://:{password}@localhost:{tls}?ssl_ca_certs=/no/ca.pem", "tls", "certificate file", id="no such authority"),
        pytest.param("rediss://:{password}@localhost:{port}", "tls", "write redis://", id="TLS to a plain port"),
        pytest.param("redis://:{password}@localhost:{tls}", "login", "does it want TLS (rediss://)", id="plain to a TLS port"),
        pytest.param("redis://localhost:{port}", "login", "asks for a password, and the url has none", id="no password"),
        pytest.param("redis://:{password}x@localhost:{port}", "login", "check user and password", id="wrong password"),
        pytest.param("redis://:{password}@localhost:{port}/99", "login", "no database of this number", id="no such database"),
        pytest.param("redis://reader:p@localhost:{port}", "commands", "may not use LPUSH", id="no permission to write"),
    ],
)
def test_the_step_that_fails_says_what_to_do(servers: Servers, url: str, step: str, words: str) -> None:
    """It is the last one, and no text carries the password, in neither spelling."""
    places = {"port": servers.port, "tls": servers.tls, "other": servers.tls_of_another, "expired": servers.tls_expired}
    found = tried(url.format(free=free_port(), password=WRITTEN, ca=servers.ca, **places))

    assert {name: verdict for name, verdict in told(found).items() if verdict == "failed"} == {step: "failed"}
    assert found[-1].step == step
    assert words in found[-1].text
    assert not any(secret in each.text for each in found for secret in (PASSWORD, WRITTEN))


def test_a_user_who_may_not_ask_for_the_state_is_told(servers: Servers) -> None:
    """Workers do not need it, so it is no failure."""
    found = tried(f"redis://shy:p@localhost:{servers.port}")

    assert found[-1] == Trial("server", "warning", "does not let its user ask INFO: memory, eviction and version cannot be checked")


@pytest.mark.parametrize(
    ("options", "step", "verdict", "words"),
    [
        pytest.param(("--replicaof", "127.0.0.1", "1"), "commands", "failed", "give the address of the primary", id="a replica"),
        pytest.param(("--maxmemory", "1"), "commands", "failed", "is full and refuses new tasks", id="full"),
        pytest.param(
            ("--maxmemory", "900mb", "--maxmemory-policy", "allkeys-lru"), "eviction", "failed", "whole queues are dropped", id="evicting"
        ),
        pytest.param(("--maxmemory-policy", "allkeys-random"), "eviction", "warning", "as soon as maxmemory is set", id="might evict"),
    ],
)
def test_a_broker_that_would_lose_or_refuse_tasks(tmp_path: Path, options: tuple[str, ...], step: str, verdict: str, words: str) -> None:
    """It answers reads like any other; only what a worker would do shows it."""
    with a_redis(tmp_path, *options) as url:
        (found,) = [each for each in tried(url) if each.step == step]

    assert found.verdict == verdict
    assert words in found.text


def test_a_socket_has_no_network(tmp_path: Path) -> None:
    """The steps of a network are left out."""
    with a_redis(tmp_path, "--unixsocket", str(tmp_path / "s")):
        steps = list(told(tried(f"redis+socket://{tmp_path / 's'}")))

    assert steps[:3] == ["login", "ping", "commands"]


def test_a_spent_quota_is_told() -> None:
    """The provider lets everybody in and refuses every command."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            for _ in range(2):  # the first connection is that of the step before, which says nothing
                line, _ = server.accept()
                with line:
                    if line.recv(1000):
                        line.sendall(b"-ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        found = tried(f"redis://127.0.0.1:{server.getsockname()[1]}")
        thread.join()

    assert (found[-1].step, found[-1].verdict) == ("login", "failed")
    assert "has used up its quota" in found[-1].text


def test_whoever_never_answers_is_given_up() -> None:
    """A port that accepts and is silent costs the deadline."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = tried(f"redis://127.0.0.1:{silent.getsockname()[1]}")

    assert (found[-1].step, found[-1].verdict) == ("login", "failed")
    assert "no answer within 1 s" in found[-1].text
