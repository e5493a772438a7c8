"""Builds the neighbours' rooms from the settings: which fleet, which sources, which worker specs.

Used by the daemon, and by `check` and `plan`, which look once without it.
"""

from __future__ import annotations

from pathlib import Path

from autoscaler.config.models import Settings
from autoscaler.config.neighbours import Token
from autoscaler.config.worker import WorkerSpec
from autoscaler.fleet.contract import BrokerAddress, Fleet
from autoscaler.fleet.dry import DryFleet
from autoscaler.model import HOME, Known, Record
from autoscaler.sources.broker import BrokerSource
from autoscaler.sources.flower import FlowerSource
from autoscaler.sources.sight import Source
from autoscaler.sources.workers import WorkerPages
from autoscaler.web.tokens import Key

PAGE_TIMEOUT_SECONDS = 2.0
"""A worker's own page comes from a thread of a live process in the same network: later than this it is as good as silent."""


def build_fleet(settings: Settings, *, dry_run: bool) -> Fleet:
    """The fleet that the settings name; a dry one refuses every mutating call."""
    fleet: Fleet
    if settings.fleet.type == "process":
        from autoscaler.fleet.process import ProcessFleet

        fleet = ProcessFleet(Path(settings.state), settings.instance)
    else:
        from autoscaler.fleet.docker import DockerFleet

        fleet = DockerFleet(settings.fleet.host, settings.instance, settings.fleet.timeout)
    return DryFleet(fleet) if dry_run else fleet


def build_sources(settings: Settings) -> tuple[Source, ...]:
    """Flower where there is one, the workers' own pages, and every broker that may be read, the preferred one first."""
    brokers = settings.usable_brokers if settings.depth_from != "flower" else ()
    flower = [FlowerSource(settings.flower, depths=settings.depths != "broker")] if settings.flower.enabled else []
    return (*flower, WorkerPages(PAGE_TIMEOUT_SECONDS), *(BrokerSource(broker, asks_state=True) for broker in brokers))


def worker_specs(settings: Settings) -> dict[str, WorkerSpec]:
    """How to start a worker of each pool."""
    return {name: pool.worker for name, pool in settings.pools.items()}


def broker_addresses(settings: Settings) -> dict[str, BrokerAddress]:
    """What workers are started for, by lane: the first broker is home."""
    brokers = settings.usable_brokers
    return {HOME if b is brokers[0] else b.name: BrokerAddress(b.name, b.url.get_secret_value()) for b in brokers}


def api_keys(tokens: tuple[Token, ...]) -> tuple[Key, ...]:
    """The configured tokens as the web room compares them."""
    return tuple(Key(token.name, token.secret.get_secret_value()) for token in tokens)


def patience_seconds(settings: Settings) -> float:
    """How long a tick waits for answers before it goes on without the late ones: half an interval, at most 2 s."""
    return min(settings.flower.timeout, settings.interval / 2, 2.0)


def metrics_targets(record: Record | None) -> dict[str, tuple[str, ...]]:
    """pool -> addresses of its workers' own /metrics pages, as last listed."""
    listed = record.observation.containers.value if record and isinstance(record.observation.containers, Known) else ()
    pools = sorted({c.pool for c in listed if c.metrics})
    return {pool: tuple(c.metrics for c in listed if c.pool == pool and c.metrics) for pool in pools}
