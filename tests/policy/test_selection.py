"""Who is started, drained, killed and removed."""

from dataclasses import replace
from itertools import islice

import pytest
from builders import NOW, a_policy, after, calm, container, decided, fleet, policies, seen, worker

from autoscaler.model import ActionKind, ContainerState, Drain, Memory, PoolMemory
from autoscaler.policy.names import new_names


def test_victims_in_order():
    """Not yet ready first, then idle, then the least busy, then the youngest; one nobody speaks for last."""
    names = {"silent": None, "busy2": 2, "busy1": 1, "idle": 0}
    containers = [*(container(n) for n in names), container("young", age=5)]
    workers = [worker(n, r) for n, r in names.items()]
    look = seen(waiting=0, containers=containers, workers=workers)

    made = decided(a_policy(replicas_max=0, slots=4), look, calm(look))

    assert ["young", "idle", "busy1", "busy2", "silent"] == [a.replica for a in made.actions]


def test_idle_twice_goes_before_idle_once():
    """A worker that was busy a look ago may have taken a task since this look: it goes only where no other is left."""
    look = seen(waiting=0, containers=[container("a", age=900), container("b", age=100)], workers=[worker("a"), worker("b")])
    memory = Memory({"p": replace(calm(look).of("p"), idle=("a",))})

    one, both = (decided(a_policy(replicas_min=least), look, memory).actions for least in (1, 0))
    assert [("a", "idle, in this look and the one before")] == [(a.replica, a.because) for a in one]
    assert [("a", False), ("b", True)] == [(a.replica, a.because.startswith("idle in this look,")) for a in both]


def test_who_was_idle_is_remembered():
    """Of the ready ones only, and for one look: who runs, starts or says nothing is not among them."""
    names = {"idle": 0, "busy": 1, "silent": None}
    there = [*(container(n) for n in names), container("young", age=5)]
    look = seen(waiting=0, containers=there, workers=[worker(n, r) for n, r in names.items()])

    assert ("idle",) == after(policies(), look, Memory(), NOW).of("p").idle


def test_the_youngest_of_equals_goes():
    """Among idle replicas the youngest goes first."""
    look = seen(waiting=0, containers=[container("old", age=900), container("new", age=100)], workers=[worker("old"), worker("new")])
    made = decided(a_policy(replicas_min=1), look, calm(look))

    assert ["new"] == [a.replica for a in made.actions]


def test_starts_have_fresh_names():
    """Every start has its own name, and the same question gets the same names."""
    first = decided(a_policy(), seen(waiting=5))
    again = decided(a_policy(), seen(waiting=5))

    names = [a.replica for a in first.actions]
    assert len(set(names)) == 5
    assert names == [a.replica for a in again.actions]
    assert all(n.startswith("t-p-") and len(n) == len("t-p-") + 6 for n in names)


@pytest.mark.parametrize(
    ("memory", "containers", "later"),
    [
        pytest.param(Memory({"p": PoolMemory(serial=0x0F4245)}), (), 2, id="remembered, and gone by now"),
        pytest.param(Memory(), (container("t-p-0f4245"),), 2, id="nothing remembered, one is there"),
        pytest.param(Memory(), (container("t-p-0f4245", state=ContainerState.EXITED),), 2, id="or has ended"),
        pytest.param(Memory(), (), 20, id="neither, but some time has passed"),
    ],
)
def test_names_are_never_reused(memory, containers, later):
    """Two workers of one name merge in Flower."""
    first = {a.replica for a in decided(a_policy(), seen(waiting=5)).actions if a.kind is ActionKind.START}
    after = {a.replica for a in decided(a_policy(), seen(waiting=5, containers=containers), memory, NOW + later).actions}

    assert {f"t-p-{number:06x}" for number in range(0x0F4241, 0x0F4246)} == first
    assert not first & (after - {c.name for c in containers})


def test_names_of_two_brokers_differ():
    """A pool counts apart for each broker, also in its first tick."""
    lanes = [replace(a_policy(), broker=name) for name in ("", "fallback")]
    names = [list(islice(new_names("t", lane, decided(lane, seen()).view, PoolMemory(), NOW), 50)) for lane in lanes]

    assert len({*names[0], *names[1]}) == 100


def test_draining_replicas_are_left_alone():
    """Nobody is asked to leave twice, and a drain is waited for, not killed."""
    look = seen(waiting=0, **fleet(1, 0))
    memory = Memory({"p": replace(calm(look).of("p"), drains=(Drain("p0", NOW - 9999, "x"), Drain("p1", NOW - 5, "x")))})

    assert not decided(a_policy(), look, memory).actions


def test_kill_only_where_told():
    """Past its deadline a drain is killed only with `on_timeout: kill`."""
    look = seen(waiting=0, **fleet(1))
    memory = Memory({"p": PoolMemory(drains=(Drain("p0", NOW - 1801, "x"),))})

    made = decided(a_policy(kill_on_drain_timeout=True), look, memory)

    assert [ActionKind.KILL] == [a.kind for a in made.actions]


@pytest.mark.parametrize(
    ("drain", "killed"),
    [
        pytest.param(Drain("p0", NOW - 99, "x", sent=False), False, id="never told"),
        pytest.param(Drain("p0", NOW - 99, "x", told_at=NOW - 9), False, id="told late"),
        pytest.param(Drain("p0", NOW - 99, "x", told_at=NOW - 31), True, id="has had its time"),
        pytest.param(Drain("p0", NOW - 99, "x", sent=False, told_at=NOW - 31), True, id="told, and the signal is sent again"),
    ],
)
def test_the_time_to_leave_begins_when_a_worker_is_told(drain, killed):
    """A signal that the engine lost, or was given late, is no time in which the worker could have finished."""
    policy = a_policy(drain_timeout_seconds=30.0, kill_on_drain_timeout=True)
    made = decided(policy, seen(**fleet(1)), Memory({"p": PoolMemory(drains=(drain,))}))

    assert killed == (ActionKind.KILL in {action.kind for action in made.actions})


def test_a_kill_is_ordered_once():
    """A replica that was killed and still shows is waited for."""
    look = seen(waiting=0, **fleet(1))
    memory = Memory({"p": PoolMemory(drains=(Drain("p0", NOW - 1801, "x", killed=True),))})

    assert not decided(a_policy(kill_on_drain_timeout=True), look, memory).actions


def test_ended_containers_are_removed():
    """A container that has ended is recorded and removed, and counts for nothing."""
    look = seen(waiting=0, containers=[container("a", state=ContainerState.EXITED, exit_code=3)])
    made = decided(a_policy(), look)

    assert [(ActionKind.REMOVE, "a")] == [(a.kind, a.replica) for a in made.actions]
    assert made.current == 0


def test_half_started_leftovers_are_removed_after_a_while():
    """A container that was created and never started, by a crash in between, is removed after a minute."""
    young = seen(waiting=0, containers=[container("a", state=ContainerState.CREATED, age=5)])
    old = seen(waiting=0, containers=[container("a", state=ContainerState.CREATED, age=61)])

    assert not decided(a_policy(), young).actions
    assert [ActionKind.REMOVE] == [a.kind for a in decided(a_policy(), old).actions]
