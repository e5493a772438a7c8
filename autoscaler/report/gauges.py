"""Every gauge, read from one snapshot at the moment of a scrape.

`metrics.py` puts these families first on its page. Because all values come from the same immutable snapshot, a scrape is consistent,
nothing is left behind by a pool that is gone, and what nobody could see has no sample at all instead of a false zero.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from autoscaler import __version__
from autoscaler.model import Known, OrderKind, Phase, PoolDecision, PoolPolicy, SourceSight
from autoscaler.model.spending import SENDERS, Meter
from autoscaler.policy.looks import tick_seconds
from autoscaler.report.sentence import LIMITS, limits
from autoscaler.report.series import Family, label_text, number
from autoscaler.report.snapshot import Snapshot

GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "pool_backlog_tasks": ("Tasks waiting in the pool's queues; absent while any of them cannot be seen.", ("pool",)),
    "queue_backlog_tasks": ("Tasks waiting in a queue; absent while it cannot be seen.", ("pool", "queue")),
    "pool_busy_slots": ("Slots in use on replicas that stay; absent while a ready replica does not say.", ("pool",)),
    "pool_slots": ("Tasks that the starting and ready replicas can run at once; absent while the engine does not answer.", ("pool",)),
    "replicas": ("Replicas by phase; absent while the engine does not answer.", ("pool", "phase")),
    "replicas_desired": ("Replicas that the pool should have.", ("pool",)),
    "replicas_recommended": ("Replicas that the work asks for, before damping and bounds.", ("pool",)),
    "replicas_min": ("Configured minimum.", ("pool",)),
    "replicas_max": ("Configured maximum.", ("pool",)),
    "pool_wait_seconds": ("Upper bound on the wait of the oldest task; absent while a queue cannot be seen.", ("pool",)),
    "pool_blind": ("1 while something that is needed to scale down safely cannot be seen.", ("pool",)),
    "pool_paused": ("1 while an operator holds the pool.", ("pool",)),
    "scaling_limited": ("1 for each reason that holds the pool's count back now.", ("pool", "reason")),
    "standby": ("1 while another instance is in charge and this one waits to take over.", ()),
    "last_tick_timestamp_seconds": ("When the last whole tick began.", ()),
    "interval_seconds": ("From one tick to the next as things are: interval, or idle_interval while every pool is idle.", ()),
    "source_up": ("1 while a source answers.", ("source",)),
    "source_circuit_open": ("1 while a source has failed so often in a row that it is asked more rarely.", ("source",)),
    "broker_up": ("1 while a broker that is read directly answers.", ("broker",)),
    "broker_active": ("1 for the broker that workers are started for.", ("broker",)),
    "broker_commands_per_second": ("Commands per second that a broker gets now, by whom; all but our own are estimates.", ("broker", "by")),
    "broker_budget_used_ratio": ("Share of a broker's budget that is used in this period; absent without a budget.", ("broker",)),
    "config_last_reload_successful": ("1 while the newest config.yaml is in force, 0 while it is refused.", ()),
    "config_last_reload_success_timestamp_seconds": ("When the configuration in force was loaded.", ()),
    "config_info": ("The configuration in force, by the first digits of its SHA-256.", ("hash",)),
    "build_info": ("The version that runs.", ("version", "python_version")),
}
COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "broker_commands": ("Commands that a broker got, by whom; all but ours are estimates that add up to its own count.", ("broker", "by")),
    "journal_write_errors": ("Rows that could not be written to the journal.", ()),
}
PREFIX = "autoscaler_"
PHASES = tuple(str(phase) for phase in Phase)


class Gauges:
    """All gauges of one snapshot, and the counters that others keep."""

    def __init__(self, snapshot: Callable[[], Snapshot | None]) -> None:
        self._snapshot = snapshot

    def families(self) -> Iterator[Family]:
        """The families in the order of the tables above, also those that have no sample now."""
        sheet = _Sheet()
        sheet.put("build_info", 1, __version__, platform.python_version())
        if snapshot := self._snapshot():
            _of_daemon(sheet, snapshot)
            _of_brokers(sheet, snapshot)
            decided = {pool.pool: pool for pool in snapshot.record.decision.pools} if snapshot.record else {}
            for policy in snapshot.policies.pools.values():
                _of_policy(sheet, policy, decided.get(policy.name))
        return sheet.families()


class _Sheet:
    """Samples by family, as the text of their lines."""

    def __init__(self) -> None:
        self._lines: dict[str, dict[str, str]] = {name: {} for name in (*GAUGES, *COUNTERS)}

    def put(self, name: str, value: float, *labels: str) -> None:
        """One sample; the last one where there are several of the same labels."""
        head = _head(name, labels)
        self._lines[name][head] = f"{head} {number(value)}\n"

    def put_each(self, name: str, pool: str, values: tuple[float, ...], keys: tuple[str, ...]) -> None:
        """One sample of this pool for each of these values of the second label."""
        self._lines[name][pool] = _lines_of(name, pool, values, keys)

    def families(self) -> Iterator[Family]:
        for name, lines in self._lines.items():
            kind, (text, _) = ("gauge", GAUGES[name]) if name in GAUGES else ("counter", COUNTERS[name])
            yield Column(PREFIX + name, kind, text, tuple(lines.values()))


@dataclass(frozen=True, slots=True)
class Column:
    """One family with the samples that it has now."""

    name: str
    kind: str
    help: str
    samples: tuple[str, ...]

    def lines(self) -> tuple[str, ...]:
        """Its samples as text."""
        return self.samples


@lru_cache(maxsize=65_536)
def _head(name: str, labels: tuple[str, ...]) -> str:
    """How a line begins: the same labels come back at every scrape; those of a removed pool make room for others in time."""
    names = (GAUGES[name] if name in GAUGES else COUNTERS[name])[1]
    return f"{PREFIX}{name}{'_total' if name in COUNTERS else ''}{label_text(names, labels)}"


@lru_cache(maxsize=4096)
def _lines_of(name: str, pool: str, values: tuple[float, ...], keys: tuple[str, ...]) -> str:
    """Lines of a pool that say the same from scrape to scrape mostly, so all of them are kept as one text."""
    return "".join(f"{_head(name, (pool, key))} {number(value)}\n" for key, value in zip(keys, values, strict=True))


def _of_daemon(sheet: _Sheet, snapshot: Snapshot) -> None:
    config = snapshot.config
    sheet.put("standby", bool(snapshot.standby))
    sheet.put("config_last_reload_successful", 0 if config.problems else 1)
    sheet.put("config_last_reload_success_timestamp_seconds", config.loaded_at)
    sheet.put("config_info", 1, config.hash)
    sheet.put("journal_write_errors", snapshot.journal_errors)
    sheet.put("interval_seconds", tick_seconds(snapshot.policies, snapshot.record))
    if snapshot.record:
        sheet.put("last_tick_timestamp_seconds", snapshot.record.at)
        for source in snapshot.record.observation.sources:
            sheet.put("source_up", source.up, source.name)
            sheet.put("source_circuit_open", source.circuit_open, source.name)


def _of_brokers(sheet: _Sheet, snapshot: Snapshot) -> None:
    sources = snapshot.record.observation.sources if snapshot.record else ()
    books = snapshot.record.decision.books if snapshot.record else {}
    for name in snapshot.policies.brokers:
        sheet.put("broker_active", name == snapshot.active_broker, name)
        if sight := broker_sight(sources, name):
            sheet.put("broker_up", sight.up, name)
        if account := books.get(name):
            sheet.put("broker_budget_used_ratio", account.ratio, name)
        meter = snapshot.memory.meters.get(name, Meter())
        for sender in SENDERS:
            sheet.put("broker_commands", getattr(meter.ever, sender), name, sender)
            sheet.put("broker_commands_per_second", getattr(meter.per_second, sender), name, sender)


def broker_sight(sources: tuple[SourceSight, ...], broker: str) -> SourceSight | None:
    """How the source that reads this broker answered; such a source is called `broker:<name>`."""
    return next((s for s in sources if s.name == f"broker:{broker}"), None)


def _of_policy(sheet: _Sheet, policy: PoolPolicy, decided: PoolDecision | None) -> None:
    sheet.put("replicas_min", policy.replicas_min, policy.name)
    sheet.put("replicas_max", policy.replicas_max, policy.name)
    orders = decided.view.orders if decided else ()
    sheet.put("pool_paused", any(order.kind is OrderKind.PAUSE for order in orders), policy.name)
    if decided:
        _of_pool(sheet, decided)


def _of_pool(sheet: _Sheet, pool: PoolDecision) -> None:
    sheet.put("replicas_desired", pool.desired, pool.pool)
    sheet.put("replicas_recommended", pool.recommended, pool.pool)
    sheet.put("pool_blind", bool(pool.view.blind), pool.pool)
    holding = limits(pool)
    sheet.put_each("scaling_limited", pool.pool, tuple([reason in holding for reason in LIMITS]), LIMITS)
    _of_queues(sheet, pool)
    _of_replicas(sheet, pool)


def _of_queues(sheet: _Sheet, pool: PoolDecision) -> None:
    for queue in pool.view.queues:
        if isinstance(queue.waiting, Known):
            sheet.put("queue_backlog_tasks", queue.waiting.value, pool.pool, queue.queue)
    if (waiting := backlog(pool)) is not None:
        sheet.put("pool_backlog_tasks", waiting, pool.pool)
        sheet.put("pool_wait_seconds", pool.view.oldest_wait_seconds, pool.pool)


def _of_replicas(sheet: _Sheet, pool: PoolDecision) -> None:
    if not pool.view.fleet_seen:
        return
    sheet.put_each("replicas", pool.pool, tuple([pool.view.count(phase) for phase in Phase]), PHASES)
    sheet.put("pool_slots", pool.view.slots, pool.pool)
    if (used := busy(pool)) is not None:
        sheet.put("pool_busy_slots", used, pool.pool)


def backlog(pool: PoolDecision) -> int | None:
    """Tasks waiting in the pool's queues; None while any of them cannot be seen."""
    return pool.view.waiting if all(isinstance(queue.waiting, Known) for queue in pool.view.queues) else None


def busy(pool: PoolDecision) -> int | None:
    """Slots in use; None while a ready replica does not say what it runs, or the engine which ones exist."""
    said = all(replica.running is not None for replica in pool.view.of(Phase.READY))
    return pool.view.busy if said and pool.view.fleet_seen else None
