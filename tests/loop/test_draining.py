"""Stories of workers that do not leave when they are told to."""

from world import World

from autoscaler.model import ActionKind, Policies, PoolPolicy
from autoscaler.policy.drains import Ailment, ailments

P = PoolPolicy("p", ("p",), replicas_min=0, replicas_max=4, slots=1)


def a_world(deaf_to: int) -> World:
    """One worker that has done its task, and that does not hear so many signals."""
    world = World(Policies("t", 2.0, 20, {"p": P}))
    world.send("p", 1)
    world.run(6)
    world.alive()[0].deaf_to = deaf_to
    return world


def drains(world: World) -> list[float]:
    """When a signal was sent, in seconds since the first."""
    times = [r.at for r in world.records for o in r.outcomes if o.action.kind is ActionKind.DRAIN]
    return [at - times[0] for at in times]


def test_a_lost_signal_is_sent_again():
    """It came before the worker could listen: the second one is heard, and the worker leaves."""
    world = a_world(deaf_to=1)
    world.run(80)

    assert (2, 0) == (len(drains(world)), len(world.workers))


def test_a_swallowed_signal_is_named():
    """A shell in front of the worker hears nothing, ever: after a while it is said so, and nobody is killed for it."""
    world = a_world(deaf_to=1000)
    world.run(120)
    last, memory = world.records[-1], world.memory.of("p")

    told = list(ailments(last.decision.pools[0].view, memory, last.observation, last.at))
    assert [Ailment.SIGNAL_IGNORED] == [ailing.ailment for ailing in told]
    assert "exec celery" in told[0].words
    assert 4 <= len(drains(world)) <= 6
    assert not [a for a in world.calls if a.kind is ActionKind.KILL]
