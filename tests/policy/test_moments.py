"""What is remembered follows a wall clock that is set: no time is left behind."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from builders import NOW, a_policy, container, fleet, policies, seen

from autoscaler.model import Drain, Memory, PoolMemory
from autoscaler.model.moment import shifted
from autoscaler.model.spending import SENDERS
from autoscaler.policy.costs import NAMES
from autoscaler.policy.decide import decide

COMMANDS = {*SENDERS, *NAMES, "saved", "pace", "evidence"}
"""Amounts of a broker's meter."""
AMOUNTS = {"would_wait", "done", "arrival_rate", "unheard", *COMMANDS}
"""Bare numbers that are neither a time nor called seconds."""


def bare_floats(kind: Any, name: str = "") -> Iterator[str]:
    """Fields of this type, and of the types in it, that hold a plain float."""
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind, include_extras=True)
        for field in fields(kind):
            yield from bare_floats(hints[field.name], field.name)
    elif kind is float:
        yield name
    elif typing.get_origin(kind) is not typing.Annotated:
        for inner in typing.get_args(kind):
            yield from bare_floats(inner, name)


def test_every_remembered_time_is_a_moment():
    """A plain float in the memory is a duration or an amount and is called so; a time has the type Moment."""
    assert {name for name in bare_floats(Memory) if not name.endswith("_seconds")} <= AMOUNTS


def test_decision_does_not_notice_that_the_clock_was_set():
    """With everything moved along, an hour's jump changes no decision: not of windows, cooldowns, drains, backoff or starts."""
    settings = policies(a_policy(drain_timeout_seconds=60.0, kill_on_drain_timeout=True))
    memory = Memory(
        {
            "p": PoolMemory(
                recommendations=((NOW - 5.0, 3),), last_up=NOW - 1.0, last_down=NOW - 2.0, backoff_until=NOW + 4.0, failures=1,
                drains=(Drain("p0", NOW - 50.0, "idle"),), pending=(("p-new", NOW - 3.0),), ready=("p0", "p1"),
            )
        }
    )  # fmt: skip
    for jump in (3600.0, -3600.0):
        before, after = fleet(1, 0), fleet(1, 0, age=300.0 - jump)
        young = [container("p9", age=age) for age in (5.0, 5.0 - jump)]
        here = decide(settings, seen(waiting=2, containers=(*before["containers"], young[0]), workers=before["workers"]), memory, NOW)
        look = seen(waiting=2, containers=(*after["containers"], young[1]), workers=after["workers"])
        there = decide(settings, look, shifted(memory, jump), NOW + jump)

        assert [pool.steps for pool in here.pools] == [pool.steps for pool in there.pools]
        assert [(a.kind, a.because) for a in here.actions] == [(a.kind, a.because) for a in there.actions]
