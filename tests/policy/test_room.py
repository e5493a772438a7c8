"""The room on the host, by memory and processors."""

from dataclasses import replace

import pytest
from builders import NOW, a_policy, container, fleet, policies, pool_of, seen

from autoscaler.model import ContainerState, Drain, Host, Known, Memory, Need, PoolMemory, Unknown
from autoscaler.policy.decide import decide
from autoscaler.policy.reasons import Reason

GIB = 2**30


def on(look, memory=8, cpus=8.0, others=0):
    """The same look, with a host of so many GiB and processors."""
    return replace(look, host=Known(Host(memory * GIB, cpus, others * GIB), NOW, "host"))


def needing(memory=0.0, cpus=0.0):
    """What one worker takes, in GiB and processors."""
    return Need(round(memory * GIB), cpus)


@pytest.mark.parametrize(
    ("need", "others", "fit", "words"),
    [
        pytest.param(needing(memory=3), 0, 2, "for more than 2 of 4 replicas: 3 GiB each, 6 GiB of 8 GiB taken", id="memory"),
        pytest.param(needing(memory=3), 4, 1, "3 GiB each, 7 GiB of 8 GiB taken, 4 GiB of it by containers of others", id="others"),
        pytest.param(needing(cpus=2.5), 0, 3, "2.5 CPUs each, 7.5 of 8 taken", id="processors"),
        pytest.param(needing(memory=1, cpus=5), 0, 1, "5 CPUs each, 5 of 8 taken", id="what is short is named"),
        pytest.param(needing(memory=9), 0, 0, "for more than 0 of 4 replicas: 9 GiB each", id="larger than the host"),
    ],
)
def test_starts_stop_where_the_host_ends(need, others, fit, words):
    """As many as fit are started, and the reason has the numbers."""
    made = pool_of(decide(policies(a_policy(need=need)), on(seen(waiting=4), others=others), Memory(), NOW))

    assert (fit, Reason.NO_ROOM) == (made.desired, made.reason)
    assert len(made.actions) == fit
    assert words in made.steps[-1].because


@pytest.mark.parametrize(
    ("need", "cpus"),
    [pytest.param(needing(memory=2, cpus=2), 8.0, id="exactly full"), pytest.param(needing(cpus=0.1), 0.4, id="fractions add up")],
)
def test_a_host_may_be_full(need, cpus):
    """To the last byte and the last tenth of a processor."""
    made = pool_of(decide(policies(a_policy(need=need)), on(seen(waiting=4), cpus=cpus), Memory(), NOW))

    assert (4, Reason.BACKLOG_ABOVE_THRESHOLD) == (made.desired, made.reason)


@pytest.mark.parametrize(
    ("need", "host"),
    [
        pytest.param(needing(memory=9), Unknown("the proxy forbids it"), id="unknown host"),
        pytest.param(needing(), Known(Host(GIB, 1.0, GIB), NOW, "host"), id="no limits"),
    ],
)
def test_without_numbers_only_counts_limit(need, host):
    """What nobody knows holds nothing back."""
    look = replace(seen(waiting=4), host=host)

    assert pool_of(decide(policies(a_policy(need=need)), look, Memory(), NOW)).desired == 4


def test_nobody_who_runs_is_stopped():
    """A host that has become too small keeps what works on it, and starts nothing."""
    look = on(seen(waiting=2, **fleet(1, 1, 1)), memory=4)
    made = pool_of(decide(policies(a_policy(need=needing(memory=2))), look, Memory(), NOW))

    assert (3, (), Reason.NO_ROOM) == (made.desired, made.actions, made.reason)
    assert "for more than 3 of 5 replicas: 2 GiB each, 6 GiB of 4 GiB taken" in made.steps[-1].because


def test_a_container_knows_what_it_takes():
    """Workers of an earlier spec are counted by their own limits, not by those of a new one."""
    look = on(seen(waiting=3, containers=(container("p0", need=needing(memory=6)),)), memory=8)
    made = pool_of(decide(policies(a_policy(need=needing(memory=1))), look, Memory(), NOW))

    assert made.desired == 3


