"""Attacks on the API, each as its author would mount it; docs/security.md tells the figures."""

from __future__ import annotations

import asyncio
import hmac
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from telling import a_decision, a_record, a_snapshot
from window import TOKEN, House

from autoscaler.web import guard, limits, server, stream, tokens
from autoscaler.web.server import Server

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
PAUSE = "/api/v1/pools/browser/pause"


@pytest.fixture
def house() -> House:
    """The application with one pool behind it."""
    return House()


@pytest.fixture
def served(house: House) -> Iterator[Server]:
    """It, on a real socket."""
    made = Server(house.app, "127.0.0.1:0")
    made.start()
    yield made
    made.stop()


def healthz(served: Server) -> int:
    """What a probe hears."""
    return httpx.get(f"http://127.0.0.1:{served.port}/healthz", timeout=10, trust_env=False).status_code


# ---------------------------------------------------------------- slow clients


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-a: "], ids=["silent", "half a head"])
def test_half_open_connections(served: Server, begun: bytes) -> None:
    """300 of them, and then twice as many as there are places: a probe is answered throughout."""
    clients: list[socket.socket] = []
    for number in range(2 * server.MOST_CONNECTIONS):
        client = socket.create_connection(("127.0.0.1", served.port), timeout=5)
        clients.append(client)
        client.sendall(begun)
        if number in (300, 2 * server.MOST_CONNECTIONS - 1):
            assert healthz(served) == 200
    for client in clients:
        client.close()


def test_slow_bodies(served: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty bodies that drip a byte at a time, with the right token: each is given up at one deadline that no byte moves."""
    monkeypatch.setattr(guard, "BODY_SECONDS", 1.0)
    lines = (f"POST {PAUSE} HTTP/1.1", "Host: x", f"Authorization: Bearer {TOKEN}", "Content-Type: application/json", "Content-Length: 999")
    clients = [socket.create_connection(("127.0.0.1", served.port), timeout=10) for _ in range(50)]
    for client in clients:
        client.sendall("\r\n".join([*lines, "", ""]).encode())

    assert healthz(served) == 200
    assert [dripped(client) for client in clients] == [b"HTTP/1.1 408"] * len(clients)


def dripped(client: socket.socket) -> bytes:
    """What comes back while a byte is sent now and then."""
    client.settimeout(0.1)
    with client:
        for _ in range(300):
            try:
                client.sendall(b" ")
                return client.recv(12)
            except TimeoutError:
                continue
    return b"nothing"


def test_a_body_without_a_token_is_not_waited_for(served: Server) -> None:
    """401 at once: nobody without a token makes the server wait for bodies."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=5) as client:
        client.sendall(f"POST {PAUSE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n".encode())
        assert client.recv(12) == b"HTTP/1.1 401"


def test_listeners_are_bounded(served: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that stay open have a number of their own, so that probes always find a place."""
    monkeypatch.setattr(stream, "MOST_LISTENERS", 3)
    opened = [listening(served) for _ in range(3)]

    assert listening(served)[1] == b"HTTP/1.1 503"
    assert healthz(served) == 200
    assert [code for _, code in opened] == [b"HTTP/1.1 200"] * 3
    for client, _ in opened:
        client.close()


def listening(served: Server) -> tuple[socket.socket, bytes]:
    """One open page, and how it was greeted."""
    client = socket.create_connection(("127.0.0.1", served.port), timeout=10)
    client.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
    return client, client.recv(12)


# ---------------------------------------------------------------- guessing


def test_guessing_a_token(house: House) -> None:
    """Ten guesses, then silence, for the right one, too; somebody else is not kept out."""
    codes = [house.post(PAUSE, token=f"guess-{n}").status_code for n in range(12)]
    right = house.post(PAUSE)

    assert codes == [401] * tokens.GUESSES_AT_ONCE + [429] * 2
    assert (right.status_code, int(right.headers["retry-after"])) == (429, round(1 / tokens.GUESSES_PER_SECOND))
    assert house.post(PAUSE, client=("192.0.2.1", 1)).status_code == 202
    assert len(house.orders) == 1


def test_guessing_from_everywhere(house: House) -> None:
    """A guess from each of a thousand addresses: a hundred are heard; who had a right token before is still let in, others are not."""
    friend, stranger = ("192.0.2.1", 1), ("192.0.2.2", 1)
    assert house.post(PAUSE, client=friend).status_code == 202
    codes = [house.post(PAUSE, token="guess", client=(f"10.0.{n // 250}.{n % 250}", 1)).status_code for n in range(300)]

    assert codes.count(401) <= tokens.ALL_GUESSES_AT_ONCE + 60  # those that the seconds of the test let through
    assert codes[-1] == 429
    assert house.post(PAUSE, client=friend).status_code == 202
    assert house.post(PAUSE, client=stranger).status_code == 429


def test_a_network_of_addresses_is_one_guesser(house: House) -> None:
    """The owner of an IPv6 network has 18 quintillion addresses in it."""
    codes = [house.post(PAUSE, token="guess", client=(f"2001:db8::{n:x}", 1)).status_code for n in range(12)]

    assert codes[-1] == 429


def test_missing_tokens_are_no_guesses(house: House) -> None:
    """A page or a script that has none yet locks nobody out."""
    assert {house.post(PAUSE, token=None).status_code for _ in range(30)} == {401}
    assert house.post(PAUSE).status_code == 202


def test_who_guesses_is_remembered_within_bounds() -> None:
    """However many addresses guess, no more are kept than fit."""
    limit = limits.Limit(1.0, 0.001)
    for n in range(limits.MOST_ADDRESSES + 500):
        limit.take(str(n))

    assert len(limit._left) == limits.MOST_ADDRESSES
    assert limit.wait("0") == 0.0


def test_every_token_is_compared_whole(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of a refusal says nothing about how much of which token was right."""
    compared: list[bytes] = []
    honest = hmac.compare_digest
    monkeypatch.setattr(tokens.hmac, "compare_digest", lambda given, secret: compared.append(secret) or honest(given, secret))
    house.tokens = ("first-token", "second-token", "third-token")
    house.post(PAUSE, token="first-token")
    house.post(PAUSE, token="wrong")

    assert compared == [token.encode() for token in house.tokens] * 2


# ---------------------------------------------------------------- other sites


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8090",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "autoscaler.example.com.evil.example",
        "[evil.example]",
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/v1/status", "/metrics", "/api/v1/events", "/nothing"])
def test_dns_rebinding(house: House, host: str, path: str) -> None:
    """A name that its author has pointed here is refused before anything is told."""
    house.allowed_hosts = ("autoscaler.example.com",)
    answer = house.get(path, headers={"host": host})

    assert answer.status_code == 421
    assert "allowed_hosts" in answer.json()["error"]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8090",
        "[::1]:8090",
        "192.168.0.7",
        "localhost:8090",
        "autoscaler:8090",
        "host.docker.internal:8090",
        "Autoscaler.Example.COM",
        "a.b.test",
    ],
)
def test_our_own_names(house: House, host: str) -> None:
    """Addresses, names without a dot, and what the configuration allows."""
    house.allowed_hosts = ("autoscaler.example.com", "*.test")

    assert house.get("/api/v1/status", headers={"host": host}).status_code == 200


