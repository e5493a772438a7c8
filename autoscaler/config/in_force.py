"""Keys that this version accepts and does not act on yet, in words: a setting that does nothing must say so."""

from __future__ import annotations

from collections.abc import Iterator

from autoscaler.config.models import BrokerSettings, PoolSettings, Settings

_SIZED_MEANWHILE = "the pool is sized by thresholds with up: 0 meanwhile"


def not_in_force(settings: Settings) -> tuple[str, ...]:
    """One sentence for every key that stands in the file without having its effect."""
    found = list(_brokers(settings.brokers))
    if settings.idle_interval is not None:
        found.insert(0, "idle_interval: is not in force yet: interval holds while every pool is idle, too")
    for name, pool in settings.pools.items():
        found += (f"pools.{name}.{text}" for text in _pool(pool))
    return tuple(found)


def _brokers(brokers: tuple[BrokerSettings, ...]) -> Iterator[str]:
    for index, broker in enumerate(brokers):
        if broker.budget:
            yield f"brokers[{index}].budget: is not in force yet: nothing is held back to keep within it"
    usable = [index for index, broker in enumerate(brokers) if broker.enabled and broker.url.get_secret_value()]
    for index in usable[1:]:
        yield f"brokers[{index}]: is not used yet: there is no failover, only {brokers[usable[0]].name!r} is read and given to workers"


def _pool(pool: PoolSettings) -> Iterator[str]:
    for way in ("target_wait", "backlog_per_replica"):
        if getattr(pool, way) is not None:
            yield f"{way}: is not in force yet: {_SIZED_MEANWHILE}"
    if pool.spare:
        yield "spare: is not in force yet: no idle workers are kept beyond replicas.min"
    if pool.schedules:
        yield "schedules: are not in force yet: replicas.min and replicas.max hold at all times"
