"""Neighbours to look at: recorded answers served for real over loopback, and servers that misbehave in one way each."""

from __future__ import annotations

import asyncio
import functools
import gzip
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parent / "recorded"
QUEUES, STATUS, WORKERS, METRICS = "/api/queues/length", "/api/workers?status=1", "/workers?json=1", "/metrics"


@dataclass(frozen=True)
class Reply:
    """One whole HTTP answer."""

    status: int = 200
    content_type: str = "application/json"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Misbehaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]
Page = Reply | Misbehaviour


def recorded(version: str, name: str) -> Reply:
    """An answer as Flower of this version gave it."""
    page = json.loads((RECORDED / f"flower-{version}" / f"{name}.json").read_text())
    body = page["body"] if isinstance(page["body"], str) else json.dumps(page["body"])
    return Reply(page["status"], page["content_type"], body.encode())


def as_json(value: Any) -> Reply:
    """An answer made up for the test."""
    return Reply(body=json.dumps(value).encode())


@dataclass
class Neighbour:
    """A running server: where it is, what it was asked, and what it answers (may be changed while it runs)."""

    url: str
    pages: dict[str, Page]
    requests: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)


@contextmanager
def neighbour(pages: Mapping[str, Page] | Page) -> Iterator[Neighbour]:
    """Serve these pages by path and query, or one page for every path, in a thread of its own; anything else is Flower's 404."""
    there = Neighbour("", dict(pages) if isinstance(pages, Mapping) else {"*": pages})
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(lambda r, w: _serve(there, r, w), "127.0.0.1", 0))
    there.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield there
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


async def _stop(server: asyncio.Server) -> None:
    server.close()
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


async def _serve(there: Neighbour, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            path = head.split(b" ", 2)[1].decode()
            there.requests.append(path)
            there.heads.append(head.decode())
            page = there.pages.get("*") or there.pages.get(path) or recorded("2.2.0", "s12-url-prefix/get_metrics")
            if not isinstance(page, Reply):
                await page(writer)
                break
            writer.write(_whole(page))
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
        pass
    finally:
        writer.close()


def _whole(page: Reply) -> bytes:
    extra = "".join(f"{name}: {value}\r\n" for name, value in page.headers.items())
    head = f"HTTP/1.1 {page.status} Whatever\r\nContent-Type: {page.content_type}\r\nContent-Length: {len(page.body)}\r\n{extra}\r\n"
    return head.encode() + page.body


# ---------------------------------------------------------------- the misbehaving


async def silent(writer: asyncio.StreamWriter) -> None:
    """Accepts, reads the request and never answers."""
    await asyncio.sleep(3600)


async def dripping(writer: asyncio.StreamWriter) -> None:
    """Announces a large body and sends a byte every 50 ms, which no timeout per read ever notices."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def endless(writer: asyncio.StreamWriter) -> None:
    """Sends a body without length and without end."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        writer.write(b" " * 65536)
        await writer.drain()


async def bombing(writer: asyncio.StreamWriter) -> None:
    """Sends 30 MB of zeros packed into 30 kB."""
    body = _bomb()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()


@functools.cache
def _bomb() -> bytes:
    return gzip.compress(b"0" * 30_000_000)


async def truncating(writer: asyncio.StreamWriter) -> None:
    """Announces more than it sends and hangs up."""
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n{"active_queues": [')
    await writer.drain()


async def babbling(writer: asyncio.StreamWriter) -> None:
    """Speaks, but not HTTP."""
    writer.write(b"220 mail.example ESMTP\r\n")
    await writer.drain()


REDIRECT = Reply(302, "text/html", b"", {"Location": "https://login.example/oauth?state=topsecret"})


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def a_server(talk: Talk) -> AsyncIterator[int]:
    """The port of a server on loopback that treats every connection like this."""

    async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(quietly, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
