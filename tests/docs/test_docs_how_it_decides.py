"""docs/how-it-decides.md is what the code does, line by line."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "policy"))

from builders import NOW, a_policy, fleet, policies, seen  # noqa: E402

from autoscaler.model import Flow, Memory, Order, OrderKind, PoolMemory, TargetWait, Unknown  # noqa: E402
from autoscaler.policy.decide import decide  # noqa: E402
from autoscaler.policy.demand import Load, by_target_wait  # noqa: E402
from autoscaler.policy.foresight import foresee  # noqa: E402
from autoscaler.report.sentence import waterfall  # noqa: E402

PAGE = (ROOT / "docs" / "how-it-decides.md").read_text()
MAIL = a_policy("mail", slots=4)
FOUR_IDLE = fleet(0, 0, 0, 0, pool="mail")
SET_BY_HAND = Order(OrderKind.SCALE, "mail", NOW, "anna", "the launch", until=NOW + 600, replicas=12)
NEEDED_FOUR = Memory({"mail": PoolMemory(recommendations=((NOW - 5, 4),), ready=("mail0", "mail1", "mail2", "mail3"))})

FOUR_NAMES = ("mail0", "mail1", "mail2", "mail3")
QUARTER_OF_A_TASK = Flow(at=NOW, busy_seconds=60.0, done=15.0, arrivals=((NOW, 15),), arrival_rate=0.25, started=15, finished=15)
NEEDED_FOUR_LATELY = Memory(
    {
        "mail": PoolMemory(
            recommendations=((NOW - 1, 0),), needs=((NOW - 5, 4),), watched_since=NOW - 60, flow=QUARTER_OF_A_TASK, ready=FOUR_NAMES
        )
    }
)
SIX_SECONDS_EACH = Memory(
    {
        "mail": PoolMemory(
            recommendations=((NOW - 60, 1),), needs=((NOW - 60, 1),), flow=Flow(at=NOW, busy_seconds=60.0, done=10.0), ready=FOUR_NAMES
        )
    }
)


def squeezed(text: str) -> str:
    """Without the alignment."""
    return re.sub(r"[ ]+", " ", text)


def told(look, memory: Memory) -> list[str]:
    """The waterfall of the pool."""
    return [squeezed(line) for line in waterfall(decide(policies(MAIL), look, memory, NOW).pools[0])]


@pytest.mark.parametrize(
    ("look", "memory"),
    [
        pytest.param(seen(waiting={"mail": 9}, **fleet(3, 3, pool="mail")), Memory(), id="demand"),
        pytest.param(seen(waiting={"mail": 0}, **FOUR_IDLE), NEEDED_FOUR, id="stabilization"),
        pytest.param(seen(waiting={"mail": 0}, **FOUR_IDLE), NEEDED_FOUR_LATELY, id="expected"),
        pytest.param(seen(waiting={"mail": 0}, **fleet(1, 1, pool="mail")), SIX_SECONDS_EACH, id="idle first"),
        pytest.param(
            replace(
                seen(waiting={"mail": 0}, **FOUR_IDLE),
                queues={"mail": replace(seen(waiting={"mail": 0}).queues["mail"], waiting=Unknown("it did not answer"))},
            ),
            Memory({"mail": replace(NEEDED_FOUR.of("mail"), recommendations=((NOW - 99, 0),))}),
            id="blind",
        ),
        pytest.param(
            replace(seen(waiting={"mail": 0}), orders={"mail": (SET_BY_HAND,)}),
            Memory(),
            id="by hand",
        ),
    ],
)
def test_every_waterfall_is_the_codes(look, memory):
    """The lines of the page are those that `autoscaler explain` would print."""
    for line in told(look, memory):
        assert line in squeezed(PAGE)


def test_the_worked_target_wait():
    """20 waiting, 7 s left, 4 slots, tasks of 2 s, lead 4 s: 2.4 new slots."""
    flow = Flow(at=NOW, busy_seconds=200.0, done=100.0, arrivals=((NOW - 3.0, 0), (NOW, 20)))
    work = Load(waiting=20, busy_least=4, busy_most=4, slots=4, replicas=1, oldest_wait_seconds=3.0, flow=flow, lead_seconds=4.0)

    assert by_target_wait(work, a_policy(slots=4, sizing=TargetWait(10.0))).slots - 4 == pytest.approx(2.4)
    assert "6 / 2.5 = 2.4 new slots" in PAGE


def test_what_would_change_it():
    """The last line of the page is what foresight says of the four idle workers."""
    memory = Memory({"mail": replace(NEEDED_FOUR.of("mail"), recommendations=((NOW, 4),))})

    assert foresee(policies(MAIL), seen(waiting={"mail": 0}, **FOUR_IDLE), memory, "mail").words() in PAGE
