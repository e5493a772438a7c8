"""The application behind fake doors, asked without a network."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from telling import a_decision, a_record, a_snapshot, a_step

from autoscaler.report.journal import JournalUnreadable
from autoscaler.report.snapshot import Snapshot
from autoscaler.web.app import Doors, build_app

TOKEN = "a-token-of-thirty-two-characters"


class House:
    """Who stands behind the doors: every answer can be set, every call is noted."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.snapshot: Snapshot | None = snapshot or a_snapshot(a_record(a_decision("browser", a_step(0, 2))))
        self.alive: tuple[bool, str] = (True, "the last tick ended 1.0 s ago")
        self.tokens: tuple[str, ...] = (TOKEN,)
        self.rows: list[dict[str, Any]] = []
        self.journal_error = ""
        self.page = b""
        self.reloads = 0
        self.asked: list[tuple] = []
        self.counted: list[tuple[str, str, int]] = []
        self.app = build_app(
            Doors(
                snapshot=lambda: self.snapshot,
                metrics=lambda accept: (self.page or f"accept={accept}\n".encode(), "text/plain; version=0.0.4; charset=utf-8"),
                decisions=lambda *question: self._read("decisions", *question),
                history=lambda *question: self._read("history", *question),
                news=self._news,
                reload=self._reload,
                alive=lambda: self.alive,
                tokens=lambda: self.tokens,
                counted=lambda *request: self.counted.append(request),
            )
        )

    def _read(self, what: str, *question: Any) -> list[dict[str, Any]]:
        if self.journal_error:
            raise JournalUnreadable(self.journal_error)
        self.asked.append((what, *question))
        return self.rows

    def _news(self, after: int, _limit: int) -> list[dict[str, Any]]:
        return [row for row in self._read("news", after) if row.get("id", 0) > after]

    def _reload(self) -> None:
        self.reloads += 1

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """One request, answered by the application in this process."""

        async def asking() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **request)

        return asyncio.run(asking())

    def get(self, path: str, **request: Any) -> httpx.Response:
        """One GET."""
        return self.ask("GET", path, **request)

    def post(self, path: str, token: str | None = TOKEN, headers: dict[str, str] | None = None, **request: Any) -> httpx.Response:
        """One POST, with a token unless there is none."""
        bearer = {"authorization": f"Bearer {token}"} if token is not None else {}
        return self.ask("POST", path, headers=bearer | (headers or {}), **request)