def test_probes_are_answered_under_any_name(house: House) -> None:
    """Whether the loop lives is no secret, and a probe must not depend on a list of names."""
    assert house.get("/healthz", headers={"host": "evil.example"}).status_code == 200


CROSS_SITE: dict[str, Callable[[House], httpx.Response]] = {
    "a form": lambda house: house.ask("POST", PAUSE, data={"direction": "both"}, headers={"origin": "https://evil.example"}),
    "a form as text": lambda house: house.ask(
        "POST", PAUSE, content=b'{"why": "', headers={"origin": "https://evil.example", "content-type": "text/plain"}
    ),
    "an image": lambda house: house.get(PAUSE),
    "a sandboxed frame, with a stolen token": lambda house: house.post(PAUSE, headers={"origin": "null"}),
    "fetch, with a stolen token": lambda house: house.post(PAUSE, headers={"origin": "https://evil.example"}),
    "a form, with a stolen token": lambda house: house.post(PAUSE, data={"why": "x"}),
    "a preflight": lambda house: house.ask(
        "OPTIONS", PAUSE, headers={"origin": "https://evil.example", "access-control-request-method": "POST"}
    ),
}


@pytest.mark.parametrize("attack", CROSS_SITE.values(), ids=CROSS_SITE.keys())
def test_cross_site_requests(house: House, attack: Callable[[House], httpx.Response]) -> None:
    """Nothing that a page of another site can send changes anything, and no answer may be read by it."""
    answer = attack(house)

    assert answer.status_code in (401, 403, 405, 415)
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert "set-cookie" not in answer.headers
    assert house.orders == []


def test_cross_site_requests_lock_nobody_out(house: House) -> None:
    """A page that an operator happens to open cannot use up that operator's mistakes."""
    for _ in range(30):
        house.post(PAUSE, token="guess", headers={"origin": "https://evil.example"})

    assert house.post(PAUSE).status_code == 202


# ---------------------------------------------------------------- strange requests


