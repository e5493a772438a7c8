"""A broker as numbers and in words: how it is doing, what it was used for, and where its budget will be. Pure.

`web/status.py` serves the numbers, `autoscaler status` prints the words, the log warns with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from autoscaler.model import BrokerChoice, BrokerSight, Health, Known
from autoscaler.model.spending import Account, Meter, Usage
from autoscaler.policy.allowance import average_per_second
from autoscaler.policy.looks import Rest, rests, tick_seconds
from autoscaler.policy.meter import day_name, month_name
from autoscaler.report.sentence import line, seconds
from autoscaler.report.snapshot import Snapshot

SENDERS = {
    "autoscaler": "the autoscaler",
    "flower": "Flower",
    "idle": "idle workers",
    "busy": "busy workers",
    "unexplained": "nobody known here",
}
LEAST_SHARE = 0.01


def brokers_status(snapshot: Snapshot, now: float) -> list[dict[str, Any]]:
    """Every usable broker: its health, why the active one is active, and what it costs. Producers and Compose files may follow this."""
    resting = rests(snapshot.policies, snapshot.memory, snapshot.record, now) if snapshot.record else {}
    return [_broker(snapshot, name, resting.get(name), now) for name in snapshot.policies.brokers]


def _broker(snapshot: Snapshot, name: str, rest: Rest | None, now: float) -> dict[str, Any]:
    record, active = snapshot.record, name == snapshot.active_broker
    sight = record.observation.brokers.get(name) if record else None
    choice = record.decision.brokers if record else BrokerChoice()
    account = record.decision.books.get(name) if record else None
    meter = snapshot.memory.meters.get(name, Meter())
    every = max(tick_seconds(snapshot.policies, record), rest.seconds if rest else 0.0)
    return {
        "broker": name,
        "active": active,
        "health": str(sight.health if sight else Health.UNKNOWN),
        "detail": line(sight.detail) if sight else "",
        "why": line(choice.why) if active else "",
        "up_since": choice.tracks[name].up_since if name in choice.tracks else None,
        "waiting": waiting(sight) if sight else None,
        "asked_every_seconds": round(every, 1),
        "usage": _usage(meter, now),
        "budget": _budget(account) if account else None,
        "costs": _costs(meter),
        "words": [line(text) for text in (*words(name, meter, account, now), *pace(name, rest, every))],
    }


def waiting(sight: BrokerSight) -> int | None:
    """Tasks that wait on it in the configured queues, None while one of these cannot be seen."""
    known = [q.waiting.value for q in sight.queues.values() if isinstance(q.waiting, Known)]
    return sum(known) if len(known) == len(sight.queues) else None


def _usage(meter: Meter, now: float) -> dict[str, Any]:
    today, month = meter.day.during(day_name(now)), meter.month.during(month_name(now))
    return {
        "today": _rounded(today.used),
        "month": _rounded(month.used),
        "saved_today": round(today.saved),
        "saved_month": round(month.saved),
        "per_second": {name: round(value, 4) for name, value in asdict(meter.per_second).items()},
        "average_per_second": round(average_per_second(meter), 4),
        "server_counts": meter.served is not None,
    }


def _rounded(used: Usage) -> dict[str, int]:
    return {**{name: round(value) for name, value in asdict(used).items()}, "total": round(used.total)}


def _budget(account: Account) -> dict[str, Any]:
    return {
        "commands": account.budget.commands,
        "period": account.budget.period,
        "on_exhausted": "stop" if account.budget.stops else "continue",
        "used": round(account.used),
        "ratio": account.ratio,
        "projected": round(account.projected),
        "ends_at": account.ends_at,
        "runs_out_at": account.runs_out_at,
    }


def _costs(meter: Meter) -> dict[str, Any]:
    """Commands that each thing costs; a name in `learned` was measured here, the others are usual values."""
    costs = meter.costs
    return {
        "flower_per_minute": round(60 * costs.flower, 1),
        "idle_worker_per_minute": round(60 * costs.idle, 1),
        "busy_worker_per_minute": round(60 * costs.busy, 1),
        "per_task": round(costs.tasks, 1),
        "per_start": round(costs.starts, 1),
        "learned": list(meter.learned),
    }


# ---------------------------------------------------------------- words


def words(name: str, meter: Meter, account: Account | None, now: float) -> Iterator[str]:
    """What somebody wants to know who pays for it, a sentence each."""
    if meter.at is None:
        return
    today, month = meter.day.during(day_name(now)), meter.month.during(month_name(now))
    yield f"{name}: {_count(today.used.total)} commands today, {_count(month.used.total)} this month{_by_whom(month.used)}"
    if account:
        yield f"{name}: {standing(account, now)}"
    idle, guess = 60 * meter.costs.idle, "" if "idle" in meter.learned else " (usual value, not measured here yet)"
    saved = f"; having none saved {_count(month.saved)} this month" if month.saved >= 1 else ""
    yield f"{name}: an idle worker costs {idle:.0f} commands a minute{guess}, {_count(1440 * idle)} a day{saved}"


def standing(account: Account, now: float) -> str:
    """How a budget stands, in one sentence.

    >>> from autoscaler.model.spending import Budget
    >>> standing(Account(Budget(10_000, "day"), 8_000.0, 12_000.0, 7200.0, 3600.0, 0.8), now=0.0)
    '80 % of 10,000 a day used; at the pace of the last day it runs out in 1h, and would be 12,000 at the end'
    """
    used = f"{100 * account.ratio:.0f} % of {account.budget.commands:,} a {account.budget.period} used"
    if account.is_spent:
        return f"{used}: it is spent until {datetime.fromtimestamp(account.ends_at, UTC):%Y-%m-%d %H:%M} UTC"
    if account.runs_out_at is not None:
        left = seconds(account.runs_out_at - now)
        return f"{used}; at the pace of the last day it runs out in {left}, and would be {_count(account.projected)} at the end"
    return f"{used}; at the pace of the last day {_count(account.projected)} at the end"


def pace(name: str, rest: Rest | None, every: float) -> Iterator[str]:
    """Why a broker is asked less often than the others, where it is.

    >>> list(pace("main", Rest(600.0, "its quota is used up"), 600.0))
    ['main: asked once in 10m, because its quota is used up']
    """
    if rest and rest.seconds >= every:
        yield f"{name}: asked once in {seconds(every)}, because {rest.why}"


def _by_whom(used: Usage) -> str:
    """Who has sent the commands, the most first, where it is worth a word.

    >>> _by_whom(Usage(autoscaler=2.0, flower=198.0, idle=800.0))
    ': 80 % by idle workers, 20 % by Flower'
    """
    shares = {words: getattr(used, name) / used.total for name, words in SENDERS.items()} if used.total else {}
    told = [f"{100 * share:.0f} % by {words}" for words, share in sorted(shares.items(), key=lambda pair: -pair[1]) if share >= LEAST_SHARE]
    return f": {', '.join(told)}" if told else ""


def _count(commands: float) -> str:
    return f"{round(commands):,}"
