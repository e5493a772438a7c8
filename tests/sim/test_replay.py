"""A replay is the loop again: under the same configuration it decides the same, under another what a hand computes."""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lived import alone, life, looks_of
from small import a_pool, pools, traces

sys.path.insert(0, str(Path(__file__).parents[1] / "loop"))

from world import World as TroubledWorld

from autoscaler.model import Damping, Policies, PoolPolicy, TargetWait, Thresholds
from autoscaler.report.journal import Journal
from autoscaler.report.past import read_past
from autoscaler.report.ticks import Look, PoolTick, Rare, pool_tick
from autoscaler.sim.arrivals import trace_of
from autoscaler.sim.observations import parse
from autoscaler.sim.replay import Answer, Moment, moments, replay
from autoscaler.sim.world import Boot

BUSY = [(5.0 + 3.1 * i, 2.0 + i % 11) for i in range(120)]


def asked(policy: PoolPolicy, looks: tuple[Look, ...], interval: float = 1.0) -> list[Answer]:
    """What this policy says at every look."""
    return [answers[policy.name] for answers in replay(lambda _: alone(policy, interval), looks)]


# ---------------------------------------------------------------- the identity


@settings(max_examples=25, deadline=None)
@given(
    policy=pools,
    trace=traces,
    interval=st.sampled_from([1.0, 2.0, 0.7]),
    spread=st.sampled_from([0.0, 1.0]),
    restart_at=st.sampled_from([None, 50.0]),
)
def test_the_same_configuration_decides_the_same(policy, trace, interval, spread, restart_at):
    """Whatever the settings and the tasks, through restarts too: at no look another count."""
    looks = looks_of(life(policy, trace, interval=interval, boot=Boot(3.0, spread), restart_at=restart_at), restart_at)
    answers = asked(policy, looks, interval)
    assert len(answers) == len(looks)
    assert [answer.past.at for answer in answers if answer.differs] == []


def test_a_journal_on_disk_decides_the_same(tmp_path: Path):
    """Written tick by tick and read back, with quiet stretches merged; the other config differs, so the test can fail."""
    policy = a_pool(slots=2, sizing=TargetWait(10.0), scale_down=Damping(cooldown_seconds=20.0, max_step=2, period_seconds=30.0))
    journal = Journal(tmp_path / "j")
    for number, (record, memory) in enumerate(life(policy, trace_of([*BUSY, (700.0, 9.0)]))):
        journal.record(record, memory)
        if number % 300 == 0:
            journal.flush()
    journal.close()
    past = read_past(tmp_path / "j")
    looks = tuple(past.looks())

    assert len(past.runs["p"]) < len(looks) * 0.8
    assert not any(answer.differs for answer in asked(policy, looks))
    assert any(answer.differs for answer in asked(replace(policy, sizing=Thresholds()), looks))


def test_it_matters_who_was_idle():
    """Tasks dealt out to all workers in turn leave none idle, and the tick says so."""
    policy = a_pool(slots=2, scale_down=Damping(stabilization_seconds=6.0))
    looks = looks_of(life(policy, trace_of(BUSY)))
    packed = tuple(replace(look, pools={"p": replace(t := look.pools["p"], rare=replace(t.rare, spread=0))}) for look in looks)

    assert not any(answer.differs for answer in asked(policy, looks))
    assert any(answer.differs for answer in asked(policy, packed))


@pytest.mark.parametrize("lost", ["boot_seconds", "rare", "running"])
def test_the_identity_needs_all_that_is_kept(lost):
    """Each of these changes some decision, so none of them may be left out of a tick."""
    policy = a_pool(sizing=TargetWait(8.0), scale_up=Damping(cooldown_seconds=9.0, stabilization_seconds=0.0))
    empty = {"boot_seconds": 9.0, "rare": Rare(), "running": 0}[lost]
    looks = looks_of(life(policy, trace_of(BUSY), boot=Boot(3.0, 1.0)))
    poor = tuple(replace(look, pools={"p": replace(look.pools["p"], **{lost: empty})}) for look in looks)

    assert any(answer.differs for answer in asked(policy, poor))


def test_pools_in_trouble_decide_the_same():
    """Two pools under one cap, a slow engine, blind minutes, dead workers: where everything was seen, the same counts."""
    policies = Policies("t", 1.0, 5, {name: a_pool(name=name, queues=(name,), slots=2, replicas_max=4) for name in ("a", "b")})
    world, kept = TroubledWorld(policies), []
    for number in range(240):
        world.slow_engine, world.blind_flower, world.blind_fleet = 60 < number < 90, 100 < number < 130, 150 < number < 165
        if number % 7 == 0:
            world.send("ab"[number % 2], number % 6)
        if number == 45 and (alive := world.alive()):
            world.kill_worker(alive[0].name)
        world.run(1.0)
        record = world.records[-1]
        kept.append(Look(record.at, not kept, {d.pool: pool_tick(d, world.memory, record.at) for d in record.decision.pools}))
    answers = [answer for look in replay(lambda _: policies, kept) for answer in look.values()]

    assert sum(not answer.is_compared for answer in answers) > 60
    assert [(answer.past.at, answer.past.pool) for answer in answers if answer.differs] == []


