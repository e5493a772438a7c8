"""The real server, on a real socket."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import httpx
import pytest
from window import TOKEN, House

from autoscaler.web import guard
from autoscaler.web import server as server_module
from autoscaler.web.server import ListenRefused, Server

HALF = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-a: "


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on a free port of this machine."""
    made = Server(House().app, "127.0.0.1:0")
    made.start()
    yield made
    made.stop()


def get(server: Server, path: str) -> httpx.Response:
    """One GET over the network."""
    return httpx.get(f"http://127.0.0.1:{server.port}{path}", timeout=5, trust_env=False)


def half_open(server: Server, begun: bytes = HALF) -> socket.socket:
    """A connection that never finishes the head of its request."""
    client = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    client.sendall(begun)
    return client


def test_it_answers_without_naming_itself(server: Server) -> None:
    """A real request is answered, and no header says what answers."""
    answer = get(server, "/healthz")

    assert answer.status_code == 200
    assert "server" not in answer.headers


def test_no_answer_waits_for_an_acknowledgement(server: Server) -> None:
    """A kept connection sends head and body at once: the system does not hold small parts back, which costs 40 ms each."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(100)
        (connection,) = server._server.server_state.connections
        accepted = connection.transport.get_extra_info("socket")

        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_half_open_connections_do_not_keep_others_out(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty clients that drip their heads: /healthz answers at once, and all of them are closed at their deadline."""
    monkeypatch.setattr(server_module, "HEAD_SECONDS", 1.0)
    clients = [half_open(server) for _ in range(50)]
    began = time.perf_counter()

    assert get(server, "/healthz").status_code == 200
    assert time.perf_counter() - began < 1.0
    assert [drip_until_closed(client) for client in clients] == [True] * 50
    assert time.perf_counter() - began < 4.0


def drip_until_closed(client: socket.socket) -> bool:
    """Send a byte now and then, as a slow attacker does; True once the server has closed."""
    client.settimeout(0.05)
    deadline = time.perf_counter() + 4
    with client:
        while time.perf_counter() < deadline:
            try:
                client.sendall(b"a")
                if client.recv(100) == b"":
                    return True
            except TimeoutError:
                continue
            except OSError:
                return True
    return False


def test_a_kept_connection_serves_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline is for heads that are begun: between requests a connection may rest longer than that."""
    monkeypatch.setattr(server_module, "HEAD_SECONDS", 0.2)
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        port = [client.get("/healthz").extensions["network_stream"].get_extra_info("client_addr")]
        time.sleep(0.5)
        port.append(client.get("/healthz").extensions["network_stream"].get_extra_info("client_addr"))

    assert port[0] == port[1]


def test_too_many_connections_are_cut(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets are bounded; the one that has been idle the longest makes room, and who comes is served."""
    monkeypatch.setattr(server_module, "MOST_CONNECTIONS", 5)
    clients = [half_open(server) for _ in range(5)]

    assert get(server, "/healthz").status_code == 200
    assert closed(clients[0])
    clients[1].settimeout(0.2)
    with pytest.raises(TimeoutError):
        clients[1].recv(1)
    for client in clients:
        client.close()


def closed(client: socket.socket) -> bool:
    """Whether the other side has closed."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_client_that_does_not_read_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that nobody takes does not stay in memory for ever."""
    monkeypatch.setattr(server_module, "STALL_SECONDS", 0.3)
    house = House()
    house.page = b"x" * 20_000_000
    server = Server(house.app, "127.0.0.1:0")
    server.start()
    with half_open(server, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") as client:
        time.sleep(1.0)
        assert taken(client) < len(house.page)
    server.stop()


def taken(client: socket.socket) -> int:
    """How many bytes still come before the other side is found to have closed."""
    count = 0
    try:
        while chunk := client.recv(1_000_000):
            count += len(chunk)
    except ConnectionResetError:
        pass
    return count


def test_a_body_that_never_comes_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """408 after a while, so that an announced body holds no connection."""
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.3)
    lines = ("POST /-/reload HTTP/1.1", "Host: x", f"Authorization: Bearer {TOKEN}", "Content-Type: application/json", "Content-Length: 9")
    with half_open(server, "\r\n".join([*lines, "", ""]).encode()) as client:
        assert client.recv(12) == b"HTTP/1.1 408"


def test_an_endless_head_is_refused(server: Server) -> None:
    """Headers are capped."""
    with half_open(server, HALF + b"a" * 100_000) as client:
        assert client.recv(12) in (b"HTTP/1.1 400", b"")


def test_it_stops_soon_though_clients_stay() -> None:
    """Idle and half-open connections do not hold the process."""
    server = Server(House().app, "127.0.0.1:0")
    server.start()
    assert get(server, "/healthz").status_code == 200
    clients = [half_open(server) for _ in range(3)]
    began = time.perf_counter()
    server.stop()

    assert time.perf_counter() - began < 2.2
    with pytest.raises(OSError):  # noqa: PT011 - refused or reset, as the system likes
        socket.create_connection(("127.0.0.1", server.port), timeout=1).sendall(HALF)
    for client in clients:
        client.close()


def test_an_address_in_use_is_said_in_words(server: Server) -> None:
    """Before anything is started, and with what to do."""
    with pytest.raises(ListenRefused, match="in use; stop what listens there"):
        Server(House().app, f"127.0.0.1:{server.port}")


@pytest.mark.parametrize("listen", ["8090", "localhost", "127.0.0.1:99999", "127.0.0.1:http", ""])
def test_a_strange_address_is_refused(listen: str) -> None:
    """With an example of how to write it."""
    with pytest.raises(ListenRefused, match=r"write it like 127\.0\.0\.1:8090"):
        Server(House().app, listen)


def test_a_foreign_address_is_refused() -> None:
    """An address that this machine does not have."""
    with pytest.raises(ListenRefused, match=r"no such address; write 0\.0\.0\.0"):
        Server(House().app, "192.0.2.1:0")


def test_a_server_that_never_started_can_be_stopped() -> None:
    """Startup may fail between binding and starting."""
    server = Server(House().app, "127.0.0.1:0")
    server.stop()

    Server(House().app, f"127.0.0.1:{server.port}").stop()
