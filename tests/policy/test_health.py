"""What broker errors mean, read in the last words of workers: the real texts of Redis, Upstash, redis-py and Celery."""

from __future__ import annotations

import pytest

from autoscaler.model.health import REMEDY, Health, fault_in

TRACE = ("Traceback (most recent call last):", '  File "/app/worker.py", line 12, in <module>')


@pytest.mark.parametrize(
    ("line", "health"),
    [
        pytest.param(
            "redis.exceptions.ResponseError: max requests limit exceeded. Limit: 500000, Usage: 500000. See https://upstash.com/docs",
            Health.QUOTA, id="monthly quota",
        ),
        pytest.param("ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.", Health.QUOTA, id="daily quota"),
        pytest.param("redis.exceptions.ResponseError: DB capacity quota exceeded", Health.FULL, id="storage quota"),
        pytest.param("redis.exceptions.OutOfMemoryError: command not allowed when used memory > 'maxmemory'.", Health.FULL, id="memory"),
        pytest.param("OOM command not allowed when used memory > 'maxmemory'.", Health.FULL, id="memory, as Redis says it"),
        pytest.param("max concurrent connections exceeded", Health.CONNECTIONS, id="connections of the plan"),
        pytest.param("redis.exceptions.ConnectionError: max number of clients reached", Health.CONNECTIONS, id="maxclients"),
        pytest.param("READONLY You can't write against a read only replica.", Health.READ_ONLY, id="replica"),
        pytest.param("redis.exceptions.ReadOnlyError: You can't write against a read only replica.", Health.READ_ONLY, id="redis-py's"),
        pytest.param("MISCONF Redis is configured to save RDB snapshots, but it's unable to persist on disk.", Health.READ_ONLY, id="disk"),
        pytest.param("redis.exceptions.BusyLoadingError: Redis is loading the dataset in memory", Health.LOADING, id="loading"),
        pytest.param("WRONGPASS invalid username-password pair or user is disabled.", Health.AUTH, id="password"),
        pytest.param(
            "consumer: Cannot connect to redis://redis:6379/0: Error 111 connecting to redis:6379. Connection refused..",
            Health.UNREACHABLE, id="refused, said by Celery",
        ),
        pytest.param(
            "kombu.exceptions.OperationalError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", Health.TLS, id="certificate",
        ),
        pytest.param("redis.exceptions.TimeoutError: Timeout reading from socket", Health.TIMEOUT, id="hangs"),
        pytest.param("requests.exceptions.ConnectionError: Connection refused", None, id="the application's own"),
        pytest.param("ValueError: user limit exceeded", None, id="the application's own limit"),
        pytest.param("", None, id="nothing"),
    ],
)  # fmt: skip
def test_recognises_the_broker_in_last_words(line: str, health: Health | None) -> None:
    """A line that only a broker can cause names its trouble; what an application might say itself does not."""
    assert health == fault_in([*TRACE, line])


def test_every_state_has_a_remedy() -> None:
    """No trouble without a sentence that says what to do."""
    assert set(Health) == set(REMEDY)
    assert all(REMEDY[health] for health in Health if health.is_down)


def test_what_does_not_answer_does_not_refuse() -> None:
    """Silence may be our own road to the broker: workers are still started on what other sources see."""
    silent = (Health.UP, Health.UNKNOWN, Health.UNREACHABLE, Health.TIMEOUT, Health.TLS, Health.UNUSABLE)

    assert {health: health not in silent for health in Health} == {health: health.refuses for health in Health}
