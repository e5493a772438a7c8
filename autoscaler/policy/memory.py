"""The fold: memory and a record make the next memory. Pure, so that a journal can be replayed under another config.

Everything in it is bounded: the window keeps only counts that some later look could still need, names are forgotten with
their containers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from autoscaler.model import (
    Action,
    ActionKind,
    BrokerSight,
    Drain,
    Known,
    Memory,
    OrderKind,
    Outcome,
    Phase,
    PoolDecision,
    PoolMemory,
    PoolView,
    Record,
    Result,
    lane_key,
)
from autoscaler.model.readings import known
from autoscaler.policy.census import broker_of
from autoscaler.policy.drains import followed, signalled
from autoscaler.policy.failures import fell_with_engine, trouble_after
from autoscaler.policy.idle_first import none_idle_since
from autoscaler.policy.meter import meters
from autoscaler.policy.names import serial_after
from autoscaler.policy.pace import begun, changes_after
from autoscaler.policy.replicas import UNSEEN_START_SECONDS
from autoscaler.policy.rollcall import roll_call
from autoscaler.policy.selection import drain_of
from autoscaler.policy.starts import untouched_since

LONGEST_WINDOW_SECONDS = 86400.0


def remember(memory: Memory, record: Record) -> Memory:
    """The memory after this record; pools that have neither policy nor workers are forgotten, but never while nobody lists workers."""
    seen, choice = record.observation, record.decision.brokers
    came, pools = _by_lane(record.outcomes), ({} if isinstance(seen.containers, Known) else dict(memory.pools))
    for lane in record.decision.lanes:
        key, broker = lane.key, broker_of(seen, lane.broker) if seen.brokers else None
        pools[key] = _pool(memory.of(key), lane, tuple(came.get(key, ())), broker, record.at)
    return Memory(pools, choice.active, choice.tracks, meters(memory, record))


def resume(memory: Memory) -> Memory:
    """Memory from the journal as a fresh start may use it: windows begin anew with the current size.

    So a restart never scales down inside the stabilization window, however long the daemon was away. Starts that were ordered
    and are not in the list by now died with the daemon that ordered them: they are not waited for. What happened to queues and
    workers meanwhile was not seen, so it proves nothing.
    """
    counted = {name: replace(meter, at=None, sent=0, whole=False) for name, meter in memory.meters.items()}
    return replace(memory, pools={lane: _resumed(pool) for lane, pool in memory.pools.items()}, meters=counted)


def _resumed(pool: PoolMemory) -> PoolMemory:
    return replace(
        pool,
        recommendations=(),
        needs=(),
        watched_since=None,
        pending=(),
        none_idle_since=None,
        looked_at=None,
        depth=None,
        untouched_since=None,
    )


def _by_lane(outcomes: tuple[Outcome, ...]) -> Mapping[str, list[Outcome]]:
    by_lane: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_lane[lane_key(outcome.action.pool, outcome.action.broker)].append(outcome)
    return by_lane


def _pool(
    old: PoolMemory, decided: PoolDecision, outcomes: tuple[Outcome, ...], broker: BrokerSight | None, now: float
) -> PoolMemory:
    if not decided.view.fleet_seen:
        return _unseen(old, decided.view, outcomes, now)
    view, names, depth = decided.view, roll_call(old, decided.view, now), _depth(decided.view)
    trouble = trouble_after(old, view, outcomes, broker, now)
    started, left = begun(old, decided, outcomes)
    listed = _listed(view) if old.drains or old.pending or outcomes else frozenset()
    return PoolMemory(
        recommendations=_window(old.recommendations, decided, decided.recommended, now),
        needs=_window(old.needs, decided, decided.needed, now),
        watched_since=_watched_since(old, view, now),
        last_up=now if started else old.last_up,
        last_down=now if left else old.last_down,
        changes=changes_after(old.changes, started - left, now),
        waiting_since=_waiting_since(old, view, now, all_seen=depth is not None),
        drains=_drains(old, view, listed, outcomes, now),
        ready=names.ready,
        idle=names.idle,
        none_idle_since=none_idle_since(old.none_idle_since, decided.steps, now),
        starting=names.starting,
        silent=names.silent,
        ended=tuple([c.name for c in view.exited]) if view.exited else (),
        fell=fell_with_engine(old, view) if view.exited or old.fell else (),
        pending=_pending(old, listed, outcomes, now),
        failures=trouble.failures,
        backoff_until=trouble.backoff_until,
        broker_fault=trouble.fault,
        flow=view.flow,
        boot_seconds=_boot_seconds(old, view, now),
        stop_seconds=_stop_seconds(old, outcomes, now),
        desired=decided.desired,
        looked_at=now,
        audible=names.audible,
        unheard=names.unheard,
        depth=depth,
        serial=serial_after(old, view, decided.actions),
        untouched_since=untouched_since(old, depth, now),
        woken_at=now if view.orders and any(o.kind is OrderKind.WAKE for o in view.orders) else old.woken_at,
    )


def _unseen(old: PoolMemory, view: PoolView, outcomes: tuple[Outcome, ...], now: float) -> PoolMemory:
    """Nothing is learned from a list that did not come; but what became of earlier actions is true all the same."""
    failed = {(o.action.kind, o.action.replica) for o in outcomes if o.result is Result.FAILED}
    return replace(
        old,
        watched_since=None,
        waiting_since=_waiting_since(old, view, now, all_seen=_depth(view) is not None),
        drains=tuple(d for d in old.drains if (ActionKind.DRAIN, d.replica) not in failed),
        pending=tuple((n, at) for n, at in old.pending if (ActionKind.START, n) not in failed),
        looked_at=None,
    )


def _begun(outcomes: tuple[Outcome, ...], kind: ActionKind) -> tuple[Action, ...]:
    """Actions of this kind that were done, or were ordered and may yet be."""
    return tuple([o.action for o in outcomes if o.action.kind is kind and o.result in (Result.DONE, Result.PENDING)])


def _depth(view: PoolView) -> tuple[int, int] | None:
    """Waiting and unacknowledged tasks over all queues, None while one cannot be seen."""
    unacked = 0
    for queue in view.queues:
        if not isinstance(queue.waiting, Known):
            return None
        unacked += known(queue.unacked) or 0
    return view.waiting, unacked


Window = tuple[tuple[float, int], ...]


def _window(window: Window, decided: PoolDecision, count: int, now: float) -> Window:
    """Counts that some window could still need: those above, or below, all later ones.

    What was found blindly counts as the current size, so that the window begins anew when sight returns.
    """
    seed = window or ((now, decided.current),)
    blind = decided.view.blind and count < decided.current
    latest = decided.current if blind else count
    if now - seed[0][0] >= LONGEST_WINDOW_SECONDS:
        seed = tuple([r for r in seed if now - r[0] < LONGEST_WINDOW_SECONDS])
    if seed and seed[-1][1] == latest:
        return (*seed[:-1], (now, latest))  # what was above or below all later ones still is
    return _with(seed, (now, latest)) if seed else ((now, latest),)


def _watched_since(old: PoolMemory, view: PoolView, now: float) -> float | None:
    """Since when the account of fewer replicas holds; where no replica is, nothing that came before matters.

    A replica that is silent for a look, as each is when it has just come and when it leaves, counts as busy there and ends nothing.
    """
    if view.blind or not (view.flow.is_measured or all(r.phase is Phase.STARTING for r in view.replicas)):
        return None
    if not view.replicas:
        return now - LONGEST_WINDOW_SECONDS
    return now if old.watched_since is None else old.watched_since


def _with(window: Window, latest: tuple[float, int]) -> Window:
    """The window with one more count, that is not the last one once more.

    All before the last lie above or below it already: they stay where they lie beyond both.

    >>> _with(((2, 5), (4, 4)), (5, 2))
    ((2, 5), (4, 4), (5, 2))
    >>> _with(((2, 5), (4, 4), (5, 2)), (6, 4))
    ((2, 5), (5, 2), (6, 4))
    """
    *earlier, last = window
    low, high = sorted((last[1], latest[1]))
    return (*[count for count in earlier if count[1] > high or count[1] < low], last, latest)


def _waiting_since(old: PoolMemory, view: PoolView, now: float, *, all_seen: bool) -> float | None:
    """Since when something has waited; a queue that cannot be seen neither starts nor ends the wait."""
    if view.waiting > 0:
        return old.waiting_since if old.waiting_since is not None else now
    return None if all_seen else old.waiting_since


def _listed(view: PoolView) -> frozenset[str]:
    """Names that the fleet shows, running or ended."""
    return frozenset([*[r.name for r in view.replicas if r.container_id], *[c.name for c in view.exited]])


def _drains(old: PoolMemory, view: PoolView, listed: frozenset[str], outcomes: tuple[Outcome, ...], now: float) -> tuple[Drain, ...]:
    """Drains under way; one whose signal could not be sent is forgotten, so that the next tick decides afresh."""
    if not old.drains and not outcomes:
        return ()
    refused = {o.action.replica for o in outcomes if o.action.kind is ActionKind.DRAIN and o.result is Result.FAILED}
    sent = {o.action.replica for o in outcomes if o.action.kind is ActionKind.DRAIN and o.result is Result.DONE}
    killed = {a.replica for a in _begun(outcomes, ActionKind.KILL)}
    leaving = {r.name: r for r in view.of(Phase.DRAINING)}
    kept = {d.replica: followed(d, leaving.get(d.replica), now) for d in old.drains if d.replica in listed - refused}
    begun = {a.replica: drain_of(a, view, now) for a in _begun(outcomes, ActionKind.DRAIN)}
    drains = {name: signalled(drain, now) if name in sent else drain for name, drain in (begun | kept).items()}
    return tuple(replace(drain, killed=True) if name in killed else drain for name, drain in drains.items())


def _pending(old: PoolMemory, listed: frozenset[str], outcomes: tuple[Outcome, ...], now: float) -> tuple[tuple[str, float], ...]:
    """Starts that the fleet does not show yet; a refused one is forgotten at once."""
    if not old.pending and not outcomes:
        return ()
    starts = [o for o in outcomes if o.action.kind is ActionKind.START]
    refused = {o.action.replica for o in starts if o.result in (Result.FAILED, Result.NOTHING_TO_DO)}
    kept = {n: at for n, at in old.pending if now - at <= UNSEEN_START_SECONDS}
    begun = {a.replica: kept.get(a.replica, now) for a in _begun(outcomes, ActionKind.START)}
    return tuple((n, at) for n, at in (kept | begun).items() if n not in refused | listed)


def _boot_seconds(old: PoolMemory, view: PoolView, now: float) -> float:
    """Creation to first voice, rounded up: a slow start counts at once, fast ones slowly."""
    learned = old.boot_seconds
    if not old.starting:
        return learned
    for seconds in (now - r.since for r in view.of(Phase.READY) if r.name in old.starting):
        learned = max(seconds, 0.9 * learned + 0.1 * seconds)
    return learned


def _stop_seconds(old: PoolMemory, outcomes: tuple[Outcome, ...], now: float) -> float:
    """How long an idle worker takes to leave, learned like the boot time."""
    if not old.drains:
        return old.stop_seconds
    removed = {a.replica for a in _begun(outcomes, ActionKind.REMOVE)}
    learned = old.stop_seconds
    for seconds in (now - d.since for d in old.drains if d.was_idle and not d.killed and d.replica in removed):
        learned = max(seconds, 0.9 * learned + 0.1 * seconds)
    return learned
