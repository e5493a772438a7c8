"""The application behind fake doors, asked without a network."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from telling import a_decision, a_record, a_snapshot, a_step

from autoscaler.desk import NotKept
from autoscaler.model import Order
from autoscaler.report.journal import JournalUnreadable
from autoscaler.report.snapshot import Snapshot
from autoscaler.web.app import Doors, build_app
from autoscaler.web.tokens import Key

TOKEN = "a-token-of-thirty-two-characters"


class House:
    """Who stands behind the doors: every answer can be set, every call is noted."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.snapshot: Snapshot | None = snapshot or a_snapshot(a_record(a_decision("browser", a_step(0, 2))))
        self.alive: tuple[bool, str] = (True, "the last tick ended 1.0 s ago")
        self.tokens: tuple[str, ...] = (TOKEN,)
        self.wake_tokens: tuple[str, ...] = ()
        self.allowed_hosts: tuple[str, ...] = ()
        self.orders: list[Order] = []
        self.desk_error = ""
        self.rows: list[dict[str, Any]] = []
        self.journal_error = ""
        self.page = b""
        self.reloads = 0
        self.asked: list[tuple] = []
        self.counted: list[tuple[str, str, int]] = []
        self.doors = Doors(
            snapshot=lambda: self.snapshot,
            metrics=lambda accept: (self.page or f"accept={accept}\n".encode(), "text/plain; version=0.0.4; charset=utf-8"),
            decisions=lambda *question: self._read("decisions", *question),
            history=lambda *question: self._read("history", *question),
            news=self._news,
            give=self._give,
            standing=lambda: {order.pool: (order,) for order in self.orders},
            ordered=lambda *question: self._read("orders", *question),
            reload=self._reload,
            alive=lambda: self.alive,
            keys=lambda: tuple(Key(f"key{n}", token) for n, token in enumerate(self.tokens)),
            wake_keys=lambda: tuple(Key("producer", token) for token in self.wake_tokens),
            allowed_hosts=lambda: self.allowed_hosts,
            counted=lambda *request: self.counted.append(request),
        )
        self.app = build_app(self.doors)

    def _read(self, what: str, *question: Any) -> list[dict[str, Any]]:
        if self.journal_error:
            raise JournalUnreadable(self.journal_error)
        self.asked.append((what, *question))
        return self.rows

    def _news(self, after: int, _limit: int) -> list[dict[str, Any]]:
        return [row for row in self._read("news", after) if row.get("id", 0) > after]

    def _give(self, order: Order) -> tuple[Order, ...]:
        if self.desk_error:
            raise NotKept(self.desk_error)
        self.orders.append(order)
        return (order,)

    def _reload(self, order: Order) -> None:
        self.reloads += 1
        self.reloaded_by = order.by

    def ask(self, method: str, path: str, client: tuple[str, int] = ("127.0.0.1", 123), **request: Any) -> httpx.Response:
        """One request from this address, answered by the application in this process."""

        async def asking() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=client)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as asker:
                return await asker.request(method, path, **request)

        return asyncio.run(asking())

    def get(self, path: str, **request: Any) -> httpx.Response:
        """One GET."""
        return self.ask("GET", path, **request)

    def post(self, path: str, token: str | None = TOKEN, headers: dict[str, str] | None = None, **request: Any) -> httpx.Response:
        """One POST, with a token unless there is none."""
        bearer = {"authorization": f"Bearer {token}"} if token is not None else {}
        return self.ask("POST", path, headers=bearer | (headers or {}), **request)
