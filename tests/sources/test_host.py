"""What is known of the host: the first answer is worth waiting for, the last one stays."""

from __future__ import annotations

import threading
from concurrent.futures import wait

import pytest

from autoscaler.errors import FleetUnreachable
from autoscaler.model import Host, Known, Policies, PoolPolicy, Unknown
from autoscaler.sources import host
from autoscaler.sources.eyes import Eyes
from autoscaler.sources.host import HostWatch

BIG, SMALL = Host(8 * 2**30, 4.0), Host(2**30, 1.0)


class Engine:
    """Says what the test wants, when it wants."""

    def __init__(self, *answers: Host | Exception | None) -> None:
        self.answers = list(answers)
        self.calls = 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    def __call__(self) -> Host | None:
        """The next answer."""
        self.calls += 1
        assert self.may_answer.wait(10)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look is due."""
    monkeypatch.setattr(host, "EVERY_SECONDS", 0.0)


def test_the_first_look_is_waited_for() -> None:
    """The first decision knows how much room there is; later looks wait for nobody."""
    engine = Engine(BIG)
    eyes = Eyes(tuple, (), depth_from="auto", max_age_seconds=60.0, patience_seconds=5.0)
    eyes.watch_host(engine)
    policies = Policies("t", 2.0, 5, {"mail": PoolPolicy("mail", ("mail",), 0, 5, 1)})

    first, second = eyes.look(policies, 1000.0), eyes.look(policies, 1002.0)
    eyes.close()

    assert (BIG, BIG, 1) == (first.host.value, second.host.value, engine.calls)


@pytest.mark.usefixtures("always")
def test_a_call_that_hangs_is_made_once() -> None:
    """And before it has ended, nothing is known."""
    engine = Engine(BIG)
    engine.may_answer.clear()
    watch = HostWatch(engine)
    waited = [watch.look() for _ in range(3)]

    assert ([1, 0, 0], 1) == ([len(some) for some in waited], engine.calls)
    assert Unknown("has not answered yet", "host") == watch.reading(1000.0)
    engine.may_answer.set()
    wait(waited[0], 5)
    assert BIG == watch.reading(1000.0).value


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(
    ("trouble", "words"),
    [(FleetUnreachable("the proxy forbids it"), "the proxy forbids it"), (KeyError("hunter2"), "a fault of ours (KeyError)")],
)
def test_trouble_keeps_what_is_known(trouble: Exception, words: str) -> None:
    """A machine keeps its memory; of one that nobody has seen it is said why."""
    blind, seeing = HostWatch(Engine(trouble)), HostWatch(Engine(SMALL, trouble))
    for watch in (blind, seeing, seeing):
        wait([flight] if (flight := next(iter(watch.look()), watch._flight)) else (), 5)
        last = watch.reading(1000.0)
        assert isinstance(last, Known) is (watch is seeing)

    assert words in blind.reading(1000.0).why


def test_a_fleet_without_limits_counts_no_room() -> None:
    """Processes of this machine have none."""
    watch = HostWatch(Engine(None))
    wait(watch.look(), 5)

    assert Unknown("this fleet counts no room", "host") == watch.reading(1000.0)
