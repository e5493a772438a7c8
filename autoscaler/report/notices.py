"""What of a record is worth waking somebody for, said once when it begins and once when it is over.

`notify.py` hands every record in, in order, and sends what comes out. No time is read here: a record carries its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from autoscaler.config.notify import Topic
from autoscaler.model import Phase, PoolDecision, Record
from autoscaler.policy.reasons import Reason
from autoscaler.report.brokers import standing
from autoscaler.report.sentence import line, why

BLIND_SECONDS = 60.0
"""A look that fails now and then is nobody's business."""
FAILING = (Reason.BACKING_OFF, Reason.BROKER_FAULT)


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence for a person."""

    topic: Topic
    text: str


class Notices:
    """Remembers what is wrong, so that nothing is told twice while it lasts."""

    def __init__(self) -> None:
        self._failing: set[str] = set()
        self._blind_since: dict[str, float] = {}
        self._blind_told: set[str] = set()
        self._stages: dict[str, tuple[float, float]] = {}
        """Of each broker: when its budget's period ends, and the share that was told last."""

    def of(self, record: Record) -> Iterator[Notice]:
        """What is new in this record."""
        choice = record.decision.brokers
        if choice.is_failover:
            yield Notice("failover", line(f"broker {choice.active} is active instead of {choice.before}: {choice.why}"))
        yield from self._of_budgets(record)
        for pool in record.decision.pools:
            yield from self._of_failures(pool, record.at)
            yield from self._of_sight(pool, record.at)

    def _of_budgets(self, record: Record) -> Iterator[Notice]:
        for broker, account in record.decision.books.items():
            ends, told = self._stages.get(broker, (account.ends_at, 0.0))
            self._stages[broker] = (account.ends_at, account.stage)
            if account.stage > (told if ends == account.ends_at else 0.0):
                yield Notice("budget", line(f"{broker}: {standing(account, record.at)}"))

    def _of_failures(self, pool: PoolDecision, now: float) -> Iterator[Notice]:
        fails = any(step.reason in FAILING for step in pool.steps)
        if fails and pool.pool not in self._failing:
            self._failing.add(pool.pool)
            yield Notice("failures", f"workers fail: {why(pool, now)}")
        elif not fails and pool.pool in self._failing and pool.view.count(Phase.READY):
            self._failing.discard(pool.pool)
            yield Notice("failures", f"{pool.pool}: workers run again")

    def _of_sight(self, pool: PoolDecision, now: float) -> Iterator[Notice]:
        if not pool.view.blind:
            self._blind_since.pop(pool.pool, None)
            if pool.pool in self._blind_told:
                self._blind_told.discard(pool.pool)
                yield Notice("blind", f"{pool.pool}: everything can be seen again")
        elif now - self._blind_since.setdefault(pool.pool, now) >= BLIND_SECONDS and pool.pool not in self._blind_told:
            self._blind_told.add(pool.pool)
            yield Notice("blind", line(f"{pool.pool} is blind and is not scaled down: {'; '.join(pool.view.blind)}"))
