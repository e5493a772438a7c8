"""Reads queue depths of any broker but Redis (RabbitMQ, SQS, files, memory, ...) by asking kombu whether a queue exists.

A passive declare answers with the number of messages that are ready. What was taken and not acknowledged cannot be seen this way.
kombu blocks, so it works in a thread; a call that hangs keeps its one thread, and no second one is started beside it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from kombu.connection import Connection

from autoscaler.config.models import BrokerSettings
from autoscaler.errors import AnswerUnusable, SourceUnreachable
from autoscaler.model import Health
from autoscaler.sources.sight import Sight

NOT_FOUND = 404
ACCESS_REFUSED = 403


class KombuBroker:
    """One broker, asked through one kept kombu connection."""

    def __init__(self, settings: BrokerSettings) -> None:
        self.commands_sent = 0
        self._settings = settings
        self._connection: Any = None
        self._thread: threading.Thread | None = None

    @property
    def place(self) -> str:
        """Which broker."""
        return f"broker {self._settings.name}"

    async def read(self, queues: Sequence[str]) -> Sight:
        """Waiting messages of each of these queues."""
        if self._thread is not None and self._thread.is_alive():
            raise SourceUnreachable(f"broker {self._settings.name} still has not answered an earlier question", kind=Health.TIMEOUT)
        answer: Future[Sight] = Future()
        self._thread = threading.Thread(target=_run, args=(answer, lambda: self._read(queues)), name="kombu", daemon=True)
        self._thread.start()
        return await asyncio.wrap_future(answer)

    async def state(self) -> None:
        """Such a broker says nothing of its use."""

    async def close(self) -> None:
        """Let go of the connection; a socket that hangs is left to its thread."""
        if not (self._thread and self._thread.is_alive()):
            self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.collect(socket_timeout=0.1)

    def _read(self, queues: Sequence[str]) -> Sight:
        try:
            if self._connection is None:
                self._connection = self._connect()
            depths = {queue: self._depth(self._connection, queue) for queue in queues}
        except Exception as error:
            # Every transport raises what its library raises; the text may quote the address with its password.
            self._drop()
            raise self._in_words(error) from error
        missing = [queue for queue, depth in depths.items() if depth is None]
        notes = (f"not on the broker yet, counted as empty: {', '.join(missing)}",) if missing and self._is_amqp else ()
        return Sight(queues={queue: depth or 0 for queue, depth in depths.items()}, notes=notes)

    def _depth(self, connection: Any, queue: str) -> int | None:
        """Ready messages; None where there is no such queue, which for most transports is one that is empty."""
        self.commands_sent += 1
        channel = connection.default_channel
        try:
            return int(channel.queue_declare(queue=queue, passive=True).message_count)
        except connection.channel_errors as error:
            if _code(error) != NOT_FOUND:
                raise
            return None

    @property
    def _kind(self) -> str:
        return self._settings.url.get_secret_value().partition(":")[0]

    @property
    def _is_amqp(self) -> bool:
        return self._kind in ("amqp", "amqps", "pyamqp", "librabbitmq")

    def _connect(self) -> Any:
        """A connection that does not wait and try on: the next look is the retry."""
        seconds, settings = self._settings.timeout, self._settings
        once = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
        options: dict[str, Any] = dict(once)
        if self._is_amqp:
            options |= {"read_timeout": seconds, "write_timeout": seconds}
        else:
            options |= {"global_keyprefix": settings.global_keyprefix, "priority_steps": list(settings.priority_steps), "sep": settings.sep}
        new: Callable[..., Any] = Connection
        connection = new(settings.url.get_secret_value(), connect_timeout=seconds, transport_options=options)
        connection.ensure_connection(**once, reraise_as_library_errors=False)
        return connection

    def _in_words(self, error: Exception) -> SourceUnreachable | AnswerUnusable:
        who = self.place
        if _code(error) == ACCESS_REFUSED:
            text = f"{who} refuses the login or the virtual host: check user, password and path in its url"
            return AnswerUnusable(text, kind=Health.AUTH)
        if self._kind == "sentinel":
            text = f"{who}: Redis Sentinel cannot be asked here; give the address of the primary, redis://..."
            return SourceUnreachable(text, kind=Health.UNUSABLE)
        if isinstance(error, ImportError | KeyError | NameError):
            text = f"{who}: kombu has no transport for this url, or a library that it needs is not installed"
            return SourceUnreachable(text, kind=Health.UNUSABLE)
        if isinstance(error, OSError):
            return SourceUnreachable(f"{who} cannot be reached: {error.strerror or type(error).__name__}", kind=Health.UNREACHABLE)
        return SourceUnreachable(f"{who} could not be read through kombu: {type(error).__name__}", kind=Health.UNREACHABLE)


def _run(answer: Future[Sight], read: Callable[[], Sight]) -> None:
    answer.set_running_or_notify_cancel()
    try:
        answer.set_result(read())
    except Exception as error:
        answer.set_exception(error)


def _code(error: Exception) -> int:
    return int(getattr(error, "reply_code", 0) or getattr(error, "code", 0) or 0)
