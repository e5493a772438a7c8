"""The HTTP window: what the daemon sees, decides and did, and the few requests that change something.

Handlers only read the latest snapshot and the journal through `Doors`; nothing here reaches into the loop. Changing requests
are noted and taken up by the next tick. Described in `docs/http-api.md`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from autoscaler.errors import AutoscalerError
from autoscaler.model import Order, OrderKind, Orders
from autoscaler.report.curve import curve, step_seconds
from autoscaler.report.plain import to_plain
from autoscaler.report.redact import redactor
from autoscaler.report.snapshot import Snapshot
from autoscaler.web import status
from autoscaler.web.assets import Assets
from autoscaler.web.bodies import Reload, parse
from autoscaler.web.brief import Briefs
from autoscaler.web.guard import Guard
from autoscaler.web.orders import Steering, no_such_pool, who
from autoscaler.web.stream import Stream
from autoscaler.web.tokens import Gate, Keys

LIMIT_DEFAULT, LIMIT_MAX = 50, 1000
ID_MAX = 999_999_999
HISTORY_DEFAULT, HISTORY_MAX = 2000, 10_000
HISTORY_SECONDS = 3600.0
POINTS_MAX = 2000
TICKS_MAX = 100_000
"""Ticks of a pool that one question for points may cost: more than a day of them, two seconds apart."""

ACTIONS = ("pause", "resume", "scale", "drain", "wake")

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Doors:
    """All that the window may look through, the desk where orders are given, and the one bell it may ring."""

    snapshot: Callable[[], Snapshot | None]
    metrics: Callable[[str], tuple[bytes, str]]
    """Accept header -> page and content type."""
    decisions: Callable[[str, int, int | None], Rows]
    """pool, limit, only before this id -> newest first; raises an AutoscalerError where the journal cannot be read."""
    history: Callable[[str, float, int], Rows]
    """pool, since (epoch seconds), limit -> ticks, oldest first; raises likewise."""
    news: Callable[[int, int], Rows]
    """id, limit -> the newest decisions of all pools after that one, oldest first; raises likewise."""
    give: Callable[[Order], tuple[Order, ...]]
    """Takes an order and answers what stands for its pool; raises an AutoscalerError where it cannot be kept."""
    standing: Callable[[], Orders]
    ordered: Callable[[str | None, int], Rows]
    """pool or all, limit -> the latest orders, newest first; raises likewise."""
    reload: Callable[[Order], None]
    alive: Callable[[], tuple[bool, str]]
    keys: Keys
    """Tokens that may change everything."""
    wake_keys: Keys
    """Tokens that may only wake."""
    allowed_hosts: Callable[[], tuple[str, ...]]
    counted: Callable[[str, str, int], None]
    """route template, method, status code: one answered request."""


def build_app(doors: Doors) -> Starlette:
    """The application behind the window."""
    gate = Gate(doors.keys, doors.wake_keys)
    briefs = Briefs()
    window, assets, stream = Window(doors, gate, briefs), Assets(), Stream(doors.snapshot, briefs, doors.news)
    steering = Steering(gate, window.snapshot, doors.give)
    app = Starlette(
        routes=[
            _route("GET", "/", assets.index),
            _route("GET", "/page/{file:path}", assets.file),
            _route("GET", "/healthz", window.healthz),
            _route("GET", "/readyz", window.readyz),
            _route("GET", "/metrics", window.metrics),
            _route("GET", "/api/v1/status", window.status),
            _route("GET", "/api/v1/pools/{pool}", window.pool),
            _route("GET", "/api/v1/pools/{pool}/decisions", window.decisions),
            _route("GET", "/api/v1/history", window.history),
            _route("GET", "/api/v1/events", stream.serve),
            _route("GET", "/api/v1/targets", window.targets),
            _route("GET", "/api/v1/orders", window.orders),
            *(_route("POST", f"/api/v1/pools/{{pool}}/{action}", getattr(steering, action)) for action in ACTIONS),
            _route("POST", "/api/v1/wake", steering.wake_queues),
            _route("POST", "/-/reload", window.reload),
        ],
        middleware=[Middleware(Guard, counted=doors.counted, allowed_hosts=doors.allowed_hosts)],
        exception_handlers={HTTPException: _refused, AutoscalerError: _unable},
    )
    app.router.redirect_slashes = False
    app.state.stream = stream
    return app


class Window:
    """The handlers. Plain functions run in Starlette's threads, so that a slow disk delays nobody; `healthz` needs none."""

    def __init__(self, doors: Doors, gate: Gate, briefs: Briefs) -> None:
        self._doors, self._gate, self._briefs = doors, gate, briefs

    async def healthz(self, _request: Request) -> Response:
        """Whether the loop ticks; answered without any neighbour, thread or disk."""
        alive, detail = self._doors.alive()
        return _json({"alive": alive, "detail": detail}, 200 if alive else 503)

    async def readyz(self, _request: Request) -> Response:
        """Whether the first tick is over, and else what is missing."""
        missing = status.missing(self._doors.snapshot())
        return _json({"ready": not missing, "missing": missing}, 503 if missing else 200)

    def metrics(self, request: Request) -> Response:
        """The page for Prometheus, in the format it prefers."""
        page, content_type = self._doors.metrics(request.headers.get("accept", ""))
        return Response(page, headers={"content-type": content_type})

    def status(self, request: Request) -> Response:
        """Everything at this moment."""
        if _flag(request, "workers", default=True):
            return _json(status.status(self.snapshot(), time.time()))
        return JSONResponse(self._briefs.of(self.snapshot()) | {"now": time.time()})

    def pool(self, request: Request) -> Response:
        """One pool with its latest steps."""
        name = request.path_params["pool"]
        told = status.pool_detail(self.snapshot(), name, time.time())
        if told is None:
            raise no_such_pool(self.snapshot(), name)
        return _json(told)

    def decisions(self, request: Request) -> Response:
        """The latest decisions of a pool, newest first; those of a removed pool as long as the journal has them."""
        name = request.path_params["pool"]
        before = _whole(request, "before", 0, ID_MAX) if "before" in request.query_params else None
        rows = self._doors.decisions(name, _whole(request, "limit", LIMIT_DEFAULT, LIMIT_MAX), before)
        if not rows and name not in self.snapshot().policies.pools:
            raise no_such_pool(self.snapshot(), name)
        return JSONResponse({"pool": name, "decisions": rows})

    def history(self, request: Request) -> Response:
        """Ticks since a time, by pool."""
        since, names = _since(request), tuple(self.snapshot().policies.pools)
        if (asked := request.query_params.get("pool")) is not None:
            if asked not in names:
                raise no_such_pool(self.snapshot(), asked)
            names = (asked,)
        if "points" in request.query_params:
            return JSONResponse(self._curves(names, since, _whole(request, "points", POINTS_MAX, POINTS_MAX)))
        limit = _whole(request, "limit", HISTORY_DEFAULT, HISTORY_MAX)
        return JSONResponse({"since": since, "pools": {name: self._doors.history(name, since, limit) for name in names}})

    def _curves(self, names: tuple[str, ...], since: float, points: int) -> dict[str, Any]:
        told = {name: self._doors.history(name, since, TICKS_MAX) for name in names}
        first = min((rows[0]["at"] for rows in told.values() if rows), default=None)
        step = step_seconds(since, time.time(), first, points)
        return {"since": since, "step": step, "pools": {name: curve(rows, step) for name, rows in told.items()}}

    def targets(self, _request: Request) -> Response:
        """The workers' own pages, as Prometheus' HTTP service discovery wants them."""
        return _json(status.targets(self._doors.snapshot()))

    async def reload(self, request: Request) -> Response:
        """Note that config.yaml is to be read; the next tick does it, at once."""
        token = self._gate.admit(request)
        said = parse(Reload, await request.body())
        self._doors.reload(Order(OrderKind.RELOAD, "", time.time(), who(request, token, said), said.why))
        return _json({"accepted": True, "detail": "config.yaml is read by the next tick; /api/v1/status tells what came of it"}, 202)

    def orders(self, request: Request) -> Response:
        """What stands now, and the latest orders of one pool or of all, newest first."""
        asked = request.query_params.get("pool")
        rows = self._doors.ordered(asked, _whole(request, "limit", LIMIT_DEFAULT, LIMIT_MAX))
        if not rows and asked is not None and asked not in self.snapshot().policies.pools:
            raise no_such_pool(self.snapshot(), asked)
        standing = [order for name, orders in self._doors.standing().items() for order in orders if asked in (None, name)]
        return _json({"standing": standing, "given": rows})

    def snapshot(self) -> Snapshot:
        """The latest; raises an HTTPException before there is one."""
        snapshot = self._doors.snapshot()
        if snapshot is None:
            raise HTTPException(503, "the configuration is not loaded yet: try again in a moment")
        return snapshot


