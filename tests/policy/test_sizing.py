"""The other two ways to size, measured flow, and spare replicas."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace

import pytest
from builders import NOW, a_policy, calm, container, decided, fleet, reading, seen, worker

from autoscaler.model import BacklogPerReplica, Flow, Memory, Phase, PoolMemory, Replica, TargetWait
from autoscaler.policy.demand import Load, by_target_wait
from autoscaler.policy.fewer import Account
from autoscaler.policy.flow import measure, unchanged
from autoscaler.policy.reasons import Reason

TEN_SECONDS = TargetWait(10.0)


def counted(name: str, running: int, started: int, finished: int):
    """A worker that counts its tasks."""
    return replace(worker(name, running), started=reading(started), finished=reading(finished))


def a_replica(name: str, running: int, started: int, finished: int, slots: int = 1) -> Replica:
    """The same, joined with its container."""
    return Replica(name, f"id-{name}", Phase.READY, NOW - 100, slots, running, started=started, finished=finished)


@dataclass
class Naive:
    """The policy written down a second time: everything is kept, nothing is clever."""

    target: float
    slots: int
    lead: float
    interval: float = 2.0
    looks: list[tuple[float, int]] = field(default_factory=list)
    busy_seconds: float = 0.0
    done: float = 0.0
    finished: int = 0
    ran: int = 0

    def wanted(self, now: float, waiting: int, running: int, replicas: int, started: int, finished: int) -> float:
        """Slots wanted at this look."""
        seconds = now - self.looks[-1][0] if self.looks else 0.0
        fade = math.exp(-seconds / 300.0) if self.done else 1.0  # nothing is forgotten before the first has ended
        fade = max(fade, min(1.0, 0.01 / max(self.done, 1e-9)))
        self.busy_seconds = self.busy_seconds * fade + self.ran * seconds
        self.done = self.done * fade + (finished - self.finished if self.looks else 0)
        self.finished, self.ran = finished, running
        self.looks.append((now, started + waiting))
        slots, free = replicas * self.slots, max(0, replicas * self.slots - running)
        if waiting > free and self.done <= 1e-6 and self.target >= 2 * self.lead:
            return max(slots, self.slots)  # who is there finds out how long tasks take
        if waiting <= free or self.done <= 1e-6:
            return running + waiting
        runtime = self.busy_seconds / self.done
        new = 0.0
        for (before, _), (_, arrived) in zip(self.looks, self.looks[1:], strict=False):
            place, left = arrived - started - free, self.target - (now - before)
            if arrived > started and place > 0:
                on_average = max(0.0, slots * left / runtime)
                due = max(0.0, place - max(0.0, on_average - 4 * math.sqrt(on_average)))
                some = due if left < self.lead else (place - slots * left / runtime) / (1 + (left - self.lead) / runtime)
                later = replicas and left >= self.lead + self.interval
                new = max(new, 0.0 if later and some < 0.5 else some)
        return min(running + waiting, slots + max(0.0, new))


@pytest.mark.parametrize("seed", range(40))
def test_target_wait_agrees_with_a_naive_one(seed):
    """Random days: the measured flow and the deadlines give what the plainly written formula gives, at every look."""
    chance = random.Random(seed)
    slots, target, boot = chance.choice([1, 2, 8]), chance.choice([5.0, 10.0, 30.0]), 3.0
    naive, flow = Naive(target, slots, boot + 2.0), Flow()
    policy = a_policy(slots=slots, replicas_max=10_000, sizing=TargetWait(target))
    now, started, finished, waiting, running = NOW, 0, 0, 0, 0
    for _ in range(80):
        replicas = chance.randint(max(1, math.ceil(running / slots)), 6 + math.ceil(running / slots))
        told = (a_replica("w", running, started, finished, slots=replicas * slots),)
        flow = measure(flow, told, waiting, now)
        work = Load(waiting, running, running, replicas * slots, replicas, 0.0, flow, boot + 2.0, 2.0)
        expected = naive.wanted(now, waiting, running, replicas, started, finished)
        assert by_target_wait(work, policy).slots == pytest.approx(expected, abs=1e-6)
        ended = chance.randint(0, running)
        waiting += chance.choice([0, 0, 1, 3, 20])
        begun = min(waiting, max(0, replicas * slots - running + ended), chance.randint(0, 30))
        running, finished = running - ended + begun, finished + ended
        waiting, started, now = waiting - begun, started + begun, now + chance.choice([1.0, 2.0, 2.5])


def test_worked_example_of_the_docstring():
    """20 tasks beyond the free slots with 7 s left, 4 slots, tasks of 2 s, lead 4 s: 6.4 slots."""
    flow = Flow(at=NOW, started=0, busy_seconds=200.0, done=100.0, arrivals=((NOW - 3.0, 0), (NOW, 20)))
    work = Load(waiting=20, busy_least=4, busy_most=4, slots=4, replicas=1, oldest_wait_seconds=3.0, flow=flow, lead_seconds=4.0)

    assert by_target_wait(work, a_policy(slots=4, sizing=TargetWait(10.0))).slots == pytest.approx(6.4)


def test_without_counters_nothing_may_wait():
    """When nobody counts tasks a target cannot be kept by patience: one slot for each task, and the step says why."""
    made = decided(a_policy(sizing=TEN_SECONDS), seen(waiting=5, **fleet(1)))

    assert (6, Reason.BACKLOG_ABOVE_THRESHOLD) == (made.desired, made.reason)
    assert "nobody counts" in made.steps[0].because


def test_short_tasks_are_left_to_present_workers():
    """Ten tasks of a tenth of a second need no second worker to start within ten seconds."""
    quick = Flow(at=NOW - 2, counters=(("a", 500, 500),), started=500, finished=500, busy_seconds=50.0, done=500.0)
    flow = replace(quick, arrivals=((NOW - 2, 500),))
    look = seen(waiting=10, containers=[container("a")], workers=[counted("a", 1, 501, 500)])
    made = decided(a_policy(sizing=TEN_SECONDS), look, Memory({"p": PoolMemory(flow=flow, ready=("a",))}))

    assert (1, Reason.TARGET_WAIT) == (made.desired, made.reason)


@pytest.mark.parametrize(
    ("waiting", "running", "wanted"),
    [
        pytest.param(0, [], 0, id="nothing"),
        pytest.param(11, [], 3, id="rounded up"),
        pytest.param(10, [1, 1], 2, id="just right"),
        pytest.param(11, [1, 1], 2, id="within a tenth above"),
        pytest.param(12, [1, 1], 3, id="beyond it"),
        pytest.param(1, [1, 1, 1], 3, id="running tasks keep their replicas"),
        pytest.param(1, [1, 0, 0], 1, id="idle ones go"),
    ],
)
def test_backlog_per_replica(waiting, running, wanted):
    """Five waiting tasks for each replica, with a tenth of tolerance, and never below what runs."""
    policy = a_policy(sizing=BacklogPerReplica(5.0))
    idle = seen(waiting=0, **fleet(*running))

    assert wanted == decided(policy, seen(waiting=waiting, **fleet(*running)), calm(idle, policy)).desired


def test_a_spare_replica_does_not_add_itself_again():
    """Nine waiting on ten replicas of which one is spare: within tolerance of nine, so ten stay ten, tick after tick."""
    policy = a_policy(sizing=BacklogPerReplica(1.0), spare=1, replicas_max=20)

    assert decided(policy, seen(waiting=9, **fleet(*[0] * 10))).desired == 10


@pytest.mark.parametrize(("waiting", "wanted"), [(14, 4), (15, 4), (16, 4), (17, 5), (13, 4), (10, 3)])
def test_tolerance_leaves_spare_replicas_out(waiting, wanted):
    """Three replicas for fifteen waiting tasks, and a spare one that is no part of the ratio."""
    policy = a_policy(sizing=BacklogPerReplica(5.0), spare=1)
    look = seen(waiting=waiting, **fleet(0, 0, 0, 0))

    assert wanted == decided(policy, look, calm(look, policy)).desired


def test_a_fraction_for_each_replica_is_exact():
    """21 / 0.7 is 30, also where the machine makes it 30.000000000000004."""
    policy = a_policy(sizing=BacklogPerReplica(0.7), replicas_max=50)

    assert 30 == decided(policy, seen(waiting=21)).desired


def test_spare_replicas_are_kept_while_there_is_work():
    """One idle replica more than needed, and none once the pool sleeps."""
    policy = a_policy(spare=1)

    assert decided(policy, seen(waiting=3)).desired == 4
    assert decided(policy, seen(waiting=0)).desired == 0


def test_counters_of_new_workers_count_from_their_start():
    """What a worker did before the first look of all is not ours; what a later worker did is."""
    flow = measure(Flow(), (a_replica("old", 0, 70, 70),), 0, NOW)
    flow = measure(flow, (a_replica("old", 0, 71, 71), a_replica("new", 1, 5, 4)), 0, NOW + 2)

    assert (6, 5) == (flow.started, flow.finished)


def test_a_silent_worker_loses_no_counts():
    """A worker that says nothing for a look is not counted from zero again."""
    flow = measure(Flow(), (a_replica("a", 0, 10, 10),), 0, NOW)
    flow = measure(flow, (replace(a_replica("a", 0, 0, 0), started=None, finished=None),), 0, NOW + 2)
    flow = measure(flow, (a_replica("a", 0, 12, 12),), 0, NOW + 4)

    assert flow.started == 2


def test_long_tasks_cannot_hide():
    """The mean runtime counts the seconds of tasks that still run."""
    flow = measure(Flow(), (a_replica("a", 1, 1, 0),), 0, NOW)
    flow = measure(flow, (a_replica("a", 1, 2, 1),), 0, NOW + 1)
    short = flow.mean_runtime_seconds
    flow = measure(flow, (a_replica("a", 1, 2, 1),), 0, NOW + 61)

    assert flow.mean_runtime_seconds > 50 * short


def test_a_quiet_night_does_not_forget_how_long_tasks_take():
    """Ten hours later the first burst is met with what was known; one task that ends then counts for a hundred of yesterday's."""
    flow = measure(Flow(), (a_replica("a", 1, 1, 0),), 0, NOW)
    for second in range(1, 41):
        flow = measure(flow, (a_replica("a", 1, 1 + second // 4, second // 4),), 0, NOW + second)
    known, morning = flow.mean_runtime_seconds, NOW + 36_000
    flow = measure(flow, (a_replica("a", 0, 11, 11),), 0, NOW + 44)
    flow = unchanged(flow, (a_replica("a", 0, 11, 11),), [NOW + 46.0, NOW + 9_000.0, morning])

    assert flow.mean_runtime_seconds == pytest.approx(known, rel=0.1) == pytest.approx(4.0, rel=0.1)
    flow = measure(flow, (a_replica("a", 1, 12, 11),), 0, morning + 1)
    flow = measure(flow, (a_replica("a", 0, 12, 12),), 0, morning + 61)
    assert flow.mean_runtime_seconds == pytest.approx(60.0, rel=0.1)


def test_what_has_just_begun_has_not_run_yet():
    """Seventy workers come up at once: their tasks count from this look on, else each would look as if it had run since the last."""
    flow = measure(Flow(), (a_replica("a", 1, 1, 0),), 70, NOW)
    flow = measure(flow, (a_replica("a", 1, 2, 1),), 70, NOW + 1)
    many = tuple(a_replica(f"w{number}", 1, 1, 0) for number in range(70))
    flow = measure(flow, (a_replica("a", 1, 3, 2), *many), 0, NOW + 2)

    assert flow.mean_runtime_seconds == pytest.approx(1.0, rel=0.01)


@pytest.mark.parametrize(
    ("slots", "starting", "runtime", "wanted"),
    [
        pytest.param(25, (), 0.75, 25 + 60 - 60, id="100 on average, 60 almost for certain"),
        pytest.param(4, (), 0.75, 4 + 60, id="16 on average, none for certain"),
        pytest.param(25, (), 3.0, 25 + 60 - 5, id="long tasks"),
        pytest.param(60, (2.0,) * 50, 0.6, 60 + 60 - 93, id="starting ones count from when they are ready"),
        pytest.param(60, (9.0,) * 60, 0.6, 60 + 60, id="and not before"),
    ],
)
@pytest.mark.parametrize("lost", [0, 5])
def test_near_a_deadline_only_what_is_almost_certain_counts(slots, starting, runtime, wanted, lost):
    """Sixty tasks with three seconds left, no new worker comes in time: a slot for each that the present ones may not get to."""
    flow = Flow(at=NOW, busy_seconds=100 * runtime, done=100.0, arrivals=((NOW - 7.0, 0), (NOW, 60)))
    there = slots + lost
    work = Load(60, there, there, there, there, 7.0, flow, lead_seconds=4.0, interval_seconds=1.0, lost=lost, starting=starting)

    assert by_target_wait(work, a_policy(sizing=TEN_SECONDS)).slots == pytest.approx(max(wanted, slots) + lost, abs=0.5)


def test_tasks_too_short_to_be_seen_running():
    """Where tasks end but none was ever seen running, their length is not known: they wait to find out, if a start leaves the time."""
    flow = Flow(at=NOW, started=5, finished=5, done=5.0, arrivals=((NOW - 2, 5), (NOW, 8)))
    work = Load(waiting=3, busy_least=0, busy_most=0, slots=1, replicas=1, oldest_wait_seconds=2.0, flow=flow, lead_seconds=5.0)

    assert [3, 1] == [by_target_wait(work, a_policy(sizing=TargetWait(seconds))).slots for seconds in (9.0, 10.0)]


def test_looks_that_saw_the_same_may_be_told_at_once():
    """To the last bit, so that a simulation may leave them out."""
    busy = (a_replica("a", 2, 9, 7, slots=2), a_replica("b", 1, 4, 3, slots=2))
    account = Account(slots=2, may_wait_seconds=10.0)
    flow = told = measure(measure(Flow(), busy, 3, NOW, account), busy, 0, NOW + 1.1, account)
    times = [NOW + 1.1 + 0.7 * n for n in range(1, 400)]
    for at in times:
        flow = measure(flow, busy, 0, at, account)
    assert unchanged(told, busy, times, account) == flow
    assert flow.would_wait


def test_what_nobody_measures_stays_unmeasured():
    """Without counters quiet looks leave nothing behind."""
    assert Flow() == unchanged(Flow(), 0, [NOW, NOW + 2])


def test_looks_are_bounded():
    """A queue that is never served keeps no endless history."""
    flow = Flow()
    for i in range(6000):
        flow = measure(flow, (a_replica("a", 1, 1, 0),), i, NOW + i)

    assert len(flow.arrivals) <= 4096
    assert NOW == flow.arrivals[0][0]


def test_looks_without_arrivals_are_not_piled_up():
    """A backlog that only waits costs two looks, however long."""
    flow = measure(Flow(), (a_replica("a", 1, 1, 0),), 0, NOW)
    for i in range(1, 500):
        flow = measure(flow, (a_replica("a", 1, 1, 0),), 7, NOW + i)

    assert ((NOW, 0), (NOW + 1, 7), (NOW + 499, 7)) == flow.arrivals
