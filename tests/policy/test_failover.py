"""The active broker: left when it is down, returned to when it has served for a while, never dragged to and fro."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from autoscaler.model import BrokerChoice, BrokerSight, Health, Memory
from autoscaler.policy.failover import BACK_LOOKS, BACK_SECONDS, choose

UP, DOWN, QUOTA = Health.UP, Health.UNREACHABLE, Health.QUOTA
BOTH = ("primary", "fallback")
Look = tuple[Health | None, ...]
"""The health of each broker in one look; None: it was not asked, or has not answered yet."""


def sights(look: Look, names: Sequence[str] = BOTH) -> dict[str, BrokerSight]:
    """What the eyes hand on."""
    return {
        name: BrokerSight(name, health or UP, "" if health in (UP, None) else f"it is {health}", fresh=health is not None, queues={})
        for name, health in zip(names, look, strict=True)
    }


def chosen(*looks: Look, names: tuple[str, ...] = BOTH, every: float = 2.0, memory: Memory | None = None) -> list[BrokerChoice]:
    """The choices after each of these looks, two seconds apart."""
    memory, made = memory or Memory(), []
    for number, look in enumerate(looks):
        made.append(choose(names, sights(look, names), memory, 1000.0 + every * number))
        memory = Memory({}, made[-1].active, made[-1].tracks)
    return made


@pytest.mark.parametrize(
    ("looks", "active"),
    [
        pytest.param([(UP, UP)], "primary", id="all is well"),
        pytest.param([(UP, UP), (DOWN, UP), (DOWN, UP)], "primary", id="two failed looks are a stumble"),
        pytest.param([(UP, UP), (DOWN, UP), (DOWN, UP), (DOWN, UP)], "fallback", id="three are not"),
        pytest.param([(UP, UP), (DOWN, UP), (DOWN, UP), (UP, UP), (DOWN, UP)], "primary", id="a good one in between counts anew"),
        pytest.param([(UP, UP), (QUOTA, UP)], "fallback", id="a spent quota is left at once"),
        pytest.param([(QUOTA, UP)], "fallback", id="also on the first look"),
        pytest.param([(None, UP), (None, UP), (None, UP), (None, UP)], "primary", id="no answer yet is no failure"),
        pytest.param([(UP, DOWN), (QUOTA, DOWN), (QUOTA, DOWN)], "primary", id="nowhere to go"),
        pytest.param([(QUOTA, DOWN), (QUOTA, UP)], "fallback", id="as soon as the other serves"),
        pytest.param([(QUOTA, UP), (UP, UP), (UP, UP), (UP, UP)], "fallback", id="not back at the first good look"),
        pytest.param([(QUOTA, UP), (UP, UP), (UP, DOWN), (UP, DOWN), (UP, DOWN)], "primary", id="but at once when the other fails"),
        pytest.param([(QUOTA, None), (QUOTA, None)], "primary", id="not to one that was never heard"),
    ],
)
def test_who_is_active(looks: list[Look], active: str) -> None:
    """The broker that workers are started for after these looks."""
    assert active == chosen(*looks)[-1].active


def test_back_after_it_has_served_for_a_while() -> None:
    """The return comes with the first look after `BACK_SECONDS` of service, and not before."""
    made = chosen((QUOTA, UP), *[(UP, UP)] * 40)

    back = next(n for n, choice in enumerate(made) if n and choice.active == "primary")
    assert BACK_SECONDS == (back - 1) * 2.0


def test_back_needs_more_than_one_good_look() -> None:
    """A broker that is asked only now and then is not returned to because of one lucky answer long ago."""
    made = chosen((QUOTA, UP), *[(UP, UP)] * BACK_LOOKS, every=300.0)

    assert ["fallback"] * BACK_LOOKS + ["primary"] == [choice.active for choice in made]


def test_a_relapse_begins_anew() -> None:
    """One bad look in the minute of probation, and the minute starts again."""
    made = chosen((QUOTA, UP), *[(UP, UP)] * 25, (DOWN, UP), *[(UP, UP)] * 25)

    assert "fallback" == made[-1].active


def test_the_first_of_three_in_rank() -> None:
    """Where several serve, the order of the file decides."""
    names = ("a", "b", "c")

    assert "b" == chosen((QUOTA, UP, UP), names=names)[-1].active
    assert "c" == chosen((QUOTA, DOWN, UP), names=names)[-1].active


def test_a_failover_is_told_once() -> None:
    """The tick in which another takes over is marked; the first tick of all is not."""
    made = chosen((UP, UP), (QUOTA, UP), (QUOTA, UP))

    assert [False, True, False] == [choice.is_failover for choice in made]
    assert not chosen((QUOTA, UP))[0].is_failover


def test_why_in_words() -> None:
    """Each stage says what it waits for."""
    made = chosen((UP, UP), (DOWN, UP), (QUOTA, UP), (QUOTA, UP), (UP, UP))

    assert [
        "the first that serves",
        "primary has failed 1 of the 3 looks after which it is left: it is unreachable",
        "primary is left: it is quota",
        "primary does not serve: it is quota",
        "primary serves again, and is returned to after 60 s of it, 60 s from now",
    ] == [choice.why for choice in made]


def test_remembered_across_a_restart() -> None:
    """A daemon that starts anew stays with the broker that was active; one that is gone from the file is forgotten."""
    memory = Memory({}, "fallback", chosen((QUOTA, UP))[-1].tracks)

    assert "fallback" == chosen((None, None), memory=memory)[-1].active
    assert "main" == chosen((None,), names=("main",), memory=memory)[-1].active


def test_none_configured() -> None:
    """Without brokers there is nothing to choose, and nothing to say."""
    assert BrokerChoice() == choose((), {}, Memory(), 1000.0)
