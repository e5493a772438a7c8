"""A decision in words: one line an operator understands at 3 a.m., and the waterfall of steps behind it.

Log, journal, API and command line all call these, so every face tells the same story. Nothing is computed here that is not
already in the decision: its steps carry the numbers.
"""

from __future__ import annotations

import re

from autoscaler.model import Phase, PoolDecision, Step
from autoscaler.policy.reasons import Reason

LONGEST_FRAGMENT = 400

_DEMAND = {
    Reason.NO_DEMAND,
    Reason.DEMAND,
    Reason.BACKLOG_ABOVE_THRESHOLD,
    Reason.BACKLOG_BELOW_THRESHOLD,
    Reason.WAITED_TOO_LONG,
    Reason.TARGET_WAIT,
    Reason.BACKLOG_PER_REPLICA,
    Reason.WITHIN_TOLERANCE,
    Reason.BACKLOG_HOLDS,
    Reason.ACTIVATED,
    Reason.UNACKNOWLEDGED,
    Reason.WOKEN,
    Reason.POOL_REMOVED,
    Reason.ROLLING,
}
LIMITS: tuple[str, ...] = tuple(reason.value for reason in Reason if reason not in _DEMAND)
"""Reasons that hold a count back from what the work alone asks for; the others say what the work asks for."""
_LIMITS = frozenset(LIMITS)


def why(pool: PoolDecision, now: float) -> str:
    """The decision in one line: from how many to how many, the number that decided, and what holds it back.

    >>> from autoscaler.model import PoolView
    >>> view = PoolView("browser", (), 12, 0, (), (), 0.0, ())
    >>> why(PoolDecision("browser", view, 2, 5, 5, (Step("demand", 2, 5, "BacklogAboveThreshold", "12 waiting"),), ()), 0.0)
    'browser 2 -> 5: 12 waiting'
    """
    parts = _holding(pool) or [_told(step) for step in _changes(pool)]
    if pool.view.blind and not _tells(pool, Reason.BLIND, Reason.FLEET_UNSEEN):
        parts.append(f"cannot see {', '.join(gap.partition(':')[0] for gap in pool.view.blind)}")
    count = f"{pool.current}" if pool.desired == pool.current else f"{pool.current} -> {pool.desired}"
    return f"{pool.pool} {count}{', holding' if _holding(pool) else ''}: {'; '.join(parts + _leaving(pool, now))}"


def waterfall(pool: PoolDecision) -> tuple[str, ...]:
    """The steps as aligned lines, from raw demand to the final count."""
    steps = pool.steps
    rules = max((len(step.rule) for step in steps), default=0)
    counts = [f"{step.before} -> {step.after}" for step in steps]
    wide = max((len(count) for count in counts), default=0)
    codes = max((len(step.reason) for step in steps), default=0)
    return tuple(
        f"{step.rule:<{rules}}  {count:<{wide}}  {step.reason:<{codes}}  {line(step.because)}".rstrip()
        for step, count in zip(steps, counts, strict=True)
    )


def limits(pool: PoolDecision) -> tuple[str, ...]:
    """Reason codes of what holds this pool's count back, in the order they applied."""
    return tuple(dict.fromkeys([str(step.reason) for step in pool.steps if step.reason in _LIMITS]))


def line(text: str) -> str:
    """Text from outside as part of one line: no line breaks, no control characters, and not endless.

    >>> line("502 Bad\\r\\n  Gateway")
    '502 Bad Gateway'
    """
    flat = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text).split())
    return flat if len(flat) <= LONGEST_FRAGMENT else flat[: LONGEST_FRAGMENT - 3] + "..."


def seconds(duration: float) -> str:
    """A duration as people say it, in its two largest units.

    >>> seconds(7), seconds(90), seconds(7200), seconds(100_000)
    ('7s', '1m30s', '2h', '1d3h')
    """
    left = max(0, round(duration))
    units = [("d", 86400), ("h", 3600), ("m", 60), ("s", 1)]
    words = []
    for name, size in units:
        count, left = divmod(left, size)
        words.append((count, name))
    first = next((i for i, (count, _) in enumerate(words) if count), len(words) - 1)
    return "".join(f"{count}{name}" for count, name in words[first : first + 2] if count) or "0s"


def _changes(pool: PoolDecision) -> tuple[Step, ...]:
    """The demand and every step that changed it."""
    return tuple(step for i, step in enumerate(pool.steps) if i == 0 or step.before != step.after)


def _holding(pool: PoolDecision) -> list[str]:
    """Where a limit keeps the count as it is: the limit first, then what the work asks for; empty where none does."""
    changes = _changes(pool)
    if pool.desired != pool.current or not changes or changes[-1].reason not in _LIMITS:
        return []
    if len(changes) == 1:
        return [_told(changes[0])]
    return [_told(changes[-1], moved=False), f"the work asks for {changes[0].after}: {line(changes[0].because)}"]


def _told(step: Step, *, moved: bool = True) -> str:
    """A step's own words; a limit is introduced by its rule and says what it made of the count."""
    if step.reason not in _LIMITS or step.rule == "demand":
        return line(step.because)
    effect = f" ({step.after} instead of {step.before})" if moved and step.before != step.after else ""
    return f"{step.rule.replace('_', ' ')} - {line(step.because)}{effect}"


def _tells(pool: PoolDecision, *reasons: Reason) -> bool:
    return any(step.reason in reasons for step in pool.steps)


def _leaving(pool: PoolDecision, now: float) -> list[str]:
    """What is on its way out and for how long: it explains containers that no count includes."""
    draining = pool.view.of(Phase.DRAINING)
    if not draining:
        return []
    longest = max(now - replica.since for replica in draining)
    return [f"{len(draining)} draining, the longest for {seconds(longest)}"]
