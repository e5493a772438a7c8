"""The meter: our own commands exactly, everybody else's as estimated and learned, and always as much as the server says in all."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from builders import a_policy, container, policies, reading, seen, worker

from autoscaler.model import BrokerSight, Health, Memory, Outcome, QueueSight, Record, Result
from autoscaler.model.spending import SENDERS, USUAL, Meter, Served
from autoscaler.policy.decide import decide
from autoscaler.policy.memory import remember, resume

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC).timestamp()


@dataclass
class Room:
    """A broker with a counter, workers beside it, and the memory that goes from tick to tick."""

    now: float = NOON
    memory: Memory = field(default_factory=Memory)
    idle: int = 0
    busy: int = 0
    sent: int = 0
    flower: bool = False
    served: Served | None = None
    settings = replace(policies(a_policy(replicas_max=20)), brokers=("primary",))

    def tick(self, seconds: float = 10.0, times: int = 1) -> Meter:
        """Some ticks, so many seconds apart; one command of our own each."""
        for _ in range(times):
            self.now += seconds
            self.sent += 1
            self._once()
        return self.meter

    def read(self, commands: int, run: str = "a") -> Meter:
        """The server's counter is read with one more tick, at no distance from the last."""
        self.served = Served(commands, run, self.now)
        self._once()
        return self.meter

    @property
    def meter(self) -> Meter:
        """The meter of the broker."""
        return self.memory.meters["primary"]

    def _once(self) -> None:
        names = [f"w{i}" for i in range(self.idle + self.busy)]
        plain = seen(
            containers=[container(n) for n in names],
            workers=[worker(n, int(i >= self.idle)) for i, n in enumerate(names)],
            flower=self.flower,
            now=self.now,
        )
        depth = {"p": QueueSight("p", reading(0, self.now), reading(0, self.now))}
        sight = BrokerSight("primary", Health.UP, "", fresh=True, queues=depth, commands_sent=self.sent, served=self.served)
        look = replace(plain, queues=depth, brokers={"primary": sight})
        decision = decide(self.settings, look, self.memory, self.now)
        nothing = tuple(Outcome(a, Result.NOTHING_TO_DO, self.now) for a in decision.actions)
        self.memory = remember(self.memory, Record(self.now, "hash", look, decision, nothing))


# ---------------------------------------------------------------- entries


def test_our_own_commands_are_exact() -> None:
    """One look is one command, however long ago the last one was."""
    room = Room()

    assert 30 == room.tick(2.0, times=30).day.used.autoscaler


def test_others_are_estimated_by_what_is_there() -> None:
    """Two idle workers and one busy one, for ten minutes, at the usual cost; Flower beside them."""
    room = Room(idle=2, busy=1, flower=True)
    room.tick(times=1)

    used = room.tick(60.0, times=10).day.used

    assert used.idle == pytest.approx(2 * 600 * USUAL.idle)
    assert used.busy == pytest.approx(600 * USUAL.busy)
    assert used.flower == pytest.approx(600 * USUAL.flower)
    assert 0 == used.unexplained


def test_zero_saves_what_one_idle_worker_would_cost() -> None:
    """An hour without workers is an hour of one worker's polling not paid."""
    room = Room()
    room.tick(times=1)

    assert room.tick(60.0, times=60).month.saved == pytest.approx(3600 * USUAL.idle)


def test_nobody_is_charged_for_a_pause_of_ours() -> None:
    """After hours in which the loop stood still nobody can say who was there."""
    room = Room(idle=3)
    room.tick(times=2)
    before = room.meter.day.used

    assert before.idle == room.tick(7200.0).day.used.idle


# ---------------------------------------------------------------- readings


def test_a_reading_makes_the_sum_true() -> None:
    """What the server served beyond our entries is unexplained; the sum is the server's."""
    room = Room(flower=True)
    room.tick(times=1)
    room.read(1_000)
    start = room.meter.day.used
    room.tick(60.0, times=10)

    used = room.read(3_000).day.used

    assert used.total - start.total == pytest.approx(2_000)
    assert used.autoscaler - start.autoscaler == 10
    assert used.unexplained > 1_000


