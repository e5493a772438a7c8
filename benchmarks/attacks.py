"""How long a probe of `/healthz` waits while the daemon's HTTP server is attacked: the table of docs/security.md.

    python benchmarks/attacks.py [--probes 40]

The real daemon in a process of its own, with one pool of local processes that is never needed. Each attack stands while the probes
are made, one every 50 ms, each on a new connection. Prints Markdown.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import multiprocessing
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Event
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOKEN = "a-token-that-nobody-can-guess-0123456789"
FORK = multiprocessing.get_context("fork")
HALF_HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-a: "


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def daemon(folder: Path) -> Iterator[int]:
    """`autoscaler run`, and its port."""
    port = free_port()
    (folder / "token").write_text(TOKEN)
    (folder / "config.yaml").write_text(
        f"flower: {{url: 'http://127.0.0.1:{free_port()}'}}\nfleet: {{type: process}}\nstate: {folder}/state\n"
        f"api: {{listen: '127.0.0.1:{port}', token_file: token}}\nlog: {{level: error}}\n"
        "pools: {mail: {queues: [mail], replicas: {max: 1}, worker: {command: sleep 9}}}\n"
    )
    command = [sys.executable, "-m", "autoscaler", "run", "-c", str(folder / "config.yaml")]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while probe(port) is None:
            time.sleep(0.1)
        yield port
        process.terminate()


def probe(port: int) -> float | None:
    """Seconds until `/healthz` has said 200 on a new connection; None where it did not within ten."""
    began = time.perf_counter()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/healthz")
        good = connection.getresponse().status == 200
        connection.close()
    except OSError:
        return None
    return time.perf_counter() - began if good else None


Attack = Callable[[int, Event], None]


def nothing(_port: int, _over: Event) -> None:
    """A quiet day."""


def half_open(count: int, begun: bytes) -> Attack:
    """So many connections that never finish a request, opened anew as they are closed, and a byte now and then."""

    def attack(port: int, over: Event) -> None:
        clients: list[socket.socket] = []
        while not over.is_set():
            while len(clients) < count and not over.is_set():
                with contextlib.suppress(OSError):
                    clients.append(socket.create_connection(("127.0.0.1", port), timeout=5))
                    clients[-1].sendall(begun)
                    clients[-1].setblocking(False)
            clients = [client for client in clients if _drip(client)]
            over.wait(0.2)
        for client in clients:
            client.close()

    return attack


def _drip(client: socket.socket) -> bool:
    """Whether it is still open after one more byte."""
    try:
        client.send(b"a")
        return client.recv(100) != b""
    except BlockingIOError:
        return True
    except OSError:
        client.close()
        return False


def listeners(port: int, over: Event) -> None:
    """As many open pages as there may be, that never read."""
    half_open(40, b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n")(port, over)


def guesses(port: int, over: Event) -> None:
    """Wrong tokens as fast as they go."""
    while not over.is_set():
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            for _ in range(100):
                connection.request("POST", "/api/v1/pools/mail/pause", headers={"Authorization": "Bearer guess"})
                connection.getresponse().read()


def wakes(port: int, over: Event) -> None:
    """Wakes as fast as they go, with the right token."""
    while not over.is_set():
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            for _ in range(100):
                connection.request("POST", "/api/v1/pools/mail/wake", headers={"Authorization": f"Bearer {TOKEN}"})
                connection.getresponse().read()


LINES = ("POST /-/reload HTTP/1.1", "Host: x", f"Authorization: Bearer {TOKEN}", "Content-Type: application/json", "Content-Length: 60000")
SLOW_BODY = "\r\n".join([*LINES, "", ""])
ATTACKS: dict[str, Attack] = {
    "nothing": nothing,
    "300 half-open connections": half_open(300, HALF_HEAD),
    "800 half-open connections, twice as many as there are places": half_open(800, HALF_HEAD),
    "100 bodies that drip, with the right token": half_open(100, SLOW_BODY.encode()),
    "40 open pages that never read": listeners,
    "wrong tokens as fast as they go": guesses,
    "wakes as fast as they go, with the right token": wakes,
}


def measure(port: int, attack: Attack, probes: int) -> tuple[list[float], int]:
    """How long the answered probes took, and how many were not answered."""
    over = FORK.Event()
    attacker = FORK.Process(target=attack, args=(port, over), daemon=True)
    attacker.start()
    time.sleep(3)
    took = []
    for _ in range(probes):
        took.append(probe(port))
        time.sleep(0.05)
    over.set()
    attacker.join(10)
    return [seconds for seconds in took if seconds is not None], took.count(None)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--probes", type=int, default=40)
    asked = parser.parse_args()
    print("| while | median | slowest | not answered |\n|---|---:|---:|---:|")
    for name, attack in ATTACKS.items():
        with tempfile.TemporaryDirectory() as folder, daemon(Path(folder)) as port:
            took, lost = measure(port, attack, asked.probes)
        print(f"| {name} | {1000 * statistics.median(took):.0f} ms | {1000 * max(took):.0f} ms | {lost} of {asked.probes} |", flush=True)


if __name__ == "__main__":
    main()
