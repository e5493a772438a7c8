"""A Redis with a quota: passes every command on and counts it, until it is spent; then each one gets the provider's own refusal."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

REFUSAL = b"-ERR max requests limit exceeded. Limit: 500000, Usage: 500000. See https://upstash.com/docs/redis for details\r\n"


class QuotaProxy:
    """Stands before one Redis on a port of its own."""

    def __init__(self, port_behind: int) -> None:
        self.behind = port_behind
        self.commands = 0
        self.left: int | None = None
        """Commands until the quota is spent; None for no limit."""
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._server.getsockname()[1]}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), client, socket.create_connection(("127.0.0.1", self.behind)) as server:
            threading.Thread(target=_pump, args=(server, client), daemon=True).start()
            commands = client.makefile("rb")
            while command := _read(commands):
                self.commands += 1
                if self._is_spent():
                    client.sendall(REFUSAL)
                else:
                    server.sendall(command)

    def _is_spent(self) -> bool:
        if self.left is None:
            return False
        self.left = max(0, self.left - 1)
        return self.left == 0


def _read(commands: BinaryIO) -> bytes:
    """One command as it came; empty at the end."""
    head = commands.readline()
    if not head:
        return b""
    parts = [head]
    for _ in range(int(head[1:])):
        size = commands.readline()
        parts += [size, commands.read(int(size[1:]) + 2)]
    return b"".join(parts)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)


@contextmanager
def quota(url_behind: str) -> Iterator[QuotaProxy]:
    """A proxy before this Redis for as long as the block lasts."""
    proxy = QuotaProxy(int(url_behind.rpartition(":")[2].partition("/")[0]))
    try:
        yield proxy
    finally:
        proxy.close()
