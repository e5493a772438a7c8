"""Drains that do not go as they should: seen, named, and the signal sent again where it came to nothing."""

from dataclasses import replace

import pytest
from builders import NOW, a_policy, after, container, policies, seen, worker

from autoscaler.model import Drain, Known, Memory, PoolMemory, SourceSight
from autoscaler.policy.decide import decide
from autoscaler.policy.drains import Ailment, ailments

TOLD = Drain("a", NOW - 60, "idle", was_idle=True, signals=1, started=5)


def look(running: int | None = 0, *, online: bool | None = True, started: int | None = 5, **changes):
    """One draining worker, and what is heard of it."""
    voice = replace(worker("a", running, online=online), **changes)
    voice = replace(voice, started=Known(started, NOW, "flower"), finished=Known(0, NOW, "flower")) if started is not None else voice
    return seen(waiting=0, containers=[container("a")], workers=[voice])


def kept(sight, drain: Drain = TOLD, now: float = NOW) -> Drain:
    """The drain after this look."""
    return after(policies(), sight, Memory({"p": PoolMemory(drains=(drain,))}), now).of("p").drains[0]


@pytest.mark.parametrize(
    ("sight", "defiant"),
    [
        pytest.param(look(0), True, id="idle, heard, and still there"),
        pytest.param(look(1), False, id="busy with what it had"),
        pytest.param(look(1, started=6), False, id="one more from its own hands"),
        pytest.param(look(1, started=9), True, id="takes one task after the other"),
        pytest.param(look(1, started=None), False, id="busy, and nobody counts"),
        pytest.param(look(0, online=False), False, id="silent, as one that leaves"),
        pytest.param(look(None, online=None), False, id="nobody says"),
        pytest.param(look(0, draining=Known(True, NOW, "workers")), False, id="its own page says that it leaves"),
    ],
)
def test_who_goes_on_as_if_nothing_was_said(sight, defiant):
    """Only what surely is no leaving counts: events of ending tasks make a leaving worker look alive."""
    assert defiant == (kept(sight).defiant_since is not None)


def test_the_signal_is_sent_again():
    """After fifteen seconds of defiance, and again after fifteen more; never faster."""
    settings, memory, sent = policies(a_policy()), Memory({"p": PoolMemory(drains=(replace(TOLD, since=NOW),))}), []
    for tick in range(25):
        now = NOW + 2 * tick
        sent += [now - NOW for a in decide(settings, look(0), memory, now).actions if a.replica == "a"]
        memory = after(settings, look(0), memory, now)

    assert [18.0, 38.0] == sent
    assert 3 == memory.of("p").drains[0].signals


def test_one_sign_of_leaving_begins_anew():
    """A look that does not hear it, and the clock of defiance stands at nothing."""
    assert kept(look(0, online=False), replace(TOLD, defiant_since=NOW - 14)).defiant_since is None


def named(sight, drain: Drain = TOLD, sources=(), **memory) -> list[Ailment]:
    """What is told of the drain."""
    sight = replace(sight, sources=(*sight.sources, *sources))
    known = PoolMemory(drains=(drain,), **memory)
    view = decide(policies(), sight, Memory({"p": known}), NOW).pools[0].view
    return [ailing.ailment for ailing in ailments(view, known, sight, NOW)]


TWICE = replace(TOLD, signals=2)
DEAF = SourceSight("broker:main", False, "it did not answer", 0.0, NOW)


@pytest.mark.parametrize(
    ("told", "ailment"),
    [
        pytest.param(named(look(0), TWICE), [Ailment.SIGNAL_IGNORED], id="told twice, goes on"),
        pytest.param(named(look(0), replace(TWICE, since=NOW - 40)), [Ailment.IDLE_LINGERS], id="a long polling_interval, perhaps"),
        pytest.param(named(look(1), TWICE), [], id="told twice, finishes its tasks"),
        pytest.param(named(look(None, online=False), sources=[DEAF]), [Ailment.BROKER_SILENT], id="cannot take its leave"),
        pytest.param(named(look(None, online=False)), [Ailment.IDLE_LINGERS], id="idle, and stays"),
        pytest.param(named(look(None, online=False), stop_seconds=29.0), [Ailment.IDLE_LINGERS], id="even for one that always takes long"),
        pytest.param(named(look(None, online=False), stop_seconds=31.0), [], id="as long as they always take"),
        pytest.param(named(look(None, online=False), replace(TOLD, was_idle=False)), [], id="it had tasks, and nobody knows of their end"),
        pytest.param(named(look(2)), [], id="busy"),
    ],
)
def test_ailments_have_names(told, ailment):
    """The cause, where it can be told apart."""
    assert ailment == told
