"""The HTTP server: uvicorn in a thread of its own, with the deadlines that uvicorn lacks.

The daemon binds the address first (so that "in use" is told in words before anything else starts), then `start` hands the
socket to the thread. Signals stay the daemon's. Half-open connections are closed after a few seconds and bounded in number, and
where all places are taken the one that has been idle the longest makes room for a new one: whoever only opens connections takes
places from himself, and `/healthz` goes on answering.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from autoscaler.errors import AutoscalerError

HEAD_SECONDS = 5.0
"""How long a client may take to send the head of a request, from its first byte or from the connection."""
STALL_SECONDS = 20.0
"""How long a client may leave an answer unread."""
MOST_CONNECTIONS = 400
"""At once; beyond that the one that has said nothing useful for the longest time is closed."""
LARGEST_HEAD = 16_384


_IDLE: WeakKeyDictionary[Any, dict[Deadlines, None]] = WeakKeyDictionary()
"""Of each running server, its connections that are not being served, the one that has been idle the longest first."""


class ListenRefused(AutoscalerError):
    """The address cannot be listened on."""


class Deadlines(H11Protocol):
    """HTTP/1.1 with a deadline for the head of each request and for the reading of each answer.

    connection made --(head in time)--> request --(answer sent)--> idle --(uvicorn's keep-alive time)--> closed
          \\--(HEAD_SECONDS)--> closed       \\--(not read for STALL_SECONDS)--> closed
    """

    _timer: asyncio.TimerHandle | None = None
    _in_head = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._idle = _IDLE.setdefault(self.server_state, {})
        if len(self.connections) > MOST_CONNECTIONS:
            self._make_room()
        self._idle[self] = None
        self._begin_head()

    def _make_room(self) -> None:
        """Close the connection that has been idle the longest; where all are being served, this one."""
        leaving = next(iter(self._idle), self)
        self._idle.pop(leaving, None)
        leaving.transport.abort()

    def data_received(self, data: bytes) -> None:
        was_serving = self._is_serving()
        super().data_received(data)
        if not self._is_serving():
            self._begin_head()
        elif not was_serving:
            # A whole request: neither its head nor the reading of the answer before it is waited for any longer.
            self._in_head = False
            self._idle.pop(self, None)
            self._disarm()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._in_head = False
        self._idle.pop(self, None)
        self._idle[self] = None
        self._expect_reading()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._arm(STALL_SECONDS)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._expect_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._idle.pop(self, None)
        super().connection_lost(exc)

    def _begin_head(self) -> None:
        """One deadline for the whole head: bytes that drip in do not move it."""
        if not self._in_head:
            self._in_head = True
            self._arm(HEAD_SECONDS)

    def _expect_reading(self) -> None:
        """While an answer is made nobody waits for the client; once it is made, its last bytes must be read too."""
        if self._is_serving():
            self._disarm()
        else:
            self._arm(STALL_SECONDS)

    def _is_serving(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Server:
    """Serves one application on one address until it is told to stop."""

    def __init__(self, app: ASGIApp, listen: str, leaving: Callable[[], None] = lambda: None) -> None:
        """Bind `host:port` at once; raises ListenRefused in words the operator can act on. `leaving` is called before it stops."""
        self._socket = _bind(listen)
        self._leaving = leaving
        self.port: int = self._socket.getsockname()[1]
        """The port that is really listened on, also where `listen` asked for any (`host:0`)."""
        config = uvicorn.Config(
            app,
            http=Deadlines,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=2 * MOST_CONNECTIONS,  # never reached: connections are bounded before, in a way that leaves room
            timeout_keep_alive=5,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=LARGEST_HEAD,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)
        self._log = structlog.stdlib.get_logger("autoscaler.web")

    def start(self) -> None:
        """Begin to answer, in a thread with a loop of its own; connections made before wait in the socket."""
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """Answer what is being answered, close everything else, and let go of the address within `timeout` seconds."""
        self._leaving()  # answers without an end are ended by those who give them: uvicorn would wait for them
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout)
        self._server.force_exit = True
        self._socket.close()

    def _serve(self) -> None:
        # In a thread that is not the main one uvicorn leaves signals alone.
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        except Exception:
            self._log.exception("the HTTP server ended by a bug: scaling goes on, restart the daemon to see it again")


def _bind(listen: str) -> socket.socket:
    host, port = _address(listen)
    try:
        family, _, _, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        sock = socket.create_server(address[:2], family=family, backlog=256)
    except OSError as error:
        raise ListenRefused(f"cannot listen on {listen}: {_words(error)}") from error
    # Connections inherit it. Without it the body of an answer waits until its head is acknowledged: 40 ms on a kept connection.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    return sock


def _address(listen: str) -> tuple[str, int]:
    """Host and port of `host:port`, `[::1]:port` or `:port`.

    >>> _address("127.0.0.1:8090"), _address("[::1]:0"), _address(":8090")
    (('127.0.0.1', 8090), ('::1', 0), ('', 8090))
    """
    host, colon, port = listen.rpartition(":")
    if not (colon and port.isascii() and port.isdigit() and int(port) < 65_536):
        raise ListenRefused(f"cannot listen on {listen!r}: write it like 127.0.0.1:8090 or 0.0.0.0:8090")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _words(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "the address is in use; stop what listens there or choose another api.listen"
        case errno.EADDRNOTAVAIL:
            return "this machine has no such address; write 0.0.0.0 for all of its addresses"
        case errno.EACCES:
            return "ports below 1024 are not allowed to this user; choose a higher one"
        case _:
            return f"{error.strerror or error}"
