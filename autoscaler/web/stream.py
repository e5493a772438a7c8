"""What open pages are told while they are open: server-sent events, composed once for all of them.

One watcher runs while anybody listens. It compares the latest snapshot with the one it told last, a few times a second, so the
loop neither knows nor waits for anybody. Each listener takes the newest frame when its connection has room: one that is a frame
behind gets what changed, one that missed more gets the whole status, and nothing is ever queued for a slow one. Which events
there are and what they hold stands in `docs/http-api.md`.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from autoscaler.errors import AutoscalerError
from autoscaler.report.snapshot import Snapshot
from autoscaler.web.brief import Briefs, changes

MOST_LISTENERS = 40
LOOK_SECONDS = 0.25
HEARTBEAT_SECONDS = 10.0
"""After so long without anything to tell a listener is told the time: the connection lives, though the loop may not."""
NEWS_KEPT = 100
"""Decisions that a new listener is told."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Frame:
    """One snapshot as it is told."""

    number: int
    told: dict[str, Any]
    whole: bytes
    change: bytes
    """What differs from the frame before; empty where only the whole can be told."""


class Stream:
    """All listeners and what they are told."""

    def __init__(self, snapshot: Callable[[], Snapshot | None], briefs: Briefs, news: Callable[[int, int], Rows]) -> None:
        """`news` takes the id of the last decision known and a limit; newest last; it may raise an AutoscalerError."""
        self._snapshot, self._briefs, self._read_news = snapshot, briefs, news
        self._life = secrets.token_hex(4)
        self._log = structlog.stdlib.get_logger("autoscaler.web")
        self._listeners = 0
        self._closed = False
        self._moved = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None
        self._seen: Snapshot | None = None
        """The latest that was told, or tried to be."""
        self._composed = 0
        self._frame: Frame | None = None
        self._news: deque[dict[str, Any]] = deque(maxlen=NEWS_KEPT)

    async def serve(self, request: Request) -> Response:
        """One listener, for as long as it stays."""
        if self._listeners >= MOST_LISTENERS:
            words = f"{MOST_LISTENERS} pages are open already: close one, or ask /api/v1/status"
            raise HTTPException(503, words, headers={"retry-after": "10"})
        events = self.events(request.headers.get("last-event-id", ""))
        return StreamingResponse(events, media_type="text/event-stream", headers={"cache-control": "no-store", "x-accel-buffering": "no"})

    def close(self) -> None:
        """End every stream within a moment, so that the server can stop; from any thread."""
        self._closed = True

    async def events(self, last: str) -> AsyncGenerator[bytes, None]:
        """What one listener is told, whose newest event was `last`."""
        self._listeners += 1
        try:
            self._begin_watching()
            told, heard = (self._frame.number if self._frame and last == self._id(self._frame.number) else 0), 0
            while not self._closed:
                moved, newest, news = self._moved, self._frame, tuple(self._news)
                if newest and newest.number != told:
                    yield newest.change if newest.change and newest.number == told + 1 else newest.whole
                    told = newest.number
                if fresh := [row for row in news if row["id"] > heard]:
                    yield _event("decisions", fresh)
                    heard = fresh[-1]["id"]
                if moved is self._moved and not await _set_within(moved, HEARTBEAT_SECONDS):
                    yield _event("heartbeat", {"now": time.time()})
        finally:
            self._listeners -= 1

    # ------------------------------------------------------------ the watcher

    def _begin_watching(self) -> None:
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while self._listeners and not self._closed:
            try:
                frame, fresh = await run_in_threadpool(self._look, self._frame)
                self._tell(frame, fresh)
            except Exception:
                self._log.exception("open pages were not told of the last tick")
            await asyncio.sleep(LOOK_SECONDS)
        self._frame = self._seen = None  # whoever comes next is not told what was true long ago
        self._wake()

    def _tell(self, frame: Frame | None, fresh: Rows) -> None:
        self._frame = frame or self._frame
        self._news.extend(fresh)
        if frame or fresh:
            self._wake()

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def _look(self, before: Frame | None) -> tuple[Frame | None, Rows]:
        """What is new since, composed in a thread so that nobody else waits for it."""
        snapshot = self._snapshot()
        if snapshot is None or snapshot is self._seen:
            return None, self._fresh_news()
        self._seen = snapshot
        return self._compose(snapshot, before), self._fresh_news()

    def _compose(self, snapshot: Snapshot, before: Frame | None) -> Frame:
        self._composed += 1
        told, mark = self._briefs.of(snapshot), self._id(self._composed)
        changed = changes(before.told, told) if before else None
        return Frame(self._composed, told, _event("status", told, mark), _event("change", changed, mark) if changed else b"")

    def _fresh_news(self) -> Rows:
        try:
            return self._read_news(self._news[-1]["id"] if self._news else 0, NEWS_KEPT)
        except AutoscalerError:  # the status says that the journal cannot be written; here nothing is new
            return []

    def _id(self, number: int) -> str:
        """Unlike every id of a daemon that ran before."""
        return f"{self._life}-{number}"


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _event(name: str, data: Any, mark: str = "") -> bytes:
    line = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return f"{f'id: {mark}{chr(10)}' if mark else ''}event: {name}\ndata: {line}\n\n".encode()
