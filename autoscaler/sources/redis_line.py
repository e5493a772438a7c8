"""One kept connection to a Redis that sends nothing of its own accord and counts what it sends.

`broker_redis.py` hands in commands and gets plain answers. A connection that the server has closed meanwhile is made anew once;
one on which an answer may still be under way is dropped. Whatever redis-py raises ends here, in words that carry no password.
"""

from __future__ import annotations

import inspect
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import redis.exceptions as trouble
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from autoscaler.errors import AnswerUnusable, SightError, SourceUnreachable
from autoscaler.model.health import REMEDY, Health, spoken

SCHEMES = ("redis", "rediss", "unix", "redis+socket")
T = TypeVar("T")
Command = tuple[str | int, ...]


class RedisLine:
    """The connection to one Redis; for one event loop and one user at a time."""

    def __init__(self, broker: str, url: str) -> None:
        self.commands_sent = 0
        self._broker = broker
        self._url = _as_redis_py_writes(url)
        self._connection: Any = None

    async def hold(self, talk: Callable[[], Awaitable[T]]) -> T:
        """Have this talk, a second time on a new connection when the kept one turns out to be gone."""
        kept = self._connection is not None and self._connection.is_connected
        try:
            try:
                return await talk()
            except trouble.ConnectionError as error:
                if not kept or type(error) is not trouble.ConnectionError:
                    raise
                await self.close()
                return await talk()
        except trouble.ResponseError as refused:  # all answers were read: the connection is as good as before
            raise self.in_words(refused) from refused
        except (trouble.RedisError, OSError) as error:
            await self.close()
            raise self.in_words(error) from error
        except BaseException:  # the deadline: an answer that is still under way would be taken for the next one
            await self.close()
            raise

    async def ask(self, *commands: Command) -> list[Any]:
        """Send these in one go and read all answers; a refusal of one is its answer, so that the others stay in step."""
        connection = await self._connected()
        self.commands_sent += len(commands)
        await connection.send_packed_command(connection.pack_commands(commands))
        return [await _answer(connection) for _ in commands]

    async def close(self) -> None:
        """Drop the connection; the next question makes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    def tls_context(self) -> ssl.SSLContext:
        """How certificates are judged on this connection: by redis-py's own reading of the url. Of a `rediss://` url only; raises OSError
        where a file that it names cannot be read."""
        context: ssl.SSLContext = self._new_connection().ssl_context.get()
        return context

    async def _connected(self) -> Any:
        if self._connection is None:
            self._connection = self._new_connection()
        if not self._connection.is_connected:
            self.commands_sent += bool(self._connection.username or self._connection.password) + bool(self._connection.db)
            await self._connection.connect()
        return self._connection

    def _new_connection(self) -> Any:
        """A connection that sends AUTH and SELECT where needed, and nothing of redis-py's own: no HELLO, SETINFO or PING."""
        quiet = {"driver_info": None} if "driver_info" in _CONNECTION_OPTIONS else {"lib_name": None, "lib_version": None}
        untimed = {"socket_timeout": None, "socket_connect_timeout": None}  # the deadline over the whole look is the timeout
        try:
            kept = {} if self._url.startswith("unix:") else _KEPT_ALIVE
            pool: Any = ConnectionPool.from_url(self._url, protocol=2, retry=Retry(NoBackoff(), 0), **quiet, **untimed, **kept)
            return pool.make_connection()
        except (ValueError, TypeError):
            # What is raised there quotes the address, password and all: it is not passed on.
            raise SourceUnreachable(
                f"the url of broker {self._broker} cannot be used: write it like redis://:password@host:6379/0, "
                "with no other options than ssl_cert_reqs, ssl_ca_certs, ssl_certfile and ssl_keyfile",
                kind=Health.UNUSABLE,
            ) from None

    @property
    def place(self) -> str:
        """Which broker and where, as a sentence about it begins."""
        parts = urlsplit(self._url)
        return f"broker {self._broker} at {parts.hostname or parts.path}" + (f":{parts.port}" if parts.port else "")

    def in_words(self, error: BaseException) -> SightError:
        """What is wrong and what to do, without password, as the error that the loop knows."""
        parts = urlsplit(self._url)
        health, said = _trouble(error)
        for secret in filter(None, (parts.password, unquote(parts.password or ""))):
            said = said.replace(secret, "***")
        spoke = isinstance(error, trouble.ResponseError | trouble.AuthenticationError | trouble.InvalidResponse)
        return (AnswerUnusable if spoke else SourceUnreachable)(f"{self.place} {said}", kind=health)


