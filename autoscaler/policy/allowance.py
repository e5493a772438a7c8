"""How a broker's budget stands, and what that asks of decisions: when idle workers leave, when nothing is started, what is warned of.

`accounts` reads the meters of the last tick, so the decision carries how each budget stood when it was made. Work is never held
back for a budget, unless `on_exhausted: stop` says so; what is saved on is waiting: workers that idle, and looks (`looks.py`).

Worked example: 10,000 a day, 4,000 used by noon, 1,200 of them in the last hour. The average of the day is 0.09 a second, so by
midnight it will be 8,000: nothing needs to be saved. At 0.2 a second it would be 12,640 and run out at 20:20; then an idle worker
that costs 1.77 a second, and whose restart costs 125, is kept for no more than 125 / 1.77 = 71 s.
"""

from __future__ import annotations

from collections.abc import Mapping

from autoscaler.model import lane_of
from autoscaler.model.spending import Account, Budget, Meter, Purse
from autoscaler.policy.meter import day_end, day_name, month_end, month_name

LEAST_KEPT_SECONDS = 10.0
STAGES = (0.5, 0.8, 0.95, 1.0)
"""Shares of a budget at which somebody should hear of it."""
LEAST_OBSERVED_SECONDS = 6 * 3600.0
"""A shorter past counts as part of so many quiet hours: five busy minutes are no month."""


def accounts(budgets: Mapping[str, Budget], meters: Mapping[str, Meter], now: float) -> dict[str, Account]:
    """How each budget stands."""
    return {name: account(budget, meters.get(name, Meter()), now) for name, budget in budgets.items()}


def account(budget: Budget, meter: Meter, now: float) -> Account:
    """How one budget stands, and where it will be at the end of its period if the last day's average goes on."""
    daily = budget.period == "day"
    end = day_end(now) if daily else month_end(now)
    period = meter.day.during(day_name(now)) if daily else meter.month.during(month_name(now))
    used = period.used.total
    pace = average_per_second(meter)
    projected = used + pace * (end - now)
    left = budget.commands - used
    runs_out = now + left / pace if pace > 0 and projected > budget.commands else None
    stage = max((stage for stage in STAGES if used >= stage * budget.commands), default=0.0)
    return Account(budget, used, projected, end, now if left <= 0 else runs_out, stage)


def average_per_second(meter: Meter) -> float:
    """Commands per second over the last day; while less than some hours are known, as if the rest had been quiet."""
    commands, seconds = meter.pace
    return commands / max(seconds, LEAST_OBSERVED_SECONDS)


def purses(brokers: tuple[str, ...], books: Mapping[str, Account], meters: Mapping[str, Meter]) -> dict[str, Purse]:
    """What follows from every budget, by lane."""
    return {lane_of(name, brokers): purse(account, meters.get(name, Meter())) for name, account in books.items()}


def purse(account: Account, meter: Meter) -> Purse:
    """What follows from it for a lane of this broker."""
    if account.is_spent and account.budget.stops:
        return Purse(None, spent=True, words=f"{_words(account)} is used up, and on_exhausted is stop")
    if not account.breaks:
        return Purse()
    keep = max(LEAST_KEPT_SECONDS, meter.costs.starts / meter.costs.idle) if meter.costs.idle > 0 else None
    words = (
        f"{_words(account)} would not last, and an idle worker costs {60 * meter.costs.idle:.0f} commands a minute, "
        f"its restart {meter.costs.starts:.0f}"
    )
    return Purse(keep, words=words)


def _words(account: Account) -> str:
    return f"the budget of {account.budget.commands} commands a {account.budget.period}"
