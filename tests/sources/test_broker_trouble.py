"""A broker source before brokers that refuse, hang, lie or are not there: always an error in words, never a zero."""

from __future__ import annotations

import asyncio
import time

import pytest
from live import free_port
from neighbours import Talk, a_server

from autoscaler.config.models import BrokerSettings
from autoscaler.errors import AnswerUnusable, SightError, SourceUnreachable
from autoscaler.model import Health
from autoscaler.sources.broker import BrokerSource
from autoscaler.sources.sight import Sight, Wanted

WANTED = Wanted(now=1000.0, queues=("celery", "video"))


def answers(*replies: bytes) -> Talk:
    """Give these replies, one per packet received, the last one for ever."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = list(replies)
        while await reader.read(65536):
            writer.write(left.pop(0) if len(left) > 1 else left[0])
            await writer.drain()

    return talk


def source(url: str, timeout: str = "10s") -> BrokerSource:
    """A source of this address."""
    return BrokerSource(BrokerSettings.model_validate({"name": "primary", "url": url, "timeout": timeout}))


def looks(talk: Talk, times: int = 1, **settings: str) -> Sight:
    """The last of some looks at a server that talks like this."""

    async def look() -> Sight:
        async with a_server(talk) as port:
            asked = source(f"redis://:s3cret@127.0.0.1:{port}/0", **settings)
            try:
                for _ in range(times - 1):
                    with pytest.raises(SightError):
                        await asked.look(WANTED)
                return await asked.look(WANTED)
            finally:
                await asked.close()

    return asyncio.run(look())


@pytest.mark.parametrize(
    ("reply", "kind", "health", "words"),
    [
        pytest.param(
            b"-ERR max requests limit exceeded. Limit: 500000, Usage: 500000.", AnswerUnusable, Health.QUOTA, "used up its quota",
            id="quota",
        ),
        pytest.param(
            b"-ERR max daily request limit exceeded", AnswerUnusable, Health.QUOTA, "used up its quota", id="daily quota",
        ),
        pytest.param(b"-ERR DB capacity quota exceeded", AnswerUnusable, Health.FULL, "is full", id="capacity"),
        pytest.param(
            b"-LOADING Redis is loading the dataset in memory", SourceUnreachable, Health.LOADING, "still loading", id="loading",
        ),
        pytest.param(b"-ERR DB index is out of range", AnswerUnusable, Health.UNUSABLE, "no database of this number", id="database"),
        pytest.param(
            b"-ERR Only 0th database is supported! Selected DB: 3", AnswerUnusable, Health.UNUSABLE, "no database", id="one database",
        ),
        pytest.param(b"-NOAUTH Authentication required.", AnswerUnusable, Health.AUTH, "refuses the login", id="no login"),
        pytest.param(
            b"-WRONGPASS invalid username-password pair", AnswerUnusable, Health.AUTH, "refuses the login", id="wrong password",
        ),
        pytest.param(
            b"-ERR max number of clients reached", SourceUnreachable, Health.CONNECTIONS, "raise maxclients", id="full",
        ),
        pytest.param(
            b"-ERR max concurrent connections exceeded", AnswerUnusable, Health.CONNECTIONS, "raise maxclients", id="connections",
        ),
        pytest.param(
            b"-OOM command not allowed when used memory > 'maxmemory'.", AnswerUnusable, Health.FULL, "is full", id="memory",
        ),
        pytest.param(
            b"-READONLY You can't write against a read only replica.", AnswerUnusable, Health.READ_ONLY, "no writes", id="replica",
        ),
        pytest.param(b"-MOVED 866 10.0.0.1:6379", AnswerUnusable, Health.UNUSABLE, "Redis Cluster", id="cluster"),
        pytest.param(
            b"-CROSSSLOT Keys in request don't hash to the same slot", AnswerUnusable, Health.UNUSABLE, "Redis Cluster", id="cross slot",
        ),
        pytest.param(
            b"-MASTERDOWN Link with MASTER is down", AnswerUnusable, Health.READ_ONLY, "lost its primary", id="primary down",
        ),
        pytest.param(
            b"-ERR unknown command `AUTH`, with args: `s3cret`", AnswerUnusable, Health.UNUSABLE, r"args: `\*\*\*`",
            id="echoes the password",
        ),
        pytest.param(
            b"HTTP/1.1 400 Bad Request", AnswerUnusable, Health.UNUSABLE, "does not speak the protocol of Redis", id="not a Redis",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("at_login", [True, False], ids=["at login", "later"])
def test_says_what_is_wrong(at_login: bool, reply: bytes, kind: type[SightError], health: Health, words: str) -> None:
    """A refusal becomes an error that says what to do and shows no password, whenever it comes, and which trouble it is."""
    replies = (reply + b"\r\n",) if at_login else (b"+OK\r\n", reply + b"\r\n")

    with pytest.raises(kind, match=words) as caught:
        looks(answers(*replies))

    assert health == caught.value.kind
    assert "s3cret" not in str(caught.value)
    assert "broker primary at 127.0.0.1:" in str(caught.value)


@pytest.mark.parametrize("url", ["redis://:s3cret@127.0.0.1:{0}/0", "rediss://127.0.0.1:{0}", "amqp://me:s3cret@127.0.0.1:{0}//"])
def test_a_closed_port_is_unreachable(url: str) -> None:
    """Nobody listens: said at once, for every kind of broker, without password."""
    with pytest.raises(SourceUnreachable, match=r"primary.*(refuse|reach)") as caught:
        asyncio.run(source(url.format(free_port())).look(WANTED))

    assert Health.UNREACHABLE == caught.value.kind
    assert "s3cret" not in str(caught.value)


def test_a_missing_socket_is_named() -> None:
    """The file of a unix socket that is not there."""
    with pytest.raises(SourceUnreachable, match="has no socket there"):
        asyncio.run(source("unix:///nowhere/redis.sock").look(WANTED))


@pytest.mark.parametrize("scheme", ["redis", "rediss", "amqp"])
def test_a_silent_peer_costs_the_deadline(scheme: str) -> None:
    """A peer that accepts and says nothing holds a look for its timeout and no longer."""

    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    async def look() -> float:
        async with a_server(silence) as port:
            asked = source(f"{scheme}://127.0.0.1:{port}", timeout="300ms")
            begun = time.monotonic()
            with pytest.raises(SourceUnreachable, match=r"did not answer within 0\.3 s|could not be read|cannot be reached") as caught:
                await asked.look(WANTED)
            assert caught.value.kind in (Health.TIMEOUT, Health.UNREACHABLE)
            return time.monotonic() - begun

    assert asyncio.run(look()) < 1.5


def test_a_dripping_peer_costs_the_deadline() -> None:
    """An answer that never ends is cut off by the same deadline."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b":")
            await writer.drain()
            await asyncio.sleep(0.05)

    with pytest.raises(SourceUnreachable, match="did not answer within"):
        looks(drip, timeout="300ms")


