"""What is worth a message: each trouble once when it begins, and once when it is over."""

from __future__ import annotations

from dataclasses import replace

from telling import NOW, a_decision, a_failover, a_record, a_replica, a_step, a_view

from autoscaler.config.notify import TOPICS
from autoscaler.model import PoolDecision, Record
from autoscaler.model.spending import Account, Budget
from autoscaler.report.notices import Notices


def told(notices: Notices, *pools: PoolDecision, at: float = NOW) -> list[tuple[str, str]]:
    """Topic and text of everything that this tick has to tell."""
    return [(notice.topic, notice.text) for notice in notices.of(a_record(*pools, at=at))]


def failing() -> PoolDecision:
    """A pool whose next start waits."""
    return a_decision("browser", a_step(0, 1), a_step(1, 0, rule="backoff", reason="BackingOff", because="workers ended badly 3 times"))


def test_a_quiet_tick_tells_nothing() -> None:
    """Most of them."""
    assert told(Notices(), a_decision()) == []


def test_failures_are_told_once_and_their_end() -> None:
    """However many ticks the backoff lasts; and a pool that merely rests has not recovered."""
    notices = Notices()

    ((topic, text),) = told(notices, failing())
    assert "failures" == topic
    assert text.startswith("workers fail: browser 0, holding: backoff - workers ended badly 3 times")
    assert [] == told(notices, failing())
    assert [] == told(notices, a_decision())
    assert [("failures", "browser: workers run again")] == told(notices, a_decision(view=a_view(replicas=(a_replica(),))))
    assert [] == told(notices, a_decision(view=a_view(replicas=(a_replica(),))))


def test_blindness_is_told_when_it_lasts() -> None:
    """A look that failed is no message, a minute of them is one; and that it is over is another."""
    notices, blind = Notices(), a_decision(view=a_view(waiting=None))

    assert [] == told(notices, blind)
    assert [] == told(notices, blind, at=NOW + 59)
    (notice,) = told(notices, blind, at=NOW + 60)
    assert notice == ("blind", "browser is blind and is not scaled down: queue browser: Flower does not list it")
    assert [] == told(notices, blind, at=NOW + 600)
    assert [("blind", "browser: everything can be seen again")] == told(notices, a_decision(), at=NOW + 602)


def test_a_failover_is_told() -> None:
    """With the reason, in the tick in which it happens."""
    notices = Notices()
    spent = "primary is left: broker primary at db:6379 has used up its quota"

    first, *budgets = notices.of(a_failover())
    assert ("failover", f"broker fallback is active instead of primary: {spent}") == (first.topic, first.text)
    assert ["budget"] == [notice.topic for notice in budgets]
    assert [] == list(notices.of(a_failover(just_now=False)))


def with_budget(stage: float, ends_at: float = NOW + 3600) -> Record:
    """A tick in which this share of the budget is used."""
    account = Account(Budget(10_000, "day"), 10_000 * stage, 12_000.0, ends_at, NOW + 600, stage)
    record = a_record()
    return replace(record, decision=replace(record.decision, books={"primary": account}))


def test_each_share_of_a_budget_is_told_once_in_a_period() -> None:
    """And again in the next one."""
    notices = Notices()
    stages = [with_budget(0.0), with_budget(0.8), with_budget(0.8), with_budget(1.0), with_budget(0.8, NOW + 90_000)]

    texts = [[notice.text for notice in notices.of(record)] for record in stages]

    assert [0, 1, 0, 1, 1] == [len(told) for told in texts]
    assert texts[1][0].startswith("primary: 80 % of 10,000 a day used")


def test_every_topic_is_one_of_the_configuration() -> None:
    """Which `notify.about` chooses from."""
    assert {"failures", "budget", "failover", "blind"} == set(TOPICS)
