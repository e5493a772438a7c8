"""The few words that these scripts speak to a Docker engine: one HTTP request over the socket of DOCKER_HOST. Standard library only."""

from __future__ import annotations

import http.client
import json
import os
import socket
from typing import IO, Any
from urllib.parse import urlsplit

MACHINE = "unix:///var/run/docker.sock"


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("engine", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def request(host: str, method: str, path: str, body: IO[bytes] | None = None, timeout: float = 5.0) -> tuple[int, bytes]:
    """Status and body of one call; raises OSError when nobody answers."""
    address = urlsplit(host)
    if address.scheme == "unix":
        connection: http.client.HTTPConnection = UnixConnection(address.path, timeout)
    else:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=timeout)
    headers = {"Content-Type": "application/x-tar", "Transfer-Encoding": "chunked"} if body else {}
    try:
        connection.request(method, path, body, headers, encode_chunked=bool(body))
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise OSError(f"{host} does not speak like an engine: {error!r}") from error
    finally:
        connection.close()


def read(host: str, path: str) -> Any:
    """The JSON at this path, None where there is nothing."""
    status, body = request(host, "GET", path)
    return json.loads(body) if status == 200 else None


def answers(host: str) -> bool:
    """Whether an engine is there and lets us in."""
    try:
        return request(host, "GET", "/_ping")[0] == 200
    except OSError:
        return False


def machine_engine() -> str | None:
    """The address of the machine's own engine, None where none answers."""
    host = os.environ.get("DOCKER_HOST") or MACHINE
    return host if answers(host) else None
