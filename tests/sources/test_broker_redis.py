"""A broker source before a real Redis that real Celery fills."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis
from kombu import Connection, Exchange, Producer, Queue
from live import Workers, a_redis, commands, until

from autoscaler.config.models import BrokerSettings
from autoscaler.errors import AnswerUnusable
from autoscaler.sources import broker_redis
from autoscaler.sources.broker import BrokerSource
from autoscaler.sources.sight import Sight, Wanted

pytestmark = pytest.mark.real
QUEUES = ("celery", "video", "audio", "mail")
Send = Callable[..., None]


@asynccontextmanager
async def a_source(url: str, **settings: object) -> AsyncIterator[BrokerSource]:
    """A source that is closed at the end."""
    source = BrokerSource(BrokerSettings.model_validate({"name": "primary", "url": url, **settings}))
    try:
        yield source
    finally:
        await source.close()


def look(url: str, *queues: str, **settings: object) -> Sight:
    """One look by a new source."""

    async def once() -> Sight:
        async with a_source(url, **settings) as source:
            return await source.look(Wanted(now=1000.0, queues=queues or QUEUES))

    return asyncio.run(once())


@pytest.fixture
def send(redis_url: str) -> Send:
    """Publish a task of workapp.py as Celery does, to a queue of the default exchange or through a named one."""
    from celery import Celery

    def send_task(name: str = "quick", *args: object, **options: object) -> None:
        app = Celery(broker=redis_url)
        app.conf.broker_transport_options = options.pop("transport", {})
        app.send_task(f"workapp.{name}", args, **options)
        app.close()

    return send_task


def test_counts_every_queue_also_without_workers(redis_url: str, send: Send) -> None:
    """A queue that nobody consumes is counted, an empty one is a known zero."""
    for _ in range(3):
        send(queue="video")
    send(queue="celery")

    sight = look(redis_url)

    assert sight.queues == {"celery": 1, "video": 3, "audio": 0, "mail": 0}
    assert sight.unacked == dict.fromkeys(QUEUES, 0)


def test_sums_the_lists_of_all_priorities(redis_url: str, send: Send) -> None:
    """Messages of each priority step count, those below and those above."""
    for priority in (0, 1, 3, 5, 9, 9):
        send(queue="video", priority=priority)

    assert look(redis_url).queues["video"] == 6
    assert look(redis_url, priority_steps=[0]).queues["video"] == 2


def test_reads_own_steps_and_separator(redis_url: str, send: Send) -> None:
    """Whoever changed how kombu names its lists says so in the settings."""
    options = {"priority_steps": [1, 5], "sep": ":"}
    for priority in (1, 5, 9):
        send(queue="video", priority=priority, transport=options)

    assert look(redis_url, **options).queues["video"] == 3


def test_reads_under_a_prefix(redis_url: str, send: Send) -> None:
    """With a key prefix only the queues of that name are ours."""
    send(queue="video", transport={"global_keyprefix": "shop:"})
    send(queue="video", transport={"global_keyprefix": "blog:"})

    assert look(redis_url, global_keyprefix="shop:").queues["video"] == 1
    assert look(redis_url).queues["video"] == 0


@pytest.mark.parametrize("options", [{}, {"global_keyprefix": "shop:"}], ids=["plain", "prefixed"])
def test_finds_what_a_killed_worker_left_behind(
    options: dict[str, str], redis_url: str, send: Send, workers: Workers, tmp_path: Path
) -> None:
    """After a SIGKILL the lists are empty, and the lost messages are told by their queue: by name, topic and direct exchange."""
    gate = str(tmp_path / "gate")
    worker = workers.start("-P", "solo", env={"WORKAPP_LATE": "1", "WORKAPP_OPTIONS": json.dumps(options)})
    with Connection(redis_url, transport_options=options) as connection:
        audio = Queue("audio", Exchange("media", type="topic"), routing_key="media.audio.*")
        producer = Producer(connection.channel())
        hold = {"headers": {"task": "workapp.hold", "id": "1"}, "body": [[gate], {}, {}], "serializer": "json"}
        producer.publish(**hold, exchange=audio.exchange, routing_key="media.audio.mp3", declare=[audio])
    until(lambda: look(redis_url, **options).unacked["audio"] == 1)

    worker.signal(signal.SIGKILL)
    worker.process.wait(5)

    sight = look(redis_url, **options)
    assert sight.unacked == {"celery": 0, "video": 0, "audio": 1, "mail": 0}
    assert sight.queues == dict.fromkeys(QUEUES, 0)


def test_tells_the_queues_of_what_workers_hold(redis_url: str, send: Send, workers: Workers, tmp_path: Path) -> None:
    """Running with late acknowledgement, prefetched and planned messages are unacknowledged, each of its queue."""
    gate = str(tmp_path / "gate")
    workers.start("-P", "prefork", "-c", "2", env={"WORKAPP_LATE": "1"})

    for queue, times in {"celery": 2, "mail": 3}.items():
        for _ in range(times):
            send("hold", gate, queue=queue)
    send("quick", queue="video", countdown=600)

    until(lambda: look(redis_url).unacked == {"celery": 2, "video": 1, "audio": 0, "mail": 3})


def test_an_idle_look_costs_one_command(redis_url: str) -> None:
    """However many queues and priorities there are, and nothing is sent for connecting."""

    async def five_looks() -> int:
        async with a_source(redis_url) as source:
            for _ in range(5):
                await source.look(Wanted(now=1000.0, queues=QUEUES))
            return source.commands_sent

    assert asyncio.run(five_looks()) == 5
    assert commands(redis_url) == {"exists": 5}


def test_a_busy_look_costs_little_more_than_a_command_per_queue(redis_url: str, send: Send) -> None:
    """Lists of other priorities are asked for only where there are any; of a short queue the next task is asked for its time."""
    send(queue="video")
    before = commands(redis_url)

    look(redis_url)

    after = commands(redis_url)
    assert {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)} == {
        "exists": 2,
        "llen": 4,
        "hlen": 1,
        "lindex": 1,
    }


def test_counts_what_it_sends(redis_url: str) -> None:
    """The number told to the budget is the number that the server counts, the choice of a database included."""
    database_3 = redis_url.removesuffix("/0") + "/3"

    async def one_look() -> int:
        async with a_source(database_3) as source:
            await source.look(Wanted(now=1000.0, queues=QUEUES))
            return source.commands_sent

    assert asyncio.run(one_look()) == 2
    assert commands(redis_url) == {"select": 1, "exists": 1}


def test_connects_anew_once_when_the_server_hung_up(redis_url: str) -> None:
    """A kept connection that the server closed while idle costs no look."""

    async def looks() -> Sight:
        async with a_source(redis_url) as source:
            await source.look(Wanted(now=1000.0, queues=("celery",)))
            with redis.Redis.from_url(redis_url) as client:
                client.client_kill_filter(_type="normal", skipme=True)
            return await source.look(Wanted(now=1002.0, queues=("celery",)))

    assert asyncio.run(looks()).queues == {"celery": 0}


def test_keeps_one_connection(redis_url: str) -> None:
    """Many looks, one socket."""

    async def looks() -> int:
        async with a_source(redis_url) as source:
            for _ in range(20):
                await source.look(Wanted(now=1000.0, queues=QUEUES))
            with redis.Redis.from_url(redis_url) as client:
                return len(client.client_list())

    assert asyncio.run(looks()) == 2


def test_a_wrong_key_spoils_only_its_queue(redis_url: str, send: Send) -> None:
    """A key of another kind under a queue's name is a gap for this queue, in words; the others are read."""
    send(queue="mail")
    with redis.Redis.from_url(redis_url) as client:
        client.set("video", "not a list")

    sight = look(redis_url)

    assert sight.queues == {"celery": 0, "audio": 0, "mail": 1}
    assert "another kind of key" in sight.gaps["video"]


