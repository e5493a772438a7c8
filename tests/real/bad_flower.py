"""A door in front of the real Flower that can be told to answer badly, in every way that was seen or feared."""

from __future__ import annotations

import http.client
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REFUSED = b"FLOWER_UNAUTHENTICATED_API environment variable is required to enable API without authentication"
ANSWERS = {
    "500": (500, "text/html", b""),
    "401": (401, "text/plain", REFUSED),
    "garbage": (200, "application/json", b"\x00<html>}{"),
    "empty object": (200, "application/json", b"{}"),
}


class BadFlower:
    """Passes everything through until `mode` says otherwise."""

    MODES = ("500", "401", "garbage", "empty object", "stale", "drip", "silence")

    def __init__(self, flower_port: int) -> None:
        self.mode = "well"
        self.stop = threading.Event()
        kept: dict[str, tuple[int, str, bytes]] = {}
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mode = door.mode
                if mode == "silence":
                    door.stop.wait(30)
                elif mode == "drip":
                    self._drip()
                elif mode == "stale" and self.path in kept:
                    self._answer(*kept[self.path])
                elif mode in ANSWERS:
                    self._answer(*ANSWERS[mode])
                else:
                    kept[self.path] = self._ask()
                    self._answer(*kept[self.path])

            def _ask(self) -> tuple[int, str, bytes]:
                connection = http.client.HTTPConnection("127.0.0.1", flower_port, timeout=5)
                connection.request("GET", self.path)
                answer = connection.getresponse()
                return answer.status, answer.headers.get("content-type", ""), answer.read()

            def _answer(self, status: int, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _drip(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "1000")
                self.end_headers()
                for _ in range(30):
                    if door.stop.is_set() or door.mode != "drip":
                        return
                    self.wfile.write(b" ")
                    self.wfile.flush()
                    time.sleep(1)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """The daemon hangs up on a bad answer; that is what is wanted."""

        self._server: socketserver.BaseServer = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Let go of everybody who waits."""
        self.stop.set()
        self._server.shutdown()
        self._server.server_close()
