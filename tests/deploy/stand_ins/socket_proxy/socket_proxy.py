"""A socket proxy that reads the same arguments as wollomatic/socket-proxy and means the same by them, for tests without a registry.

`-allowGET=REGEX` (and POST, DELETE, ...) matches the whole path; a method without one is refused with 405, another path with 403, and
so is a client that is not `-allowfrom`. So what is tested is the list in docker-compose.yml itself. Standard library only.
"""

from __future__ import annotations

import http.client
import re
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

SOCKET = "/var/run/docker.sock"
PORT = 2375
KNOWN = ("listenip", "allowfrom", "allowhealthcheck", "watchdoginterval", "stoponwatchdog", "loglevel", "shutdowngracetime")


@dataclass(frozen=True)
class Rules:
    """Who may ask for what."""

    listen: str = "127.0.0.1"
    clients: tuple[str, ...] = ("127.0.0.1",)
    paths: dict[str, re.Pattern[str]] = field(default_factory=dict)
    """By method."""

    @classmethod
    def read(cls, arguments: Sequence[str]) -> Rules:
        """The rules in these arguments; a ValueError for one that the real proxy does not know."""
        given: dict[str, str] = {}
        paths: dict[str, re.Pattern[str]] = {}
        for argument in arguments:
            name, _, value = argument.removeprefix("-").partition("=")
            if method := re.fullmatch(r"allow([A-Z]+)", name):
                paths[method[1]] = re.compile(value)
            elif name in KNOWN:
                given[name] = value
            else:
                raise ValueError(f"unknown argument {argument}")
        return cls(given.get("listenip", cls.listen), tuple(given.get("allowfrom", "127.0.0.1").split(",")), paths)

    def verdict(self, method: str, target: str) -> int:
        """200 for a request that may pass, else the status that it is refused with."""
        if method not in self.paths:
            return 405
        return 200 if self.paths[method].fullmatch(unquote(urlsplit(target).path)) else 403

    def admits(self, address: str) -> bool:
        """Whether this client may ask at all; names are looked up each time, because a container that restarts may move."""
        for name in self.clients:
            try:
                if address in {str(found[4][0]) for found in socket.getaddrinfo(name, None)}:
                    return True
            except socket.gaierror:
                continue
        return False


class Engine(http.client.HTTPConnection):
    """HTTP over the engine's socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKET)


def handler(rules: Rules) -> type[BaseHTTPRequestHandler]:
    """What serves one request under these rules."""

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status = rules.verdict(self.command, self.path) if rules.admits(self.client_address[0]) else 403
            if status != 200:
                self.log_error("blocked %s %s: %d", self.command, self.path, status)
                self.answer(status, b"refused\n", "text/plain")
                return
            engine = Engine("engine", timeout=60)
            headers = {name: value for name, value in self.headers.items() if name.lower() in ("content-type", "x-registry-auth")}
            engine.request(self.command, self.path, body or None, headers)
            found = engine.getresponse()
            content = found.read()
            self.answer(found.status, content, found.getheader("content-type", "text/plain"), found.getheader("api-version", ""))
            engine.close()

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = pass_on  # noqa: N815 - the names that the server looks for

        def answer(self, status: int, content: bytes, kind: str, api_version: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            if api_version:
                self.send_header("Api-Version", api_version)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Only what is refused is worth a line."""

    return Proxy


if __name__ == "__main__":
    found_rules = Rules.read(sys.argv[1:])
    ThreadingHTTPServer((found_rules.listen, PORT), handler(found_rules)).serve_forever()