_CONNECTION_OPTIONS = inspect.signature(AbstractConnection.__init__).parameters
_KEPT_ALIVE: dict[str, Any] = {
    "socket_keepalive": True,
    "socket_keepalive_options": {
        getattr(socket, name): seconds
        for name, seconds in {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}.items()
        if hasattr(socket, name)
    },
}
"""Between looks ten minutes apart a load balancer would forget a silent connection without a word; this costs no command."""


def good(answers: Sequence[Any]) -> Sequence[Any]:
    """The answers, if none of them is a refusal."""
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


async def _answer(connection: Any) -> Any:
    try:
        return await connection.read_response()
    except trouble.ResponseError as refused:
        return refused


def _as_redis_py_writes(url: str) -> str:
    """Celery's spelling of an address in redis-py's: its name of the socket scheme, and of certificate checks."""
    if url.startswith("redis+socket:"):
        url = url.replace("redis+socket:", "unix:", 1).replace("virtual_host=", "db=")
    for celery, ours in {"CERT_NONE": "none", "CERT_OPTIONAL": "optional", "CERT_REQUIRED": "required"}.items():
        url = url.replace(f"ssl_cert_reqs={celery}", f"ssl_cert_reqs={ours}")
    return url


# ---------------------------------------------------------------- words

_HUNG_UP = "closed the connection: is it a Redis, and does it want TLS (rediss://)?"
_CLUSTER = (Health.UNUSABLE, "is a Redis Cluster, which Celery cannot use as a broker")
_CODES = {
    "WRONGTYPE": (Health.UP, "has another kind of key under this name: check the queues, the database number and global_keyprefix"),
    "MASTERDOWN": (Health.READ_ONLY, "is a replica that has lost its primary: wait for the failover, or give the primary's address"),
    "MOVED": _CLUSTER,
    "CROSSSLOT": _CLUSTER,
}
"""What Redis says by its first word, where more can be told than `REMEDY` does."""
_NO_DATABASE = re.compile("DB index is out of range|Only 0th database|SELECT is not allowed", re.IGNORECASE)
_CAUSES: tuple[tuple[type[BaseException], Health, str], ...] = (
    (trouble.NoPermissionError, Health.AUTH, "does not let its user read: allow EXISTS, LLEN, HLEN, HSCAN, SSCAN, LINDEX and LRANGE"),
    (trouble.AuthenticationError, Health.AUTH, REMEDY[Health.AUTH]),
    (trouble.BusyLoadingError, Health.LOADING, REMEDY[Health.LOADING]),
    (socket.gaierror, Health.UNREACHABLE, "cannot be found: its name does not resolve; are both in the same network?"),
    (
        ssl.SSLCertVerificationError,
        Health.TLS,
        "has a certificate that is not trusted ({0.verify_message}): add ?ssl_ca_certs=/path/ca.pem to its url",
    ),
    (ssl.SSLError, Health.TLS, REMEDY[Health.TLS]),
    (ConnectionRefusedError, Health.UNREACHABLE, "refuses connections; is it running and listening there?"),
    (FileNotFoundError, Health.UNREACHABLE, "has no socket there: is it running, and is its folder mounted?"),
    (PermissionError, Health.UNREACHABLE, "may not be reached by this user: check the permissions of its socket"),
    (ConnectionError, Health.UNREACHABLE, _HUNG_UP),
    (OSError, Health.UNREACHABLE, "cannot be reached: {0.strerror}"),
    (trouble.InvalidResponse, Health.UNUSABLE, "does not speak the protocol of Redis: is this the right port?"),
)


def _trouble(error: BaseException) -> tuple[Health, str]:
    """What the error says of the broker's health, and in words what to do."""
    text = str(error)
    code = getattr(error, "status_code", None) or text.partition(" ")[0]
    if code in _CODES:
        return _CODES[code]
    if said := spoken(text):
        return said, REMEDY[said]
    if _NO_DATABASE.search(text):
        return Health.UNUSABLE, "has no database of this number: end its url with one that it has, managed ones often with /0"
    for cause in _chain(error):
        for kind, health, words in _CAUSES:
            if isinstance(cause, kind):
                return health, words.format(cause)
    if isinstance(error, trouble.ResponseError):
        return Health.UNUSABLE, f"refuses: {text[:200]}"
    return Health.UNREACHABLE, _HUNG_UP


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all that it came from; trying several addresses of one host gives a group."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            yield from error.exceptions
        error = error.__cause__ or error.__context__
