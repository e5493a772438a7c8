"""A bug in a tick stops that tick and nothing else, is said, and ends a process that knows nothing but bugs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from live import free_port

from autoscaler import daemon as house
from autoscaler.daemon import Daemon
from autoscaler.model import Memory
from autoscaler.pulse import BUGS_IN_A_ROW_MAX, Pulse

CONFIG = """
flower: {{url: 'http://127.0.0.1:9'}}
fleet: {{type: process}}
interval: 0.5s
state: {state}
api: {{listen: '127.0.0.1:{port}'}}
pools: {{mail: {{queues: [mail], replicas: {{max: 2}}, worker: {{command: celery worker}}}}}}
"""


def a_bug(*_: object) -> None:
    """What nobody has thought of."""
    raise ValueError("three is not two")


def test_a_failed_tick_is_not_the_last() -> None:
    """It brings nothing and says why; the next one that succeeds wipes it out."""
    pulse = Pulse()

    assert pulse.beat(a_bug) is None
    assert "ValueError: three is not two" in pulse.bugs[0]
    assert pulse.beat(lambda: 7) == 7
    assert pulse.bugs == ()


def test_many_in_a_row_are_the_end() -> None:
    """One good tick in between begins the count anew."""
    pulse = Pulse()
    for work in (*[a_bug] * (BUGS_IN_A_ROW_MAX - 1), lambda: None, *[a_bug] * (BUGS_IN_A_ROW_MAX - 1)):
        pulse.beat(work)
        assert not pulse.gives_up()
    pulse.beat(a_bug)

    assert pulse.gives_up()


def test_what_is_no_bug_goes_through() -> None:
    """Being told to end is not kept from anybody."""
    with pytest.raises(KeyboardInterrupt):
        Pulse().beat(lambda: (_ for _ in ()).throw(KeyboardInterrupt))


def test_everybody_is_told() -> None:
    """Whoever fails to listen keeps nobody from being told."""
    heard: list[Memory] = []
    memory = Memory()
    Pulse().tell((a_bug, lambda _, kept: heard.append(kept)), None, memory)  # type: ignore[arg-type]

    assert heard == [memory]


def test_alive_while_it_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed tick is a tick, too: the loop is not dead of it."""
    now = [100.0]
    monkeypatch.setattr("autoscaler.pulse.time.monotonic", lambda: now[0])
    pulse = Pulse()
    now[0] = 112.0

    assert pulse.alive(12.0) == (True, "the last tick ended 12.0 s ago")
    assert pulse.alive(11.0) == (False, "the last tick ended 12.0 s ago, more than 11 s")
    pulse.beat(a_bug)
    assert pulse.alive(11.0) == (True, "the last tick ended 0.0 s ago")


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """One that runs by itself, without neighbours."""
    (tmp_path / "config.yaml").write_text(CONFIG.format(port=free_port(), state=tmp_path / "state"))
    made = Daemon(tmp_path / "config.yaml", {})
    assert made.startup()
    yield made
    made.shutdown()


def test_a_bug_is_on_the_status(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for the status reads what is wrong, and that it is over once it is."""

    def trouble() -> str:
        return " ".join(httpx.get(f"http://{daemon.settings.api.listen}/api/v1/status", trust_env=False).json()["trouble"])

    with monkeypatch.context() as broken:
        broken.setattr(house, "tick", a_bug)
        assert daemon.run(once=True) == 1
        assert "the last tick failed by a bug of ours, nothing is changed until one succeeds: ValueError: three is not two" in trouble()
    assert daemon.run(once=True) == 0
    assert "bug" not in trouble()


def test_nothing_but_bugs_ends_the_process(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that its supervisor starts it afresh; an exit code that is not 0 tells it to."""
    waits: list[float] = []
    monkeypatch.setattr(house, "tick", a_bug)
    monkeypatch.setattr(daemon.clock, "wait", lambda until: waits.append(until) or True)

    assert daemon.run() == 1
    assert len(waits) == BUGS_IN_A_ROW_MAX - 1
