"""The status as JSON: one snapshot told as numbers, and in words what is wrong.

Pure: snapshots in, dicts out. `app.py` serves it, `autoscaler status` prints it, `docs/http-api.md` describes it.
What nobody could see is null here, never 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from autoscaler import __version__
from autoscaler.model import (
    BrokerChoice,
    Known,
    Phase,
    PoolDecision,
    PoolPolicy,
    QueueSight,
    Replica,
    SourceSight,
    Stale,
    TargetWait,
    Unknown,
)
from autoscaler.model.health import REMEDY
from autoscaler.policy.drains import ailments
from autoscaler.policy.foresight import foresee
from autoscaler.policy.looks import tick_seconds
from autoscaler.policy.strangers import strangers
from autoscaler.report.brokers import brokers_status, standing
from autoscaler.report.gauges import backlog, busy
from autoscaler.report.plain import to_plain
from autoscaler.report.sentence import limits, line, seconds, waterfall, why
from autoscaler.report.snapshot import Snapshot
from autoscaler.web.ahead import NOTHING_EXPECTED, next_changes

TIGHT = 0.8
"""Share of a budget from which on it is told as trouble."""
UNSEEN_KEYS = (
    "backlog",
    "oldest_wait_seconds",
    "arrivals_per_second",
    "runtime_seconds",
    "busy",
    "slots",
    "current",
    "desired",
    "recommended",
    "direction",
    "replicas",
)
"""What is null before the first tick."""
WORKER_KEYS = ("name", "phase", "running", "reserved", "scheduled", "slots", "outdated", "broker")
"""What is told of a worker, beside its age."""


def status(snapshot: Snapshot, now: float, *, workers: bool = True, expected: Mapping[str, float] = NOTHING_EXPECTED) -> dict[str, Any]:
    """The whole daemon at this moment; `workers=False` leaves the lists of workers out, which may be long.

    `expected` are the moments of the next changes as they were told before, which saves searching for them again.
    """
    soon = next_changes(snapshot, _names(snapshot), expected)
    pools = [pool_status(snapshot, name, now, soon.get(name), workers=workers) for name in _names(snapshot)]
    config = snapshot.config
    return {
        "version": __version__,
        "instance": snapshot.policies.instance,
        "now": now,
        "started_at": snapshot.started_at,
        "last_tick_at": snapshot.record.at if snapshot.record else None,
        "tick_seconds": snapshot.tick_seconds,
        "interval_seconds": tick_seconds(snapshot.policies, snapshot.record),
        "dry_run": snapshot.dry_run,
        "standby": snapshot.standby or None,
        "trouble": list(trouble(snapshot, now)),
        "config": to_plain(config),
        "sources": [_source(sight, now) for sight in (snapshot.record.observation.sources if snapshot.record else ())],
        "active_broker": snapshot.active_broker,
        "brokers": brokers_status(snapshot, now),
        "totals": _totals(snapshot),
        "pools": pools,
    }


def pool_status(
    snapshot: Snapshot, name: str, now: float, change: dict[str, Any] | None = None, *, workers: bool = True
) -> dict[str, Any] | None:
    """One pool: what waits, who works, what is wanted and why; None where there is no such pool.

    `change` is what time alone will do to it, as `next_changes` found out.
    """
    policy = snapshot.policies.pools.get(name)
    decision = _decision(snapshot, name)
    if policy is None and decision is None:
        return None
    low, high = (policy.replicas_min, policy.replicas_max) if policy else (0, 0)
    seen = _decided(decision, now) if decision else _undecided(policy)
    there = (*decision.view.replicas, *decision.view.foreign) if decision else ()
    listed = {"workers": [_worker(replica, now) for replica in there]} if workers else {}
    return {"pool": name, "removed": policy is None, "min": low, "max": high, **seen, "next_change": change, **listed}


def pool_detail(snapshot: Snapshot, name: str, now: float) -> dict[str, Any] | None:
    """The status of one pool with the steps of its latest decision and what is remembered of it."""
    soon = next_changes(snapshot, (name,)).get(name)
    told, decision = pool_status(snapshot, name, now, soon), _decision(snapshot, name)
    if told is None:
        return None
    return told | {
        "steps": to_plain(decision.steps) if decision else [],
        "waterfall": list(waterfall(decision)) if decision else [],
        "actions": to_plain(decision.actions) if decision else [],
        "foresight": _foresight(snapshot, name),
        "policy": to_plain(snapshot.policies.pools.get(name)),
        "memory": to_plain(snapshot.memory.of(name)),
    }


def _foresight(snapshot: Snapshot, name: str) -> dict[str, Any] | None:
    """What would change the count; None before the first tick and for a pool that is being removed."""
    if snapshot.record is None or name not in snapshot.policies.pools:
        return None
    told = foresee(snapshot.policies, snapshot.record.observation, snapshot.memory, name)
    return {**to_plain(told), "words": told.words()}


def trouble(snapshot: Snapshot, now: float) -> Iterator[str]:
    """In words, everything that is wrong now; nothing when all is well."""
    config = snapshot.config
    if snapshot.record is None and not snapshot.standby:
        yield "the first tick is not over yet: nothing has been seen"
    if config.problems:
        yield f"config.yaml was refused, the one loaded {seconds(now - config.loaded_at)} ago stays in force: {config.problems[0]}"
    if config.needs_restart:
        yield f"a restart is needed to put these settings in force: {', '.join(config.needs_restart)}"
    for sight in snapshot.record.observation.sources if snapshot.record else ():
        if not sight.up:
            yield f"{sight.name}: {line(sight.detail)}"
    yield from _failed_over(snapshot)
    yield from _budgets(snapshot, now)
    for decision in snapshot.record.decision.pools if snapshot.record else ():
        yield from _pool_trouble(snapshot, decision, now)
    yield from _strangers(snapshot)
    yield from _unplaced(snapshot)
    if snapshot.journal_errors:
        yield f"the journal lost {snapshot.journal_errors} records since the start: look at the room and rights of the state folder"
    yield from snapshot.bugs


def _budgets(snapshot: Snapshot, now: float) -> Iterator[str]:
    """Budgets of which four fifths are gone, or that will not last."""
    for name, account in (snapshot.record.decision.books if snapshot.record else {}).items():
        if account.stage >= TIGHT or account.breaks:
            yield f"broker {name}: {standing(account, now)}"


def _failed_over(snapshot: Snapshot) -> Iterator[str]:
    """Workers are started for another broker than the first: producers should send there, too."""
    choice = snapshot.record.decision.brokers if snapshot.record else BrokerChoice()
    if choice.active and choice.active not in snapshot.policies.brokers[:1]:
        yield f"broker {choice.active} is active instead of {snapshot.policies.brokers[0]}: {line(choice.why)}"


def _strangers(snapshot: Snapshot) -> Iterator[str]:
    """Workers with our label of pools that this daemon never had: most likely those of a second autoscaler."""
    listed = snapshot.record.observation.containers if snapshot.record else Unknown("")
    decided = {pool.pool for pool in snapshot.record.decision.pools} if snapshot.record else set()
    pools = {c.pool for c in listed.value} - decided if isinstance(listed, Known) else set()
    if pools:
        instance = snapshot.policies.instance
        yield (
            f"workers of instance {instance!r} belong to pools that are not in this configuration ({', '.join(sorted(pools))}) and are "
            f"left alone: give a second autoscaler another `instance`, or drain them by hand"
        )


def _unplaced(snapshot: Snapshot) -> Iterator[str]:
    """Workers of others that may serve our queues, of which nobody says so: they count for nothing."""
    seen = snapshot.record.observation if snapshot.record else None
    if seen is None or not isinstance(seen.containers, Known):
        return
    ours, own_names = {c.worker for c in seen.containers.value}, f"celery@{snapshot.policies.instance}-"
    names = [w.name for w in strangers(seen, ours) if not isinstance(w.queues, Known) and not w.name.startswith(own_names)]
    if names:
        yield (
            f"{len(names)} workers are online that are not ours, and Flower does not say which queues they consume, so they count for "
            f"nothing: open the page of {line(names[0])} in Flower once, or restart Flower"
        )


def missing(snapshot: Snapshot | None) -> tuple[str, ...]:
    """What keeps the daemon from being ready, in words."""
    if snapshot is None:
        return ("the configuration is not loaded yet", "the first tick is not over yet")
    return () if snapshot.record else (snapshot.standby or "the first tick is not over yet",)


def targets(snapshot: Snapshot | None) -> list[dict[str, Any]]:
    """The workers' own pages in the format of Prometheus' HTTP service discovery."""
    listed = snapshot.metrics_targets if snapshot else {}
    return [{"targets": list(addresses), "labels": {"pool": pool}} for pool, addresses in listed.items() if addresses]


def _names(snapshot: Snapshot) -> tuple[str, ...]:
    """Configured pools in the order of the file, then removed ones that still have workers."""
    decided = [pool.pool for pool in snapshot.record.decision.pools] if snapshot.record else []
    return tuple(dict.fromkeys((*snapshot.policies.pools, *decided)))


def _decision(snapshot: Snapshot, name: str) -> PoolDecision | None:
    pools = snapshot.record.decision.pools if snapshot.record else ()
    return next((pool for pool in pools if pool.pool == name), None)


def _decided(pool: PoolDecision, now: float) -> dict[str, Any]:
    view = pool.view
    return {
        "queues": [_queue(queue, now) for queue in view.queues],
        "backlog": backlog(pool),
        "oldest_wait_seconds": view.oldest_wait_seconds,
        "arrivals_per_second": view.flow.arrival_rate if view.flow.is_measured else None,
        "runtime_seconds": view.flow.mean_runtime_seconds,
        "busy": busy(pool),
        "slots": view.slots if view.fleet_seen else None,
        "current": pool.current,
        "desired": pool.desired,
        "recommended": pool.recommended,
        "direction": pool.direction,
        "orders": to_plain(view.orders),
        "replicas": {str(phase): view.count(phase) for phase in Phase} if view.fleet_seen else None,
        "blind": list(view.blind),
        "why": why(pool, now),
        "reason": str(pool.reason),
        "limited_by": list(limits(pool)),
    }


def _undecided(policy: PoolPolicy | None) -> dict[str, Any]:
    """A pool before its first tick: the same keys, and nothing known."""
    queues = policy.queues if policy else ()
    unseen = "it was not looked at yet"
    return {
        "queues": [_queue(QueueSight(queue, Unknown(unseen)), 0.0) for queue in queues],
        **dict.fromkeys(UNSEEN_KEYS),
        "orders": [],
        "blind": [unseen],
        "why": f"{policy.name if policy else ''}: {unseen}",
        "reason": None,
        "limited_by": [],
    }


def _queue(queue: QueueSight, now: float) -> dict[str, Any]:
    due_in = max(0.0, queue.later[0] - now) if queue.later else None
    told: dict[str, Any] = {"queue": queue.queue, "waiting": None, "kind": "unknown", "why": "", "age_seconds": None}
    told |= {"later": len(queue.later), "due_in_seconds": due_in}
    match queue.waiting:
        case Known(value, at):
            return told | {"waiting": value, "kind": "known", "age_seconds": max(0.0, now - at)}
        case Stale(value, at, _, because):
            return told | {"waiting": value, "kind": "stale", "why": because, "age_seconds": max(0.0, now - at)}
        case Unknown(because):
            return told | {"why": because}


def _worker(replica: Replica, now: float) -> dict[str, Any]:
    return {key: getattr(replica, key) for key in WORKER_KEYS} | {"age_seconds": max(0.0, now - replica.since)}


def _source(sight: SourceSight, now: float) -> dict[str, Any]:
    return {
        "source": sight.name,
        "up": sight.up,
        "detail": sight.detail,
        "circuit_open": sight.circuit_open,
        "seconds": sight.seconds,
        "age_seconds": max(0.0, now - sight.at),
    }


def _totals(snapshot: Snapshot) -> dict[str, Any]:
    pools = snapshot.record.decision.pools if snapshot.record else ()
    known = snapshot.record is not None and all(pool.view.fleet_seen for pool in pools)
    return {
        "pools": len(snapshot.policies.pools),
        "replicas": sum(pool.current for pool in pools) if known else None,
        "draining": sum(len(pool.view.of(Phase.DRAINING)) for pool in pools) if known else None,
        "desired": sum(pool.desired for pool in pools) if known else None,
        "max_replicas": snapshot.policies.max_replicas,
        "backlog": _sum([backlog(pool) for pool in pools]) if snapshot.record else None,
        "busy": _sum([busy(pool) for pool in pools]) if snapshot.record else None,
        "slots": sum(pool.view.slots for pool in pools) if known else None,
        "blind": sum(1 for pool in pools if pool.view.blind),
    }


def _sum(counts: list[int | None]) -> int | None:
    """The sum, unknown where any part of it is."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _pool_trouble(snapshot: Snapshot, pool: PoolDecision, now: float) -> Iterator[str]:
    policy = snapshot.policies.pools.get(pool.pool)
    if pool.view.blind:
        yield f"{pool.pool} is blind and will not be scaled down: {line('; '.join(pool.view.blind))}"
    for memory in [snapshot.memory.of(lane.key) for lane in pool.lanes or (pool,)]:
        if fault := memory.broker_fault:
            yield f"{pool.pool}: its workers end because the broker {REMEDY[fault.health]}"
        if memory.backoff_until > now:
            left = seconds(memory.backoff_until - now)
            yield f"{pool.pool}: workers ended badly {memory.failures} times in a row, the next start is in {left}"
    if lost := sum(r.phase is Phase.LOST for r in pool.view.serving):
        yield f"{pool.pool}: {lost} replicas are not heard, though their containers run: look at their logs"
    if failed := pool.view.failed_starts:
        yield f"{pool.pool}: {len(failed)} workers were not heard within start.timeout and are drained: {failed[0].name}"
    yield from _overdue(pool, policy, now)
    yield from _ailing(snapshot, pool, now)
    yield from _held_too_long(pool, policy)
    yield from _promise(snapshot, pool, policy)
    if policy and pool.view.waiting and pool.desired >= policy.replicas_max and pool.recommended > pool.desired:
        yield f"{pool.pool}: {pool.view.waiting} tasks wait and all {policy.replicas_max} allowed replicas are wanted already"
    if pool.view.leftover:
        yield f"{pool.pool}: {pool.view.leftover} unacknowledged tasks that no worker is known to run"