def test_all_that_is_on_the_host_counts():
    """Workers that leave, and starts that nobody lists yet; not those that have ended."""
    listed = (container("p0"), container("p1", state=ContainerState.EXITED, exit_code=0))
    memory = Memory({"p": PoolMemory(drains=(Drain("p0", NOW - 5, "x"),), pending=(("p2", NOW - 1),))})
    made = pool_of(decide(policies(a_policy(need=needing(memory=2))), on(seen(waiting=9, containers=listed)), memory, NOW))

    assert made.desired == 3
    assert "8 GiB of 8 GiB taken" in made.steps[-1].because


def test_workers_of_a_pool_that_is_gone_count_by_their_label():
    """A pool that left the file still uses the host until its workers have left."""
    look = on(seen(waiting={"p": 9}, containers=(container("o0", pool="old", need=needing(memory=6)), container("o1", pool="old"))))
    made = decide(policies(a_policy(need=needing(memory=1))), look, Memory({"old": PoolMemory()}), NOW)

    assert pool_of(made).desired == 2


def test_room_is_given_in_turn():
    """Pools that both want more get it one by one; a small worker takes what a large one cannot use."""
    settings = policies(a_policy("a", need=needing(memory=3)), a_policy("b", need=needing(memory=1)))
    made = decide(settings, on(seen(waiting={"a": 9, "b": 9})), Memory(), NOW)

    assert (2, 2) == (pool_of(made, "a").desired, pool_of(made, "b").desired)


def test_minima_and_priority_come_first():
    """A minimum before anybody's wishes, then the pool that matters more."""
    some = needing(memory=2)
    settings = policies(a_policy("a", need=some), a_policy("b", need=some, priority=1), a_policy("c", need=some, replicas_min=1))
    made = decide(settings, on(seen(waiting={"a": 9, "b": 9, "c": 0})), Memory(), NOW)

    assert (0, 3, 1) == tuple(pool_of(made, name).desired for name in "abc")


IDLE, WANTING = needing(memory=2), needing(memory=4)


@pytest.mark.parametrize(
    ("waiting", "memory", "desired"),
    [
        pytest.param({"a": 0, "b": 1}, Memory(), (2, 0), id="as many leave as it takes"),
        pytest.param({"a": 0, "b": 2}, Memory(), (0, 0), id="all that no work asks for"),
        pytest.param({"a": 3, "b": 1}, Memory(), (3, 0), id="nobody who is needed"),
        pytest.param({"a": 0, "b": 0, "c": 9}, Memory(), (3, 0), id="nobody for one that is larger than the host"),
        pytest.param({"a": None, "b": 1}, Memory(), (3, 0), id="not of a pool that is blind"),
        pytest.param({"a": 0, "b": 1}, Memory({"a": PoolMemory(drains=(Drain("a0", NOW - 2, "x"),))}), (2, 0), id="once only"),
    ],
)
def test_held_replicas_give_way_to_work(waiting, memory, desired):
    """What a pool keeps only by its stabilization window is let go when another pool's work finds no room on the host."""
    settings = policies(a_policy("a", need=IDLE), a_policy("b", need=WANTING), a_policy("c", need=needing(memory=9)))
    look = on(seen(waiting={"c": 0} | waiting, **fleet(0, 0, 0, pool="a")), memory=8)
    made = decide(settings, look, memory, NOW)

    assert desired == tuple(pool_of(made, name).desired for name in "ab")


def test_a_blind_engine_changes_nothing():
    """Where the containers cannot be listed nothing is started, and no room is counted."""
    made = pool_of(decide(policies(a_policy(need=needing(memory=3))), on(seen(waiting=4, containers=None)), Memory(), NOW))

    assert Reason.FLEET_UNSEEN == made.reason
