"""A stand-in for the daemon's side of a wake: notes what it is told, and answers as a test wants."""

from __future__ import annotations

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Listener:
    """Serves from the start to `close`; `status` may be changed meanwhile, and nothing is answered while `gate` is shut."""

    def __init__(self, port: int = 0) -> None:
        self.status = 202
        self.gate = threading.Event()
        self.gate.set()
        self.told: list[dict[str, int]] = []
        self.bearers: list[str] = []
        self.paths: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def tasks(self) -> Counter[str]:
        """Tasks by queue, over all that was taken."""
        return sum((Counter(each) for each in self.told), Counter())

    def close(self) -> None:
        """Listen no more."""
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                listener.paths.append(self.path)
                listener.bearers.append(self.headers["authorization"])
                status = listener.status
                if status == 202:
                    listener.told.append(body["queues"])
                listener.gate.wait()
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing: a test that fails says enough."""

        return Handler