def test_a_wrong_unacked_key_is_unknown(redis_url: str) -> None:
    """Where the hash is something else nobody says zero."""
    with redis.Redis.from_url(redis_url) as client:
        client.set("unacked", "not a hash")

    sight = look(redis_url)

    assert sight.unacked is None
    assert "another kind of key" in sight.notes[0]


def test_many_unacknowledged_messages_are_read_in_part(redis_url: str) -> None:
    """Past the cap a look does not grow, and every queue may own one of those that were not read."""
    with redis.Redis.from_url(redis_url) as client:
        client.hset("unacked", mapping={str(n): json.dumps([{}, "", "mail"]) for n in range(3 * broker_redis.ENTRIES_READ)})

    unacked = look(redis_url).unacked

    assert unacked is not None
    assert unacked["celery"] == unacked["video"] == unacked["audio"] == 1
    assert broker_redis.ENTRIES_READ <= unacked["mail"] < 2 * broker_redis.ENTRIES_READ


def test_large_messages_are_read_in_part(redis_url: str) -> None:
    """Tasks that carry files do not flood a look: after the first few it stops at the cap of bytes."""
    with redis.Redis.from_url(redis_url) as client:
        client.hset("unacked", mapping={str(n): json.dumps([{"body": "x" * 100_000}, "", "mail"]) for n in range(500)})

    unacked = look(redis_url).unacked

    assert unacked is not None
    assert unacked["celery"] == 1
    assert 20 <= unacked["mail"] < 100


def test_speaks_to_a_locked_redis(tmp_path: Path) -> None:
    """User and password of the address are used; a wrong one is named as such, and shown nowhere."""
    with a_redis(tmp_path, "--requirepass", "opensesame") as url:
        right, wrong = url.replace("//", "//:opensesame@"), url.replace("//", "//:opensaysme@")

        assert look(right, "celery").queues == {"celery": 0}
        for refused in (wrong, url):
            with pytest.raises(AnswerUnusable, match=r"broker primary at 127\.0\.0\.1:\d+ refuses the login") as caught:
                look(refused, "celery")
            assert "opensaysme" not in str(caught.value)


def test_speaks_over_a_unix_socket(tmp_path: Path) -> None:
    """Both spellings of a socket's address work."""
    path = tmp_path / "redis.sock"
    with a_redis(tmp_path, "--unixsocket", str(path)):
        assert look(f"unix://{path}", "celery").queues == {"celery": 0}
        assert look(f"redis+socket://{path}?virtual_host=1", "celery").queues == {"celery": 0}


def test_a_user_without_scan_is_told_so(redis_url: str) -> None:
    """Where the messages may be counted and not read, every queue may own them, and a note says what to allow."""
    with redis.Redis.from_url(redis_url) as client:
        client.hset("unacked", "1", json.dumps([{}, "", "mail"]))
        client.acl_setuser("reader", enabled=True, passwords=["+pw"], keys=["*"], commands=["+exists", "+llen", "+hlen"])

    sight = look(redis_url.replace("//", "//reader:pw@"))

    assert sight.unacked == dict.fromkeys(QUEUES, 1)
    assert "allow EXISTS, LLEN, HLEN, HSCAN, SSCAN" in sight.notes[0]