def test_a_late_answer_is_not_taken_for_the_next() -> None:
    """After a timeout the connection is dropped: what arrives on it later belongs to nobody."""

    async def late_then_prompt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        late_then_prompt.calls += 1  # type: ignore[attr-defined]
        await reader.read(65536)
        writer.write(b"+OK\r\n")
        await reader.read(65536)
        if late_then_prompt.calls == 1:  # type: ignore[attr-defined]
            await asyncio.sleep(0.4)
            writer.write(b":1\r\n")
        writer.write(b":0\r\n")
        await asyncio.sleep(1)

    late_then_prompt.calls = 0  # type: ignore[attr-defined]

    assert looks(late_then_prompt, times=2, timeout="300ms").queues == {"celery": 0, "video": 0}


def test_does_not_speak_tls_in_words() -> None:
    """rediss:// to a plain Redis."""

    async def look() -> None:
        async with a_server(answers(b"-ERR unknown command\r\n")) as port:
            await source(f"rediss://127.0.0.1:{port}/0").look(WANTED)

    with pytest.raises(SourceUnreachable, match="TLS") as caught:
        asyncio.run(look())

    assert Health.TLS == caught.value.kind


@pytest.mark.parametrize("url", ["redis://:s3cret@host:notaport/0", "redis://:s3cret@host/0?visibility_timeout=5"])
def test_an_unusable_address_is_told_without_password(url: str) -> None:
    """What redis-py would quote whole is replaced by how to write it."""
    with pytest.raises(SourceUnreachable, match="write it like redis://") as caught:
        asyncio.run(source(url).look(WANTED))

    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
