"""What a Redis says of itself: how much it has served, and that it takes no writes before a worker dies of that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
import redis
from live import a_redis, commands, until

from autoscaler.config.models import BrokerSettings
from autoscaler.errors import AnswerUnusable
from autoscaler.model import Health
from autoscaler.sources.broker import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, RESTING_PAUSE_SECONDS, BrokerSource
from autoscaler.sources.broker_state import state_of
from autoscaler.sources.sight import Sight, Wanted


def looks(url: str, times: Sequence[float] = (0.0,), **settings: str) -> list[Sight]:
    """Looks at these times by a source that asks for the state, too."""

    async def run() -> list[Sight]:
        source = BrokerSource(BrokerSettings.model_validate({"name": "primary", "url": url, **settings}), asks_state=True)
        try:
            return [await source.look(Wanted(1000.0 + at, ("mail",))) for at in times]
        finally:
            await source.close()

    return asyncio.run(run())


def test_reads_the_servers_own_counter(redis_url: str) -> None:
    """The number that the server gives itself, with the time of the reading."""
    with redis.Redis.from_url(redis_url) as client:
        before = client.info("stats")["total_commands_processed"]
        (sight,) = looks(redis_url)
        run = client.info("server")["run_id"]

    assert sight.served is not None
    assert (run, 1000.0) == (sight.served.run, sight.served.at)
    assert 0 < sight.served.commands - before <= 3


def test_asks_rarely(redis_url: str) -> None:
    """After one minute, two, four ..., at most every ten: in between the last reading stands."""
    sights = looks(redis_url, (0, FIRST_PAUSE_SECONDS - 1, FIRST_PAUSE_SECONDS, 3 * FIRST_PAUSE_SECONDS, 3 * FIRST_PAUSE_SECONDS + 1))

    assert [1000.0, 1000.0, 1060.0, 1180.0, 1180.0] == [sight.served.at for sight in sights if sight.served]


def test_asks_a_metered_broker_hourly_while_it_is_empty(redis_url: str) -> None:
    """Where a budget counts, asking how much is left must not use it up."""
    hour, soon = RESTING_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS
    sights = looks(redis_url, (0, soon, hour - 1, hour), budget="10000/day")

    assert [1000.0, 1000.0, 1000.0, 1000.0 + hour] == [sight.served.at for sight in sights if sight.served]
    assert 4 == commands(redis_url)["exists"]


def test_a_user_who_may_not_ask_is_no_trouble(redis_url: str) -> None:
    """The queues are read as ever; how much was served is not known."""
    with redis.Redis.from_url(redis_url) as client:
        client.acl_setuser("reader", enabled=True, passwords=["+pw"], keys=["*"], commands=["+exists", "+llen", "+hlen"])

    (sight,) = looks(redis_url.replace("//", "//reader:pw@"))

    assert sight.served is None
    assert sight.queues == {"mail": 0}


def test_a_server_without_the_question_is_no_trouble(tmp_path: Path) -> None:
    """Some who lend a Redis rename INFO away: the queues are read all the same."""
    with a_redis(tmp_path, "--rename-command", "INFO", "") as url:
        (sight,) = looks(url)

    assert (0, None) == (sight.queues["mail"], sight.served)


def test_a_replica_is_recognised(tmp_path: Path, redis_url: str) -> None:
    """It answers every question about queues, and no worker could take a task from it."""
    port = redis_url.rpartition(":")[2].partition("/")[0]
    with redis.Redis.from_url(redis_url) as primary:
        primary.config_set("repl-diskless-sync-delay", "0")  # else it waits five seconds for more replicas
    with a_redis(tmp_path, "--replicaof", "127.0.0.1", port) as replica:
        with redis.Redis.from_url(replica) as client:
            until(lambda: client.info("replication")["master_link_status"] == "up")
        with pytest.raises(AnswerUnusable, match="is a replica and takes no writes: give the address of the primary") as caught:
            looks(replica)

    assert Health.READ_ONLY == caught.value.kind


def test_a_full_redis_is_recognised(tmp_path: Path) -> None:
    """More memory is in use than it may take, and nothing is evicted."""
    with a_redis(tmp_path, "--maxmemory", "100kb", "--maxmemory-policy", "noeviction") as url:
        with pytest.raises(AnswerUnusable, match="is full and refuses new tasks") as caught:
            looks(url)

        with redis.Redis.from_url(url) as client:
            client.config_set("maxmemory", "0")
        assert looks(url)

    assert Health.FULL == caught.value.kind


@pytest.mark.parametrize("info", [b"", b"\r\n", b"total_commands_processed:many\r\n", b"\xff\xfe:1", b"role:slave\r\nslave_read_only:0"])
def test_an_answer_that_says_little_is_no_trouble(info: bytes) -> None:
    """Compatible servers leave things out; a replica that takes writes is no worse than a primary."""
    state = state_of(info)

    assert (None, Health.UP) == (state.commands, state.health)
