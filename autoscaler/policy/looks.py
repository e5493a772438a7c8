"""How often each broker is looked at: fast while there is work, slowly while there is none, and no more than its budget allows.

The daemon asks before each tick, with the record of the last one, and the eyes leave a broker alone for so long; its last answer
stands meanwhile. A wake overrides all of it, but that a spent broker is asked no more than once a minute: producers that have gone
to another one go on to wake. A broker without a budget costs nothing to look at, so it is asked in every tick.

Worked example: 250,000 of 500,000 commands are left and 15 days to go. A fifth of what is left may go into looking at nothing:
15 x 86,400 s / 50,000 = one look in 26 s. Where producers wake their pools, one in ten minutes is enough, for safety: 144 a day.
"""

from __future__ import annotations

from typing import NamedTuple

from autoscaler.model import BrokerTrack, Health, Memory, OrderKind, Orders, Phase, Policies, PoolDecision, Record, lane_of
from autoscaler.model.spending import Account
from autoscaler.policy.failover import BACK_LOOKS, DOWN_LOOKS

LOOKING_SHARE = 0.2
"""The part of what is left of a budget that may be spent on looking at empty queues."""
LONGEST_PAUSE_SECONDS = 600.0
THIN_SECONDS = 10.0
"""Between looks while there is work and the budget would not last."""
PROBE_SECONDS = 15.0
"""Before trouble on a metered broker is looked into again."""
SPENT_SECONDS = 300.0
"""The same where its quota is spent, after five refusals; up to then twice as long each time. It may bill its refusals."""
WOKEN_SECONDS = 60.0
"""The same while producers wake: their tasks may have gone to another broker, or to this one because it has been renewed."""
WAKES_REMEMBERED_SECONDS = 7 * 86400.0


class Rest(NamedTuple):
    """How long a broker is left alone after a look at it, and why, in words that follow "because"."""

    seconds: float
    why: str
    least_seconds: float = 0.0
    """Also after a wake."""


def pauses(policies: Policies, memory: Memory, last: Record | None, orders: Orders, now: float) -> dict[str, float]:
    """Seconds to leave each broker alone after its last look; those that are not named are asked in every tick."""
    if last is None:
        return {}
    woken = any(order.kind is OrderKind.WAKE for standing in orders.values() for order in standing)
    found = {name: rest.least_seconds if woken else rest.seconds for name, rest in rests(policies, memory, last, now).items()}
    return {name: seconds for name, seconds in found.items() if seconds}


def rests(policies: Policies, memory: Memory, last: Record, now: float) -> dict[str, Rest]:
    """The brokers that are not asked in every tick, while nobody wakes."""
    resting = at_rest(policies, last)
    woken = policies.wakes and all(_was_woken(memory, pool, now) for pool in policies.pools)
    found = {}
    for name in policies.brokers:
        account = last.decision.books.get(name)
        if (pause := _in_trouble(name, last, memory, metered=account is not None)) is None and account:
            idle = resting or (name != memory.active_broker and not _has_work(name, policies.brokers, last))
            pause = _at_rest(account, policies, now, woken=woken) if idle else _at_work(account)
        if pause and pause.seconds:
            found[name] = pause
    return found


def tick_seconds(policies: Policies, last: Record | None) -> float:
    """From one tick to the next: `idle_interval`, where one is given, while every pool is idle."""
    idle = policies.idle_interval_seconds
    if idle is None or last is None or not at_rest(policies, last):
        return policies.interval_seconds
    return max(policies.interval_seconds, idle)


def at_rest(policies: Policies, last: Record) -> bool:
    """Whether every pool had nothing to do in that tick, and no more replicas than it keeps without work."""
    return all(_is_quiet(policies, pool) for pool in last.decision.pools)


def _is_quiet(policies: Policies, pool: PoolDecision) -> bool:
    view, policy = pool.view, policies.pools.get(pool.pool)
    if policy is None or pool.actions or view.blind or view.waiting or view.leftover or pool.desired != pool.current:
        return False
    return pool.current <= policy.replicas_min and all(r.phase is Phase.READY and r.is_idle for r in view.replicas)


def seconds_between_looks(left: float, until_end: float) -> float:
    """So many commands are left for so long: how far apart looks at empty queues are, one command each.

    >>> round(seconds_between_looks(250_000, 15 * 86_400))
    26
    """
    if left <= 0:
        return LONGEST_PAUSE_SECONDS
    return min(LONGEST_PAUSE_SECONDS, until_end / (LOOKING_SHARE * left))


def _at_work(account: Account) -> Rest | None:
    return Rest(THIN_SECONDS, "its budget would not last") if account.breaks else None


def _at_rest(account: Account, policies: Policies, now: float, *, woken: bool) -> Rest | None:
    if policies.idle_interval_seconds is not None:
        return None  # the whole loop is as slow as the operator wants it
    if woken:
        return Rest(LONGEST_PAUSE_SECONDS, "nothing is to do there, and producers wake their pools")
    seconds = seconds_between_looks(account.budget.commands - account.used, account.ends_at - now)
    return Rest(seconds, "nothing is to do there, and its budget is kept for work")


def _in_trouble(name: str, last: Record, memory: Memory, *, metered: bool) -> Rest | None:
    """The pause for a broker that does not serve, or has just begun to again; None where it serves."""
    track, sight = memory.brokers.get(name, BrokerTrack()), last.observation.brokers.get(name)
    if sight is None or not track.failed:
        on_probation = name != memory.active_broker and 0 < track.answered < BACK_LOOKS
        return Rest(PROBE_SECONDS, "it has just begun to serve again") if metered and on_probation else None
    if sight.health is Health.QUOTA:
        pause = min(SPENT_SECONDS, PROBE_SECONDS * 2.0 ** min(track.failed - 1, 10))
        return Rest(pause, "its quota is used up", least_seconds=min(pause, WOKEN_SECONDS))
    return Rest(PROBE_SECONDS if metered and track.failed >= DOWN_LOOKS else 0.0, "it does not serve")


def _has_work(name: str, brokers: tuple[str, ...], last: Record) -> bool:
    lane = lane_of(name, brokers)
    there = [d.view for d in last.decision.lanes if d.broker == lane]
    return any(view.waiting or view.leftover or view.replicas for view in there)


def _was_woken(memory: Memory, pool: str, now: float) -> bool:
    last = max((lane.woken_at for lane in memory.of_lanes(pool) if lane.woken_at is not None), default=None)
    return last is not None and now - last <= WAKES_REMEMBERED_SECONDS
