"""What everything costs each broker: a fold over records, by day and by month.

Our own commands are exact. For the others each tick enters an estimate: seconds of Flower, of idle and of busy workers, tasks and
starts, each at its learned cost. When the server's own counter was read, the entries since the last reading are settled with it:
what it served beyond them is unexplained, what they had too much is taken back, and the reading teaches the costs (`costs.py`).
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime

from autoscaler.model import ActionKind, BrokerSight, Memory, Phase, PoolDecision, Record, Result
from autoscaler.model.spending import Exposure, Meter, Period, Served, Usage
from autoscaler.policy.costs import LEAST_COMMANDS, learn, solve

LONGEST_STEP_SECONDS = 1800.0
"""After a longer pause nobody can say what there was in between; a reading over it teaches nothing."""
RECENT_SECONDS = 300.0
PACE_SECONDS = 86400.0
BELIEVED = 2.0
"""A reading of more than twice what was expected is mostly somebody else's doing, and teaches no more than that."""


def meters(memory: Memory, record: Record) -> dict[str, Meter]:
    """Every broker's meter after this record; one that is gone from the configuration is forgotten."""
    seen = record.observation.brokers
    if not seen:
        return {}
    home = next(iter(seen))
    lanes: dict[str, list[PoolDecision]] = {}
    for lane in record.decision.lanes:
        lanes.setdefault(lane.broker or home, []).append(lane)
    flower = any(s.name == "flower" and s.up for s in record.observation.sources)
    at_zero = sum(not pool.view.replicas for pool in record.decision.pools if pool.view.fleet_seen)
    told: dict[str, Meter] = {}
    for name, sight in seen.items():
        there = Scene(lanes.get(name, []), memory, record, flower=flower and name == home)
        resting = at_zero if name == (record.decision.brokers.active or home) else 0
        told[name] = metered(memory.meters.get(name, Meter()), sight, there, resting, record.at)
    return told


@dataclass(frozen=True, slots=True)
class Scene:
    """Who was there on one broker in one tick."""

    lanes: list[PoolDecision]
    memory: Memory
    record: Record
    flower: bool

    def exposure(self, seconds: float) -> Exposure:
        """What costs commands, over the time since the tick before."""
        workers = [r for lane in self.lanes for r in lane.view.replicas if r.phase is not Phase.STOPPING]
        busy = sum(1 for r in workers if r.running)
        return Exposure(
            flower=seconds * self.flower,
            idle=seconds * (len(workers) - busy),
            busy=seconds * busy,
            tasks=float(sum(self._tasks(lane) for lane in self.lanes)),
            starts=float(self._starts()),
        )

    def _tasks(self, lane: PoolDecision) -> int:
        """Tasks begun since the tick before, where anybody counts them."""
        before, now = self.memory.of(lane.key).flow, lane.view.flow
        return max(0, now.started - before.started) if before.is_measured and now.is_measured else 0

    def _starts(self) -> int:
        lanes = {(lane.pool, lane.broker) for lane in self.lanes}
        done = (o.action for o in self.record.outcomes if o.action.kind is ActionKind.START and o.result is Result.DONE)
        return sum((action.pool, action.broker) in lanes for action in done)


def metered(old: Meter, sight: BrokerSight, there: Scene, at_zero: int, now: float) -> Meter:
    """One broker's meter after one tick."""
    away = old.at is None or not 0 <= now - old.at <= LONGEST_STEP_SECONDS
    seconds = 0.0 if old.at is None or away else now - old.at
    units = there.exposure(seconds)
    own = sight.commands_sent - old.sent if sight.commands_sent >= old.sent else sight.commands_sent
    entry = estimate(units, old.costs) + Usage(autoscaler=float(own))
    meter = replace(
        old,
        at=now,
        sent=sight.commands_sent,
        since_read=old.since_read + units,
        booked=old.booked + entry,
        whole=old.whole and not away,
        per_second=_speed(old.per_second, entry, seconds),
        pace=_paced(old.pace, seconds),
    )
    meter = _entered(meter, entry, now, saved=at_zero * seconds * old.costs.idle)
    return _settled(meter, sight.served, now) if sight.served and sight.served.is_another(old.served) else meter


def estimate(units: Exposure, costs: Exposure) -> Usage:
    """Commands for so much of everything."""
    work = units.busy * costs.busy + units.tasks * costs.tasks + units.starts * costs.starts
    return Usage(flower=units.flower * costs.flower, idle=units.idle * costs.idle, busy=work)


