"""TLS in front of a real Redis, as managed ones have it: a thread that takes off the encryption and passes the bytes on."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import trustme


@contextmanager
def tls_front(redis_port: int, certificate: trustme.LeafCert) -> Iterator[int]:
    """Serve this Redis with this certificate for as long as the block lasts; gives the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    loop = asyncio.new_event_loop()
    front = loop.run_until_complete(_serve(redis_port, context))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield front.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        front.close()


async def _serve(redis_port: int, context: ssl.SSLContext) -> asyncio.Server:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_redis, to_redis = await asyncio.open_connection("127.0.0.1", redis_port)
        await asyncio.gather(_pump(reader, to_redis), _pump(from_redis, writer))

    return await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()