def _ailing(snapshot: Snapshot, pool: PoolDecision, now: float) -> Iterator[str]:
    """Drains that do not go as they should, one of each kind by name."""
    if snapshot.record is None:
        return
    told: dict[str, str] = {}
    for lane in pool.lanes or (pool,):
        for ailing in ailments(lane.view, snapshot.memory.of(lane.key), snapshot.record.observation, now):
            told.setdefault(ailing.ailment, f"{pool.pool}: {ailing.replica} {ailing.words}")
    yield from told.values()


def _held_too_long(pool: PoolDecision, policy: PoolPolicy | None) -> Iterator[str]:
    """Prefetched tasks that will not begin before the broker gives them to a second worker."""
    runtime = pool.view.flow.mean_runtime_seconds
    if policy is None or policy.visibility_timeout_seconds is None or runtime is None:
        return
    waits = [runtime * r.reserved / r.slots for r in pool.view.serving if r.reserved]
    if waits and max(waits) > policy.visibility_timeout_seconds:
        yield (
            f"{pool.pool}: prefetched tasks sit with a worker for about {seconds(max(waits))}, longer than the broker's visibility timeout "
            f"({seconds(policy.visibility_timeout_seconds)}): they will run twice; set worker_prefetch_multiplier to 1, or "
            f"worker_disable_prefetch"
        )


