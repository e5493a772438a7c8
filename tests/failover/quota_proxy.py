"""A Redis with a quota: passes every command on and counts it, until it is spent; then each one gets the provider's own refusal.

TLS on both sides, as of a provider: the commands are read in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import trustme

REFUSAL = b"-ERR max requests limit exceeded. Limit: 500000, Usage: 500000. See https://upstash.com/docs/redis for details\r\n"


class QuotaProxy:
    """What it has passed on, and how much more it will; `renew` and `end_after` may be called from any thread."""

    def __init__(self, port_behind: int, authority: trustme.CA) -> None:
        self._behind = port_behind
        self._inside, self._outside = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.configure_trust(self._inside)
        authority.issue_cert("localhost").configure_cert(self._outside)
        self._left: int | None = None
        self._waits_for_publish = False
        self.refused = 0
        """Commands since the quota ended."""
        self.refused_at: float | None = None
        """When it refused the first of them."""
        self.port = 0

    def end_after(self, commands: int, *, with_publish: bool = False) -> None:
        """Refuse everything after so many more; or from the next publish on, when no worker is about to take what it just popped."""
        self.refused, self.refused_at = 0, None
        self._waits_for_publish, self._left = with_publish, commands

    def renew(self) -> None:
        """The next period has begun."""
        self._left = None

    async def serve(self, ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
        """Accept until the event is set."""
        over = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._outside)
        self.port = server.sockets[0].getsockname()[1]
        ready.set_result((asyncio.get_running_loop(), over))
        await over.wait()
        server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_redis, to_redis = await asyncio.open_connection("localhost", self._behind, ssl=self._inside)
        back = asyncio.ensure_future(_pump(from_redis, writer))
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):  # the last one at the end of it all
                while True:
                    command = await _read(reader)
                    is_spent = self._takes(command)
                    (writer if is_spent else to_redis).write(REFUSAL if is_spent else command)
                    await to_redis.drain()
        finally:
            back.cancel()
            to_redis.transport.abort()
            writer.transport.abort()

    def _takes(self, command: bytes) -> bool:
        """Count this command; whether it is refused."""
        if self._left is None:
            return False
        if self._left:
            self._left -= 1
            return False
        if self._waits_for_publish and b"LPUSH" not in command:
            return False
        self._waits_for_publish = False
        self.refused += 1
        self.refused_at = self.refused_at or time.time()
        return True


async def _read(reader: asyncio.StreamReader) -> bytes:
    """One command as it came; raises IncompleteReadError at the end."""
    head = await reader.readuntil(b"\n")
    parts = [head]
    for _ in range(int(head[1:])):
        size = await reader.readuntil(b"\n")
        parts += [size, await reader.readexactly(int(size[1:]) + 2)]
    return b"".join(parts)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.transport.abort()


@contextmanager
def quota(port_behind: int, authority: trustme.CA) -> Iterator[QuotaProxy]:
    """A proxy before this Redis for as long as the block lasts."""
    proxy, ready = QuotaProxy(port_behind, authority), Future()
    thread = threading.Thread(target=lambda: asyncio.run(proxy.serve(ready)), daemon=True)
    thread.start()
    loop, over = ready.result(5)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(5)
