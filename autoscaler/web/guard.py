"""What stands in front of every request: caps, safe headers, names we go by, one deadline for bodies, a count of what was answered.

Plain ASGI, around the whole application, so that no route can forget it. Errors leave as JSON with words.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autoscaler.web.hosts import is_allowed

LONGEST_PATH = 2048
LARGEST_BODY = 65_536
BODY_SECONDS = 10.0
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
Counted = Callable[[str, str, int], None]


class TooLarge(Exception):
    """The body is larger than anything this API takes."""


class TooSlow(Exception):
    """The body did not arrive in time."""


class Guard:
    """Caps and counts every request of the application behind it."""

    def __init__(self, app: ASGIApp, counted: Counted, allowed_hosts: Callable[[], tuple[str, ...]]) -> None:
        self._app, self._counted, self._allowed_hosts = app, counted, allowed_hosts
        self._log = structlog.stdlib.get_logger("autoscaler.web")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; whatever happens, exactly one answer leaves and is counted."""
        if scope["type"] != "http":
            return
        answer = _Answer(send)
        try:
            if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > LONGEST_PATH:
                await answer.refuse(414, f"the address is longer than {LONGEST_PATH} characters")
            elif (host := self._foreign_host(scope)) is not None:
                words = f"{host[:100]!r} is not a name of this server: if it is, write it under api.allowed_hosts in config.yaml"
                await answer.refuse(421, words)
            else:
                await self._app(scope, _capped(receive), answer.send)
        except TooLarge:
            await answer.refuse(413, f"the body is larger than {LARGEST_BODY} bytes")
        except TooSlow:
            await answer.refuse(408, f"the body did not arrive within {BODY_SECONDS:g} s")
        except Exception:
            self._log.exception("request failed", path=scope["path"])
            await answer.refuse(500, "this is a bug: the log says more")
        finally:
            self._counted(scope.get("route_template", "other"), scope["method"], answer.code)


    def _foreign_host(self, scope: Scope) -> str | None:
        """The name under which we were asked and which is none of ours; probes of the loop's life are answered under any."""
        host: str | None = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), None)
        if host is None or scope["path"] == "/healthz" or is_allowed(host, self._allowed_hosts()):
            return None
        return host


class _Answer:
    """The way out: adds the headers and remembers the status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.code = 499
        """Nobody was answered yet: the client may have gone."""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.code = message["status"]
            given = {name for name, _ in message["headers"]}
            safe = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in given]
            message = {**message, "headers": [*message["headers"], *safe]}
        await self._send(message)

    async def refuse(self, code: int, words: str) -> None:
        """Answer with an error, unless an answer has already begun."""
        if self.code != 499:
            return
        body = json.dumps({"error": words}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
        await self.send({"type": "http.response.start", "status": code, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


def _capped(receive: Receive) -> Receive:
    """The way in: no more than the cap, and not for ever."""
    taken, whole = 0, False
    deadline: float | None = None

    async def take() -> Message:
        nonlocal taken, whole, deadline
        if whole:
            return await receive()
        now = asyncio.get_running_loop().time()
        deadline = deadline or now + BODY_SECONDS
        try:
            message = await asyncio.wait_for(receive(), max(0.0, deadline - now))
        except TimeoutError:
            raise TooSlow from None
        taken += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if taken > LARGEST_BODY:
            raise TooLarge
        return message

    return take
