"""A broker whose quota is gone, in the whole loop with the real eyes: how often it is asked, at what cost, and when it is returned to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from autoscaler.errors import AnswerUnusable
from autoscaler.loop import tick
from autoscaler.model import Action, Health, Memory, Order, OrderKind, Outcome, Policies, PoolPolicy, Record
from autoscaler.model.spending import Budget
from autoscaler.policy.failover import BACK_LOOKS, BACK_SECONDS
from autoscaler.policy.looks import LOOKING_SHARE, PROBE_SECONDS, SPENT_SECONDS, WOKEN_SECONDS, pauses
from autoscaler.sources.eyes import Eyes
from autoscaler.sources.sight import Sight, Wanted

BUDGET = Budget(500_000, "month")
INTERVAL = 10.0
HOUR = 3600.0
MONTH = 30 * 24 * HOUR
POLICIES = Policies("t", INTERVAL, 5, {"p": PoolPolicy("p", ("p",), 0, 5, 1)}, brokers=("primary", "fallback"), budgets={"primary": BUDGET})


@dataclass(eq=False)
class ABroker:
    """Empty, and refusing while its quota is gone; each question costs a command."""

    broker: str
    spent: bool = False
    commands_sent: int = 0
    asked_at: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"broker:{self.broker}"

    async def look(self, wanted: Wanted) -> Sight:
        """One question."""
        self.commands_sent += 1
        self.asked_at.append(wanted.now)
        if self.spent:
            raise AnswerUnusable("has used up its quota", kind=Health.QUOTA)
        return Sight(queues={"p": 0}, unacked={"p": 0})

    async def close(self) -> None:
        """Nothing is open."""


class Loop:
    """What the daemon does before and in each tick, on a clock of its own."""

    def __init__(self) -> None:
        self.primary, self.fallback = ABroker("primary"), ABroker("fallback")
        both = (self.primary, self.fallback)
        self.eyes = Eyes(tuple, both, depth_from="broker", max_age_seconds=60.0, patience_seconds=2.0)
        self.now, self.memory = 1_700_000_000.0, Memory()
        self.record: Record | None = None

    def run(self, seconds: float, *, woken: bool = False) -> Loop:
        """Tick on, with a wake before each tick or without."""
        until = self.now + seconds
        while self.now < until:
            orders = {"p": (Order(OrderKind.WAKE, "p", self.now, "producer"),)} if woken else {}
            self.eyes.rest(pauses(POLICIES, self.memory, self.record, orders, self.now))
            self.record, self.memory = tick(POLICIES, self.memory, self.eyes, self, self.now)
            self.now += INTERVAL
        return self

    def act(self, actions: tuple[Action, ...], now: float) -> tuple[Outcome, ...]:
        """There is no work."""
        return ()

    @property
    def active(self) -> str:
        """The broker that workers would be started for."""
        return self.record.decision.brokers.active if self.record else ""

    def asked(self, seconds: float, *, woken: bool = False) -> int:
        """Commands to the primary in the next so many seconds."""
        before = self.primary.commands_sent
        return self.run(seconds, woken=woken).primary.commands_sent - before


@pytest.fixture
def loop() -> Iterator[Loop]:
    """Both brokers serve; then the quota of the first is gone, and the second is active."""
    built = Loop()
    built.run(60.0)
    assert "primary" == built.active
    built.primary.spent = True
    built.run(120.0)
    assert "fallback" == built.active
    yield built
    built.eyes.close()


@pytest.mark.parametrize(
    ("woken", "pause"), [pytest.param(False, SPENT_SECONDS, id="quiet"), pytest.param(True, WOKEN_SECONDS, id="woken in every tick")]
)
def test_probing_a_spent_broker_stays_within_the_share_for_looks(loop: Loop, woken: bool, pause: float) -> None:
    """An hour of refusals, each of which may be billed: at that pace a month of them is less than looking may cost."""
    loop.run(10 * PROBE_SECONDS, woken=woken)
    asked = loop.asked(HOUR, woken=woken)

    assert HOUR / pause - 1 <= asked <= HOUR / pause + 1
    assert asked * MONTH / HOUR < LOOKING_SHARE * BUDGET.commands


def test_it_is_returned_to_soon_after_the_renewal(loop: Loop) -> None:
    """One pause until it is noticed and a minute of probation, with few looks in it; not sooner than that minute."""
    loop.run(HOUR / 2)
    renewed, loop.primary.spent = loop.now, False
    while loop.active != "primary":
        loop.run(INTERVAL)
        assert loop.now < renewed + SPENT_SECONDS + BACK_SECONDS + 2 * PROBE_SECONDS

    looks = [at for at in loop.primary.asked_at if at >= renewed]
    assert loop.now - looks[0] >= BACK_SECONDS
    assert BACK_LOOKS <= len(looks) <= BACK_SECONDS / INTERVAL


def test_a_relapse_on_probation_costs_no_more_than_a_probe(loop: Loop) -> None:
    """Renewed for one look only: it is left again where it is, and asked as a spent one."""
    loop.run(HOUR / 2)
    loop.primary.spent, asked = False, loop.primary.commands_sent
    while loop.primary.commands_sent == asked:
        loop.run(INTERVAL)
    loop.primary.spent = True

    assert loop.asked(HOUR) <= HOUR / SPENT_SECONDS + 5
    assert "fallback" == loop.active
