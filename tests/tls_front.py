"""TLS in front of a real Redis, as managed ones have it: a thread that takes off the encryption and passes the bytes on."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import trustme

Front = tuple[int, asyncio.AbstractEventLoop, asyncio.Event]


@contextmanager
def tls_front(redis_port: int, certificate: trustme.LeafCert) -> Iterator[int]:
    """Serve this Redis with this certificate for as long as the block lasts; gives the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    started: Future[Front] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(redis_port, context, started)), daemon=True)
    thread.start()
    port, loop, over = started.result(5)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(5)


async def _serve(redis_port: int, context: ssl.SSLContext, started: Future[Front]) -> None:
    over, open_ends = asyncio.Event(), set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_redis, to_redis = await asyncio.open_connection("127.0.0.1", redis_port)
        ends = {writer.transport, to_redis.transport}
        open_ends.update(ends)
        await asyncio.wait(
            [asyncio.ensure_future(_pump(reader, to_redis)), asyncio.ensure_future(_pump(from_redis, writer))],
            return_when=asyncio.FIRST_COMPLETED,
        )
        for end in ends:
            end.abort()
        open_ends.difference_update(ends)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    started.set_result((server.sockets[0].getsockname()[1], asyncio.get_running_loop(), over))
    await over.wait()
    server.close()
    for end in open_ends:
        end.abort()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