class CountedRoute(Route):
    """A route that leaves its template in the scope: requests are counted by it, never by their own path."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that matched."""
        scope["route_template"] = self.path
        await super().handle(scope, receive, send)


def _route(method: str, path: str, handler: Callable[[Request], Any]) -> CountedRoute:
    return CountedRoute(path, handler, methods=[method])


def _json(body: Any, code: int = 200) -> JSONResponse:
    """An answer in which no neighbour's error text can carry a secret out."""
    return JSONResponse(redactor(to_plain(body)), code)


def _whole(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= most):
        raise HTTPException(400, f"{name} must be a whole number from 1 to {most}, not {text[:40]!r}")
    return int(text)


def _flag(request: Request, name: str, *, default: bool) -> bool:
    text = request.query_params.get(name, str(default).lower())
    if text not in ("true", "false"):
        raise HTTPException(400, f"{name} must be true or false, not {text[:40]!r}")
    return text == "true"


def _since(request: Request) -> float:
    text = request.query_params.get("since")
    if text is None:
        return time.time() - HISTORY_SECONDS
    try:
        since = float(text)
    except ValueError:
        since = math.nan
    if not math.isfinite(since):
        raise HTTPException(400, f"since must be a time in seconds since 1970, not {text[:40]!r}")
    return since


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = {404: "there is nothing here; the endpoints are listed at the foot of /", 405: "this method is not served here"}
    detail = error.detail if error.detail not in ("Not Found", "Method Not Allowed") else words[error.status_code]
    return JSONResponse({"error": redactor.text(detail)}, error.status_code, headers=error.headers)


async def _unable(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": redactor.text(str(error))}, 503)
