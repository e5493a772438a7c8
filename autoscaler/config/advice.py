"""Warnings: settings that work and that somebody will regret. Told at the start and by `check`; nothing is refused for them."""

from __future__ import annotations

from collections.abc import Iterator

from autoscaler.config import command
from autoscaler.config.costly import costs
from autoscaler.config.models import PoolSettings, Settings
from autoscaler.config.units import duration_text

_SHORTEST_TOKEN = 32
USUAL_BOOT_SECONDS = 3.0
"""What a Celery worker usually takes to its first task; the daemon learns each pool's own."""


def warnings(settings: Settings) -> tuple[str, ...]:
    """What is allowed but unwise, each with the key and what to do."""
    return (
        *_house(settings),
        *costs(settings),
        *(text for name, pool in settings.pools.items() for text in _pool(settings, f"pools.{name}", pool)),
    )


def _house(settings: Settings) -> Iterator[str]:
    if settings.home_broker is None:
        yield "brokers: none is given, and Flower does not list a queue that nobody consumes: a pool at zero may miss work; add a broker"
    for key, tokens in (("token_file", settings.api.tokens), ("wake_token_file", settings.api.wake_tokens)):
        short = sum(len(token.secret.get_secret_value()) < _SHORTEST_TOKEN for token in tokens)
        if short:
            yield f"api.{key}: {short} of the tokens can be guessed: use at least {_SHORTEST_TOKEN} characters (openssl rand -hex 32)"


def _pool(settings: Settings, at: str, pool: PoolSettings) -> Iterator[str]:
    worker, drain = pool.worker, pool.drain
    yield from _sizing(settings, at, pool)
    for way, damping in (("scale_up", pool.scale_up), ("scale_down", pool.scale_down)):
        if damping.period and damping.max_step is None:
            yield f"{at}.{way}.period: counts nothing without max_step: add one like max_step: 2, or leave period out"
    if pool.replicas.max > settings.max_replicas:
        yield f"{at}.replicas.max: {pool.replicas.max} can never be reached: max_replicas is {settings.max_replicas}"
    if drain.timeout < worker.stop_grace_period:
        grace = duration_text(worker.stop_grace_period)
        yield f"{at}.drain.timeout: {duration_text(drain.timeout)} is shorter than worker.stop_grace_period: raise it to {grace} or more"
    if (seen := settings.visibility_timeout) is not None and max(drain.timeout, worker.stop_grace_period) > seen:
        longest = duration_text(max(drain.timeout, worker.stop_grace_period))
        yield (
            f"{at}.drain.timeout: a worker may take {longest} to leave, and after {duration_text(seen)} the broker gives its "
            f"unacknowledged tasks to a second worker: raise visibility_timeout in broker_transport_options, and here under brokers"
        )
    if drain.on_timeout == "kill":
        yield f"{at}.drain.on_timeout: kill loses the tasks a worker still runs after {duration_text(drain.timeout)}; wait loses none"
    if settings.fleet.type == "docker" and worker.deploy.resources.limits.memory is None:
        yield f"{at}.worker.deploy.resources.limits.memory: no limit: one leaking worker can take the host along; add memory: 512m"
    if settings.fleet.type == "docker" and not worker.init:
        yield f"{at}.worker.init: false: a worker stopped in its first moments ignores the signal; write init: true"
    if worker.allow_unsafe:
        yield f"{at}.worker.allow_unsafe: true: this worker may take over the host"
    if worker.metrics_port is None:
        yield from _without_pages(settings, f"{at}.worker.metrics_port")
    if worker.environment.get("REMAP_SIGTERM"):
        yield f"{at}.worker.environment.REMAP_SIGTERM: turns the stop signal into one that interrupts running tasks: remove it"
    consumed = command.queues(worker)
    extra = {queue.strip() for queue in consumed.text.split(",")} - set(pool.queues) if consumed else set()
    if extra:
        yield f"{at}.queues: the worker also consumes {', '.join(sorted(extra))}, which nobody counts; add it to queues"


def _without_pages(settings: Settings, at: str) -> Iterator[str]:
    """Workers that only Flower can hear."""
    if settings.home_broker is None:
        yield f"{at}: without it and without brokers only Flower says who is busy, often late: add one of them"
    if len(settings.usable_brokers) > 1:
        yield (
            f"{at}: Flower hears the workers of one broker: after a failover nobody would say who is busy, and idle workers would stay; "
            "add metrics_port: 9100"
        )


def _sizing(settings: Settings, at: str, pool: PoolSettings) -> Iterator[str]:
    """A promise of a wait that no start from zero can keep."""
    soonest = USUAL_BOOT_SECONDS + 2 * settings.interval
    if pool.target_wait is not None and pool.target_wait < soonest and not (pool.spare or pool.replicas.min):
        yield (
            f"{at}.target_wait: {duration_text(pool.target_wait)} cannot be promised from zero: two looks and a usual boot of "
            f"{USUAL_BOOT_SECONDS:g} s take {duration_text(soonest)}; add spare: 1 or replicas.min: 1, or allow more"
        )