def _overdue(pool: PoolDecision, policy: PoolPolicy | None, now: float) -> Iterator[str]:
    """Drains past their time where nobody is killed for it: such a worker may hang, and keeps its place on the host."""
    if policy is None or policy.kill_on_drain_timeout:
        return
    late = [r for r in pool.view.of(Phase.DRAINING) if now - r.since > policy.drain_timeout_seconds]
    if late:
        yield (
            f"{pool.pool}: {len(late)} workers have not left within drain.timeout ({seconds(policy.drain_timeout_seconds)}) and, as "
            f"on_timeout is wait, are waited for: {late[0].name} for {seconds(now - late[0].since)}"
        )


def _promise(snapshot: Snapshot, pool: PoolDecision, policy: PoolPolicy | None) -> Iterator[str]:
    """A target wait that the learned boot time does not allow from zero, where no replica is kept ready."""
    if policy is None or not isinstance(policy.sizing, TargetWait) or policy.spare or policy.replicas_min:
        return
    soonest = snapshot.memory.of(pool.pool).boot_seconds + 2 * snapshot.policies.interval_seconds
    if soonest > policy.sizing.seconds:
        yield (
            f"{pool.pool}: target_wait {seconds(policy.sizing.seconds)} cannot be kept from zero: a start and two looks take "
            f"{seconds(soonest)}; add spare: 1 or replicas.min: 1"
        )