# ---------------------------------------------------------------- differences, by hand

HEADER = "t_s,backlog,busy,ready,started,finished"


def seen(*lines: str, boot: float = 0.0) -> tuple[Look, ...]:
    """Looks as a file would tell them."""
    return parse([HEADER, *lines], "o.csv", "p", boot)


def test_a_difference_is_what_a_hand_computes():
    """One worker stayed one while 4 and then 2 tasks waited: 4 + 1 and 2 + 1 were needed, for 2 s each."""
    looks = seen("0,4,1,1,1,0", "2,2,1,1,3,2", "4,0,1,1,5,4", "6,0,1,1,5,4")
    answers = asked(a_pool(), looks)

    assert [answer.decided.desired for answer in answers] == [5, 3, 1, 1]
    (moment,) = moments(answers)
    assert (moment.since, moment.until, moment.looks) == (0.0, 4.0, 2)
    assert (moment.happened, moment.desired, moment.replica_seconds) == ((1, 1), (3, 5), 4 * 2.0 + 2 * 2.0)
    assert moment.why == "p 1 -> 5: 4 waiting + 1 busy of 1 slots: needs 5 of 1 slots each"


def test_more_and_fewer_are_two_moments():
    """A stretch in which fewer were wanted is not the same as one in which more were."""
    looks = seen("0,3,1,1,1,0", "2,0,0,1,4,4", "60,0,0,2,4,4", "62,0,0,2,4,4")
    found = list(moments(asked(a_pool(scale_down=Damping(stabilization_seconds=0.0)), looks)))

    assert [(m.since, m.until) for m in found] == [(0.0, 2.0), (2.0, 62.0)]
    assert found[0].replica_seconds > 0 > found[1].replica_seconds


def test_what_was_not_seen_is_not_compared():
    """An empty field is no zero: nothing is said about that look, and the window begins anew after it."""
    looks = seen("0,0,2,2,2,0", "2,,2,2,2,0", "4,0,,2,2,0", "6,0,2,2,2,0")
    answers = asked(a_pool(replicas_max=1), looks)

    assert [answer.is_compared for answer in answers] == [True, False, False, True]
    assert [answer.differs for answer in answers] == [True, False, False, True]


@pytest.mark.parametrize("other", [Rare(orders=1), Rare(lanes=2), Rare(outdated=3)])
def test_what_settings_do_not_say_is_not_compared(other):
    """While somebody holds the pool, brokers fail over or workers are replaced, the settings do not say what should be."""
    (look,) = seen("0,9,0,0,0,0")
    held = Look(look.at, True, {"p": replace(look.pools["p"], rare=other)})

    assert asked(a_pool(), (look,))[0].differs
    assert not asked(a_pool(), (held,))[0].differs


def test_cooldowns_count_from_what_happened():
    """A start that really was holds the next one back, also one that this configuration would not have made."""
    policy = a_pool(scale_up=Damping(cooldown_seconds=10.0, stabilization_seconds=0.0))
    looks = seen("0,0,0,1,0,0", "2,0,1,2,1,0", "4,5,2,2,2,0", "14,5,2,2,2,0")

    assert [answer.decided.reason for answer in asked(policy, looks)][2:] == ["CoolingDown", "BacklogAboveThreshold"]


def test_pools_share_the_cap_in_a_replay():
    """Two pools want three each, and the host has room for four in all."""
    both = {name: PoolTick(0.0, name, 3, 0, 0, 0, 0, 3, "x", 0, 0, 0, 3.0, 1.0) for name in ("a", "b")}
    policies = replace(alone(a_pool()), max_replicas=4, pools={name: a_pool(name=name, queues=(name,)) for name in both})
    (answers,) = replay(lambda _: policies, [Look(0.0, True, both)])

    assert {name: answer.decided.desired for name, answer in answers.items()} == {"a": 2, "b": 2}


def test_moments_keep_their_looks():
    """Together they are the looks that differ, in order, and their sum is the whole difference."""
    chance = random.Random(4)
    looks = seen(*(f"{2 * n},{chance.randrange(5)},{chance.randrange(3)},{chance.randrange(4)},{n},{n}" for n in range(300)))
    answers = asked(a_pool(), looks)
    found: list[Moment] = list(moments(answers))

    assert sum(m.looks for m in found) == sum(answer.differs for answer in answers) > 50
    assert sum(m.replica_seconds for m in found) == pytest.approx(sum(a.more * a.seconds for a in answers if a.is_compared))
    assert all(one.until <= other.since for one, other in pairwise(found))
