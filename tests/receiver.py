"""Somebody who takes messages as JSON over HTTP, and remembers them: for tests of notifications."""

from __future__ import annotations

import http.server
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def a_receiver() -> Iterator[tuple[str, queue.Queue[dict[str, str]]]]:
    """An address of Apprise's for JSON, and what arrives there."""
    arrived: queue.Queue[dict[str, str]] = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            arrived.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"json://user:the-password@127.0.0.1:{server.server_address[1]}/", arrived
    server.shutdown()
    server.server_close()