def test_an_estimate_that_was_too_high_is_taken_back() -> None:
    """Frugal workers: after the reading no more stands in the books than the server has served."""
    room = Room(idle=4)
    room.tick(times=1)
    room.read(0)
    start = room.meter.day.used.total
    room.tick(60.0, times=10)
    assert room.meter.day.used.total - start > 4_000

    assert room.read(200).day.used.total - start == pytest.approx(200)


def test_counters_never_fall() -> None:
    """What was counted too much is made good by what is counted less later."""
    room, last = Room(idle=4), 0.0
    room.tick(times=1)
    for reading_number in range(6):
        room.read(200 * reading_number)
        room.tick(60.0, times=10)
        assert room.meter.ever.total >= last
        last = room.meter.ever.total
    truth = 200 * 5

    assert room.meter.day.used.total == pytest.approx(truth, rel=0.5)


def test_readings_teach_the_cost_of_an_idle_worker() -> None:
    """Some hours of four frugal workers, sometimes none: what one of them costs is learned, and said to be."""
    room, served = Room(idle=4), 0
    room.tick(times=1)
    room.read(served)
    for hour in range(12):
        room.idle = 4 * (hour % 2)
        room.tick(10.0, times=1)
        room.read(served := served + 1 + round(room.idle * 10 * 0.2))
        room.tick(60.0, times=30)
        room.read(served := served + 30 + round(room.idle * 1800 * 0.2))

    assert room.meter.costs.idle == pytest.approx(0.2, rel=0.2)
    assert "idle" in room.meter.learned


def test_what_a_producer_sends_is_unexplained() -> None:
    """It publishes all day beside Flower and a worker that is always there: half a command a second, put on neither of them."""
    room, served = Room(idle=1, flower=True), 0
    room.tick(times=1)
    room.read(served)
    for _ in range(24):
        room.tick(60.0, times=10)
        room.read(served := served + 10 + round(600 * (USUAL.idle + USUAL.flower + 0.5)))

    assert room.meter.day.used.unexplained == pytest.approx(24 * 600 * 0.5, rel=0.3)


def test_another_server_is_not_compared() -> None:
    """A server that was started anew counts from zero: nothing is settled, nothing learned, nothing negative."""
    room = Room(idle=1)
    room.tick(times=1)
    room.read(1_000_000)
    before = room.tick(10.0, times=6)

    after = room.read(5, run="b")

    assert before.day.used == after.day.used
    assert () == after.evidence


# ---------------------------------------------------------------- time


def test_a_day_ends_at_midnight_in_utc() -> None:
    """The month goes on, the day begins anew."""
    room = Room(now=MIDNIGHT - 50.0)
    room.tick(10.0, times=10)

    assert ("2026-11-22", "2026-11") == (room.meter.day.name, room.meter.month.name)
    assert (6, 10) == (room.meter.day.used.autoscaler, room.meter.month.used.autoscaler)


def test_what_was_served_overnight_is_shared_between_the_days() -> None:
    """The daemon was away from ten in the evening till two: half of what was served meanwhile is today's."""
    room = Room(now=MIDNIGHT - 7200.0)
    room.tick(times=1)
    room.read(0)
    room.memory, room.sent = resume(room.memory), 0
    room.now = MIDNIGHT + 7200.0

    room.read(1_000)

    assert room.meter.day.used.total == pytest.approx(500, rel=0.01)
    assert room.meter.month.used.total == pytest.approx(1_000, rel=0.01)


def test_a_restart_keeps_the_sums_and_counts_anew() -> None:
    """Our own counter begins at zero with the process; the month does not."""
    room = Room()
    room.tick(times=5)
    room.memory, room.sent = resume(room.memory), 0

    assert 7 == room.tick(times=2).month.used.autoscaler


def test_the_average_of_a_day() -> None:
    """Two commands a minute, ever since."""
    room = Room()
    room.tick(30.0, times=200)

    assert room.meter.commands_per_second == pytest.approx(1 / 30, rel=0.02)
    assert room.meter.per_second.autoscaler == pytest.approx(1 / 30, rel=0.02)
    assert set(SENDERS) == {"autoscaler", "flower", "idle", "busy", "unexplained"}
