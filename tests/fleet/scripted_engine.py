"""A stand-in for a Docker engine: a unix socket that records what it is asked and answers what a test tells it to."""

from __future__ import annotations

import json
import re
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

PROXY_PAGE = b"<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>\n"
LIST = "GET /containers/json"
NAME = "main-web-1a2b3c"
ID = "f" * 64


def an_entry(**changes: Any) -> dict[str, Any]:
    """A running worker of instance `main` as the engine lists it, with these changes; labels are added to ours."""
    labels = {"autoscaler.instance": "main", "autoscaler.pool": "web", "autoscaler.spec": "abc"} | changes.pop("Labels", {})
    networks = {"Networks": {"backend": {"IPAddress": "172.18.0.3"}}}
    plain = {"Id": ID, "Names": [f"/{NAME}"], "State": "running", "Status": "Up 3 seconds", "Created": 1_795_000_000}
    return plain | {"Labels": labels, "HostConfig": {"NetworkMode": "backend"}, "NetworkSettings": networks} | changes


@dataclass(frozen=True)
class Asked:
    """One request as it came in, without the API version in front of its path."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    version: str


@dataclass(frozen=True)
class Says:
    """What the engine answers: JSON, or bytes as they are."""

    status: int
    body: Any = ""

    def speak(self, handler: Handler) -> None:
        content = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        handler.begin(self.status, len(content))
        handler.wfile.write(content)


Reply = Says | Callable[["Handler"], None]


@dataclass
class ScriptedEngine:
    """What it answers by `METHOD /path`, the last one again and again; and what it was asked so far."""

    path: Path
    api_version: str = "1.51"
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    otherwise: Says = Says(404, {"message": "nothing of that name is here"})
    """The answer to what no test has scripted."""
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def host(self) -> str:
        return f"unix://{self.path}"

    def on(self, question: str, *replies: Reply) -> None:
        """Answer this question so, one reply after the other."""
        self.replies[question] = list(replies)

    def reply_to(self, question: str) -> Reply:
        replies = self.replies.get(question, [self.otherwise])
        return replies.pop(0) if len(replies) > 1 else replies[0]

    @property
    def questions(self) -> list[str]:
        """All that was asked after the version, as `METHOD /path`."""
        return [f"{asked.method} {asked.path}" for asked in self.asked]

    def body_of(self, question: str) -> Any:
        """The body that came with the first such question."""
        return next(a.body for a in self.asked if f"{a.method} {a.path}" == question)

    def query_of(self, question: str) -> dict[str, str]:
        """The query that came with the first such question."""
        return next(a.query for a in self.asked if f"{a.method} {a.path}" == question)


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    engine: ScriptedEngine

    def handle_question(self) -> None:
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        named, path = re.fullmatch(r"(?:/v(\d+\.\d+))?(/.*)", url.path).groups()  # type: ignore[union-attr]
        version = named or self.engine.api_version
        if path == "/version":
            return Says(200, {"ApiVersion": self.engine.api_version}).speak(self)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self.engine.asked.append(Asked(self.command, path, query, body, version))
        if tuple(map(int, version.split("."))) > tuple(map(int, self.engine.api_version.split("."))):
            return Says(400, {"message": f"client version {version} is too new"}).speak(self)
        reply = self.engine.reply_to(f"{self.command} {path}")
        return reply.speak(self) if isinstance(reply, Says) else reply(self)

    do_GET = do_POST = do_DELETE = handle_question  # noqa: N815 - the library's names

    def begin(self, status: int, length: int) -> None:
        """The head of an answer."""
        self.send_response(status)
        self.send_header("Api-Version", self.engine.api_version)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Nothing on the terminal."""


class Server(socketserver.ThreadingUnixStreamServer):
    """Listens until the test is over."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128  # the default of five refuses a burst of connections

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of several tests, and no news."""


def hangs(handler: Handler) -> None:
    """Take the question and never answer it."""
    handler.engine.over.wait(30)
    handler.close_connection = True


def drips(handler: Handler) -> None:
    """Send a long answer, one byte at a time."""
    handler.begin(200, 10_000)
    while not handler.engine.over.wait(0.02):
        try:
            handler.wfile.write(b" ")
        except OSError:
            return


def breaks_off(handler: Handler) -> None:
    """Close the connection in the middle of an answer."""
    handler.begin(200, 10_000)
    handler.wfile.write(b'[{"Id": "half')
    handler.close_connection = True
    handler.connection.shutdown(1)


def hangs_up(handler: Handler) -> None:
    """Take the question and close the connection."""
    handler.close_connection = True


def floods(handler: Handler) -> None:
    """Send more than anybody wants to hear."""
    handler.begin(200, 10**9)
    try:
        while not handler.engine.over.is_set():
            handler.wfile.write(b" " * 1_000_000)
    except OSError:
        return
