"""Tries a Redis step by step, as a worker would use it, so that `check` can say at which step it fails and what to do.

Name, TCP, TLS and certificate, login, PING, the commands that Celery sends on a key of its own, and what the server says of itself
(`broker_verdicts.py` judges that). Each step needs the one before, so the first that fails is the last. Nothing but that key is
touched; it is gone afterwards, by itself where the connection breaks in between. No text carries a password.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from autoscaler.config.costly import bills_commands
from autoscaler.config.models import BrokerSettings
from autoscaler.errors import SightError
from autoscaler.model import Health
from autoscaler.model.health import REMEDY, spoken
from autoscaler.sources import broker_verdicts
from autoscaler.sources.broker_verdicts import Trial
from autoscaler.sources.redis_line import SCHEMES, RedisLine

KEY_SECONDS = 60
"""After so long the keys of a trial that broke off are gone."""
SLOW_SECONDS = 0.05
"""A round trip beyond which a publish, which takes one or two, is felt."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a broker is, as far as its address says."""

    scheme: str
    host: str
    port: int

    @property
    def tls(self) -> bool:
        return self.scheme == "rediss"


class _Failed(Exception):
    """A step that did not pass: what is wrong and what to do."""


def can_be_tried(settings: BrokerSettings) -> bool:
    """Whether it is a Redis: any other broker only kombu can speak to."""
    return urlsplit(settings.url.get_secret_value()).scheme in SCHEMES


async def trials(settings: BrokerSettings) -> AsyncIterator[Trial]:
    """What each step found, up to the first that failed."""
    trial = BrokerTrial(settings)
    try:
        for step in trial.steps():
            found = await _within(settings.timeout, step)
            for each in found:
                yield Trial(each.step, each.verdict, trial.masked(each.text))
            if any(each.verdict == "failed" for each in found):
                return
    finally:
        await trial.close()


