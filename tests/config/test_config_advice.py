"""What is accepted with a word: warnings, and keys that have no effect yet."""

from __future__ import annotations

import pytest
from config_desk import SMALLEST, Desk

from autoscaler.config.advice import warnings
from autoscaler.config.in_force import not_in_force

QUIET = SMALLEST.replace("image: x", "image: x, deploy: {resources: {limits: {memory: 1g}}}") + "brokers: [{name: b, url: redis://b}]\n"


def test_a_careful_file_gives_no_warning(desk: Desk) -> None:
    """A broker, a memory limit and the defaults: nothing to say."""
    assert warnings(desk.load(QUIET)) == ()
    assert not_in_force(desk.load(QUIET)) == ()


@pytest.mark.parametrize(
    ("before", "after", "begins"),
    [
        ("brokers: [{name: b, url: redis://b}]", "", "brokers: none is given"),
        ("brokers: [{name: b, url: redis://b}]", "", "pools.a.worker.metrics_port: without it and without brokers"),
        ("max: 4", "max: 40", "pools.a.replicas.max: 40 can never be reached: max_replicas is 20"),
        ("image: x", "image: x, stop_grace_period: 2h", "pools.a.drain.timeout: 30m is shorter than worker.stop_grace_period: raise"),
        ("queues: [a]", "queues: [a], drain: {timeout: 2h}", "pools.a.drain.timeout: a worker may take 2h to leave, and after 1h the"),
        ("//b}", "//b, visibility_timeout: 10m}", "pools.a.drain.timeout: a worker may take 30m to leave, and after 10m the broker"),
        ("queues: [a]", "queues: [a], drain: {on_timeout: kill}", "pools.a.drain.on_timeout: kill loses the tasks"),
        ("memory: 1g", "pids: 9", "pools.a.worker.deploy.resources.limits.memory: no limit"),
        ("image: x", "image: x, init: false", "pools.a.worker.init: false: a worker stopped in its first moments"),
        ("image: x", "image: x, allow_unsafe: true", "pools.a.worker.allow_unsafe: true: this worker may take over the host"),
        ("image: x", "image: x, environment: {REMAP_SIGTERM: SIGQUIT}", "pools.a.worker.environment.REMAP_SIGTERM: turns the stop signal"),
        ("queues: [a]", "queues: [a], target_wait: 5s", "pools.a.target_wait: 5s cannot be promised from zero: two looks and a usual boot"),
        ("queues: [a]", "queues: [a], scale_up: {period: 1m}", "pools.a.scale_up.period: counts nothing without max_step"),
        ("//b}", "//b}, {name: c, url: redis://c}", "pools.a.worker.metrics_port: Flower hears the workers of one broker"),
        ("image: x", "image: x, command: 'celery worker -Q a,b'", "pools.a.queues: the worker also consumes b, which nobody counts"),
    ],
)
def test_what_will_be_regretted_is_warned_of(desk: Desk, before: str, after: str, begins: str) -> None:
    """Each warning names the key, the reason and the cure."""
    assert before in QUIET

    found = warnings(desk.load(QUIET.replace(before, after)))

    assert [text for text in found if text.startswith(begins)]


@pytest.mark.parametrize("broker", ["amqp://b", "redis://b, visibility_timeout: 3h"])
def test_a_long_drain_is_fine_where_nothing_is_given_twice(desk: Desk, broker: str) -> None:
    """RabbitMQ has no visibility timeout, and a longer one covers the drain."""
    text = QUIET.replace("redis://b", broker).replace("queues: [a]", "queues: [a], drain: {timeout: 2h}")

    assert warnings(desk.load(text)) == ()


def test_short_tokens_are_counted_and_not_shown(desk: Desk) -> None:
    """A token that can be guessed is warned of."""
    desk.file("tokens", "short\n" + "l" * 40)

    (warning,) = warnings(desk.load(QUIET + "api: {token_file: tokens}\n"))

    assert warning.startswith("api.token_file: 1 of the tokens can be guessed: use at least 32 characters")
    assert "short" not in warning


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (QUIET, ()),
        (QUIET + "idle_interval: 30s\n", ("idle_interval: not in force yet: nothing idles",)),
        (QUIET + "log: {level: debug}\n", ("log.level: not in force yet: all is said",)),
        (QUIET + "log: {format: json}\n", ()),
    ],
)
def test_keys_without_effect_say_so(desk: Desk, text: str, sentences: tuple[str, ...]) -> None:
    """What was written and does nothing yet is told in words; what was not written is not."""
    settings = desk.load(text)

    assert sentences == not_in_force(settings, {"idle_interval": "nothing idles", "log.level": "all is said"})
    assert () == not_in_force(settings)


def with_worker(command: str, broker: str = "redis://b") -> str:
    """The quiet file with this command and this broker."""
    return QUIET.replace("image: x", f"image: x, command: 'celery -A app worker {command}'").replace("redis://b", broker)


THRIFTY = "--without-gossip --without-mingle --without-heartbeat"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(with_worker(""), ["add --without-gossip --without-mingle"], id="talk"),
        pytest.param(with_worker("--without-gossip"), ["add --without-mingle"], id="half the talk"),
        pytest.param(with_worker("--without-gossip --without-mingle -E"), [], id="heartbeat and events where nothing is billed"),
        pytest.param(
            with_worker("--without-gossip --without-mingle", "redis://b, budget: 10000/day"),
            ["--enable-events=False", "add --without-heartbeat, with a metrics_port"],
            id="heartbeat under a budget",
        ),
        pytest.param(
            with_worker(f"{THRIFTY} -E", "rediss://:p@us1-cat.upstash.io:6379"),
            ["--enable-events=False", "-E costs three commands for each task"],
            id="events on a host that bills",
        ),
        pytest.param(
            QUIET.replace("redis://b", "redis://b, priority_steps: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"),
            ["brokers[0].priority_steps: 10 lists for each queue"],
            id="ten steps",
        ),
    ],
)
def test_what_costs_more_than_it_need_names_its_flag(desk: Desk, text: str, words: list[str]) -> None:
    """One warning each, in this order, and no other."""
    found = warnings(desk.load(text))

    assert len(found) == len(words)
    assert [word for word, said in zip(words, found, strict=True) if word not in said] == []