@pytest.mark.parametrize(
    "path",
    [
        "/page/../../../../etc/passwd",
        "/page/..%2f..%2f..%2fetc%2fpasswd",
        "/page/%2e%2e/%2e%2e/app.py",
        "/page//etc/passwd",
        "/page/%00",
        "/page/..\\..\\app.py",
        "/page/vendor/../../app.py",
        "/../etc/passwd",
        "/api/v1/pools/..%2f..%2f..%2fetc%2fpasswd",
        "/api/v1/pools/%2e%2e/decisions",
    ],
)
def test_path_traversal(served: Server, path: str) -> None:
    """404, as sent and not as a friendly client would tidy it up: files come from memory, pools from the configuration."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=5) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: client.recv(65_536), b""))

    assert answer.startswith(b"HTTP/1.1 404")
    assert b"root:" not in answer
    assert b"import" not in answer


@pytest.mark.parametrize(
    ("request_text", "code"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", b"400", id="no host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400", id="two hosts"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX: a\nb\x00\r\n\r\n", b"400", id="a NUL"),
        pytest.param(
            b"POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde", b"400", id="two lengths"
        ),
        pytest.param(b"POST /-/reload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, x\r\n\r\n", b"400", id="strange encoding"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400", id="TLS"),
        pytest.param(b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"414", id="an endless address"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", b"400", id="an endless header"),
    ],
)
def test_what_is_no_request(served: Server, request_text: bytes, code: bytes) -> None:
    """An error or a closed door, and the next one is served."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as client:
        client.sendall(request_text)
        try:
            answer = client.recv(12)
        except ConnectionResetError:
            answer = b""

    assert answer in (b"HTTP/1.1 " + code, b"")
    assert healthz(served) == 200


def test_a_pool_named_like_a_script_stays_text(house: House) -> None:
    """Answers are JSON of that type, never sniffed, and no header takes a line from a name."""
    house.snapshot = a_snapshot(a_record(a_decision("browser")))
    answer = house.get("/api/v1/pools/%3Cscript%3Ealert(1)%3C%2Fscript%3E%0d%0ax-evil:%201")

    assert answer.status_code == 404
    assert (answer.headers["content-type"], answer.headers["x-content-type-options"]) == ("application/json", "nosniff")
    assert "x-evil" not in answer.headers


def test_answers_carry_the_headers_that_protect_them(house: House) -> None:
    """Errors, too."""
    for path in ("/", "/api/v1/status", "/nothing", PAUSE):
        headers = house.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"


def test_two_hundred_requests_at_once(house: House) -> None:
    """Answered, one and all, and counted."""

    async def asking() -> list[int]:
        transport = httpx.ASGITransport(house.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [answer.status_code for answer in await asyncio.gather(*(client.get("/healthz") for _ in range(200)))]

    assert asyncio.run(asking()) == [200] * 200
    assert len(house.counted) == 200


# ---------------------------------------------------------------- the page


@pytest.mark.parametrize(
    ("words", "figure"),
    [
        ("half-open connections are closed after {} s", server.HEAD_SECONDS),
        ("{} connections at once", server.MOST_CONNECTIONS),
        ("an answer that nobody reads after {} s", server.STALL_SECONDS),
        ("a head that is not whole after {} bytes", server.LARGEST_HEAD),
        ("{} bytes of body", guard.LARGEST_BODY),
        ("a body after {} s", guard.BODY_SECONDS),
        ("{} characters of address", guard.LONGEST_PATH),
        ("{} open pages", stream.MOST_LISTENERS),
        ("{} wrong tokens of one address", tokens.GUESSES_AT_ONCE),
        ("one every {} s", 1 / tokens.GUESSES_PER_SECOND),
        ("{} of all addresses together", tokens.ALL_GUESSES_AT_ONCE),
        ("{} guesses a day", tokens.GUESSES_AT_ONCE + 86400 * tokens.GUESSES_PER_SECOND),
    ],
)
def test_the_figures_of_the_page_are_the_codes(words: str, figure: float) -> None:
    """docs/security.md says what the code does."""
    text = re.sub(r"(?<=\d),(?=\d)", "", PAGE)

    assert words.format(f"{figure:g}" if figure < 1e5 else f"{figure:.0f}") in text


def test_limits_refill() -> None:
    """A permit comes back at the promised rate, and never more than fit."""
    now = [0.0]
    limit = limits.Limit(2.0, 0.5, clock=lambda: now[0])
    limit.take("a")
    limit.take("a")
    assert limit.wait("a") == 2.0
    now[0] = 1000.0

    assert limit.wait("a") == 0.0
    limit.take("a")
    limit.take("a")
    assert limit.wait("a") == 2.0