class BrokerTrial:
    """One broker on trial; the steps share its connection."""

    def __init__(self, settings: BrokerSettings) -> None:
        self._settings = settings
        self._url = settings.url.get_secret_value()
        parts = urlsplit(self._url)
        self._secrets = {text for text in (parts.password, unquote(parts.password or "")) if text}
        self._place = _Place(parts.scheme, parts.hostname or "localhost", parts.port or 6379)
        self._line = RedisLine(settings.name, self._url)

    def steps(self) -> tuple[Step, ...]:
        """In their order; a socket of this machine has no name, no port and no TLS."""
        network = () if self._place.scheme in ("unix", "redis+socket") else (self.dns, self.tcp, self.tls)
        return (*network, self.login, self.ping, self.commands, self.itself)

    def masked(self, text: str) -> str:
        """Without the password, in whatever somebody else has said, and without the broker's name, which stands before it anyway."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text.removeprefix(f"{self._line.place} ")

    async def close(self) -> None:
        """Let go of the connection."""
        await self._line.close()

    # ------------------------------------------------------------ the steps

    async def dns(self) -> list[Trial]:
        """The name has an address."""
        host = self._place.host
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, self._place.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise _Failed(f"{host} has no address: check the name, and that both are in the same network") from error
        return [_ok("dns", f"{host} is {', '.join(dict.fromkeys(str(each[4][0]) for each in found))}")]

    async def tcp(self) -> list[Trial]:
        """Somebody accepts connections there."""
        place = self._place
        try:
            _, writer = await asyncio.open_connection(place.host, place.port)
        except ConnectionRefusedError as error:
            raise _Failed(f"{place.host}:{place.port} refuses connections: is Redis running and listening there?") from error
        except OSError as error:
            raise _Failed(f"{place.host}:{place.port} cannot be reached ({error.strerror}): look at firewalls between") from error
        writer.transport.abort()
        return [_ok("tcp", f"{place.host}:{place.port} accepts connections")]

    async def tls(self) -> list[Trial]:
        """The connection is encrypted, and the certificate is trusted and lasts; a broker beyond this machine without it is told."""
        place = self._place
        if not place.tls:
            return broker_verdicts.without_tls(place.host)
        try:
            context = self._line.tls_context()
        except SightError as error:
            raise _Failed(str(error)) from error
        except (OSError, ValueError) as error:
            raise _Failed(f"a certificate file of its url cannot be used: {error}") from error
        try:
            _, writer = await asyncio.open_connection(place.host, place.port, ssl=context)
        except ssl.SSLCertVerificationError as error:
            raise _Failed(broker_verdicts.untrusted(error, place.host)) from error
        except (ssl.SSLError, ConnectionError) as error:
            raise _Failed("does not speak TLS on this port: write redis:// for it, or give its TLS port") from error
        secured = writer.get_extra_info("ssl_object")
        found = [_ok("tls", f"{secured.version()}"), *broker_verdicts.certificate(secured.getpeercert(), time.time())]
        writer.transport.abort()
        return found

    async def login(self) -> list[Trial]:
        """User and password are right, and the database is there."""
        try:
            await self._ask(("PING",))
        except SightError as error:
            if error.kind == Health.AUTH and not self._secrets:
                raise _Failed(f"asks for a password, and the url has none: write {self._place.scheme}://:password@host") from error
            raise
        return [_ok("login", "accepted" if self._secrets else "not asked for")]

    async def ping(self) -> list[Trial]:
        """It answers, and how fast."""
        began = time.monotonic()
        await self._ask(("PING",))
        took = time.monotonic() - began
        if took > SLOW_SECONDS:
            return [Trial("ping", "warning", f"{took * 1000:.0f} ms: every publish waits so long at least; is it on another continent?")]
        return [_ok("ping", f"{took * 1000:.1f} ms")]

    async def commands(self) -> list[Trial]:
        """What Celery sends, on a key of its own: a list, a hash, a set, a sorted set, a transaction and a message to nobody."""
        key = f"{self._settings.global_keyprefix}autoscaler.check.{secrets.token_hex(8)}"
        kinds = [f"{key}.{kind}" for kind in ("list", "hash", "set", "zset")]
        await self._use(("LPUSH", kinds[0], "x"), ("EXPIRE", kinds[0], KEY_SECONDS))
        answers = await self._use(
            ("BRPOP", kinds[0], 1),
            ("EXISTS", kinds[0]),
            ("LLEN", kinds[0]),
            ("HSET", kinds[1], "a", "b"),
            ("EXPIRE", kinds[1], KEY_SECONDS),
            ("HLEN", kinds[1]),
            ("SADD", kinds[2], "a"),
            ("EXPIRE", kinds[2], KEY_SECONDS),
            ("ZADD", kinds[3], 1, "a"),
            ("EXPIRE", kinds[3], KEY_SECONDS),
            ("MULTI",),
            ("HDEL", kinds[1], "a"),
            ("EXEC",),
            ("PUBLISH", key, "x"),
            ("DEL", *kinds),
        )
        if answers[0] is None:
            raise _Failed("a message that was put into a list was gone: something else empties lists here, or keys are evicted at once")
        return [_ok("commands", "lists, hashes, sets, transactions and messages work, writing is allowed")]

    async def itself(self) -> list[Trial]:
        """Version, memory, eviction, connections and quota, as far as it tells."""
        (answer,) = await self._line.hold(lambda: self._line.ask(("INFO",)))
        if isinstance(answer, Exception):
            return [Trial("server", "warning", "does not let its user ask INFO: memory, eviction and version cannot be checked")]
        return broker_verdicts.judge(answer, billed=bills_commands(self._settings), budget=self._settings.budget is not None)

    async def _use(self, *commands: tuple[str | int, ...]) -> list[Any]:
        """The answers of commands that Celery cannot do without; the first refusal names its command."""
        answers = await self._line.hold(lambda: self._line.ask(*commands))
        for command, answer in zip(commands, answers, strict=True):
            if isinstance(answer, Exception):
                raise _Failed(_refusal(str(command[0]), str(answer), str(self._line.in_words(answer))))
        return answers

    async def _ask(self, *commands: tuple[str | int, ...]) -> None:
        for answer in await self._line.hold(lambda: self._line.ask(*commands)):
            if isinstance(answer, Exception):
                raise self._line.in_words(answer)


Step = Callable[[], Coroutine[Any, Any, list[Trial]]]


async def _within(seconds: float, step: Step) -> list[Trial]:
    """One step under a deadline; what it could not do becomes a finding."""
    name = step.__name__ if step.__name__ != "itself" else "server"
    try:
        async with asyncio.timeout(seconds):
            return await step()
    except TimeoutError:
        remedy = "perhaps it speaks none on this port: write redis://" if name == "tls" else "look at firewalls between and at its load"
        return [Trial(name, "failed", f"no answer within {seconds:g} s: {remedy}, or allow more `timeout`")]
    except (_Failed, SightError) as error:
        return [Trial(name, "failed", str(error))]


def _ok(step: str, text: str) -> Trial:
    return Trial(step, "ok", text)


def _refusal(command: str, said: str, in_words: str) -> str:
    """Why a command was refused: a permission names the command, a state of the broker its remedy."""
    health = spoken(said)
    if "permission" in said.lower() or health is Health.AUTH:
        return f"its user may not use {command}, and a worker cannot live without: allow it (ACL SETUSER ... +{command.lower()})"
    return f"refuses {command}: {REMEDY[health]}" if health else in_words