def _entered(meter: Meter, entry: Usage, now: float, *, saved: float = 0.0, since: float | None = None) -> Meter:
    """The sums with this entry, which may also take something back; `since` is when it began, if that may be in an earlier period."""
    day, month = day_name(now), month_name(now)
    net = entry + meter.owed * -1.0
    return replace(
        meter,
        day=_of_period(meter.day, day, entry * _share(since, now, day_start(now)), saved),
        month=_of_period(meter.month, month, entry * _share(since, now, month_start(now)), saved),
        ever=meter.ever + _positive(net),
        owed=_positive(net * -1.0),
        pace=(max(0.0, meter.pace[0] + entry.total), meter.pace[1]),
    )


def _of_period(period: Period, name: str, entry: Usage, saved: float) -> Period:
    """The sums of a period, or of the next one that has begun."""
    period = period.during(name)
    return Period(name, _positive(period.used + entry), period.saved + saved)


def _settled(meter: Meter, served: Served, now: float) -> Meter:
    """The entries since the last reading made to agree with the server's counter, and the costs learned from it."""
    last, fresh = meter.served, replace(meter, served=served, since_read=Exposure(), booked=Usage(), whole=True)
    if last is None or last.run != served.run or served.commands < last.commands:
        return fresh
    commands, own = float(served.commands - last.commands), meter.booked.autoscaler
    if meter.whole:
        believable = BELIEVED * estimate(meter.since_read, meter.costs).total + LEAST_COMMANDS
        others = min(max(0.0, commands - own), believable)
        evidence = learn(meter.evidence, meter.since_read, max(0.0, served.at - last.at), others)
        costs, learned = solve(evidence)
        fresh = replace(fresh, evidence=evidence, costs=costs, learned=learned)
    truth = shared_out(commands, own, estimate(meter.since_read, fresh.costs))
    fresh = replace(fresh, per_second=replace(fresh.per_second, unexplained=truth.unexplained / max(1.0, served.at - last.at)))
    return _entered(fresh, truth + meter.booked * -1.0, now, since=last.at)


def shared_out(commands: float, own: float, others: Usage) -> Usage:
    """So many commands by who sent them: our own as counted, the others as estimated or less, the rest unexplained.

    >>> shared_out(100.0, 10.0, Usage(flower=20.0, idle=40.0))
    Usage(autoscaler=10.0, flower=20.0, idle=40.0, busy=0.0, unexplained=30.0)
    >>> shared_out(40.0, 10.0, Usage(flower=20.0, idle=40.0))
    Usage(autoscaler=10.0, flower=10.0, idle=20.0, busy=0.0, unexplained=0.0)
    """
    left = max(0.0, commands - own)
    shown = others * min(1.0, left / others.total) if others.total else others
    return replace(shown, autoscaler=own, unexplained=max(0.0, left - shown.total))


def _speed(old: Usage, entry: Usage, seconds: float) -> Usage:
    """Commands per second, averaged over some minutes; the unexplained share changes only with a reading."""
    if seconds <= 0:
        return old
    weight = 1.0 - math.exp(-seconds / RECENT_SECONDS)
    return replace(old * (1.0 - weight) + entry * (weight / seconds), unexplained=old.unexplained)


def _paced(pace: tuple[float, float], seconds: float) -> tuple[float, float]:
    fading = math.exp(-seconds / PACE_SECONDS)
    return pace[0] * fading, pace[1] * fading + seconds


def _positive(usage: Usage) -> Usage:
    return Usage(*(max(0.0, value) for value in astuple(usage)))


# ---------------------------------------------------------------- days and months


def day_name(now: float) -> str:
    """The day in UTC, by which providers count.

    >>> day_name(0.0), month_name(0.0)
    ('1970-01-01', '1970-01')
    """
    return f"{_date(now):%Y-%m-%d}"


def month_name(now: float) -> str:
    """The month in UTC."""
    return f"{_date(now):%Y-%m}"


def day_start(now: float) -> float:
    """The beginning of this day in UTC."""
    return _date(now).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def month_start(now: float) -> float:
    """The beginning of this month in UTC."""
    return _date(now).replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()


def day_end(now: float) -> float:
    """The beginning of the next day; in UTC every day has the same length."""
    return day_start(now) + 86400.0


def month_end(now: float) -> float:
    """The beginning of the next month."""
    date = _date(now)
    year, month = (date.year + 1, 1) if date.month == 12 else (date.year, date.month + 1)
    return datetime(year, month, 1, tzinfo=UTC).timestamp()


def _share(since: float | None, now: float, start: float) -> float:
    """The part of a stretch of time that lies in the present period."""
    if since is None or since >= start or now <= since:
        return 1.0
    return (now - start) / (now - since)


def _date(now: float) -> datetime:
    return datetime.fromtimestamp(now, UTC)
