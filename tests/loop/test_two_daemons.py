"""Two daemons with state folders of their own and the same instance, by mistake: the engine's names keep them together."""

from __future__ import annotations

import pytest
from world import World

from autoscaler.model import Action, ActionKind, Memory, Outcome, Policies, PoolPolicy, Record, Result
from autoscaler.policy.decide import decide
from autoscaler.policy.memory import remember

POLICIES = Policies("t", 2.0, 20, {"p": PoolPolicy("p", ("p",), 0, 5, 1)})


class Engine(World):
    """As a real engine: one container for each name, and a second start of it is no error."""

    def act(self, actions: tuple[Action, ...], now: float) -> tuple[Outcome, ...]:
        """Do it; what is there, or is gone, is as good as done."""
        return tuple(self._once(action, now) for action in actions)

    def _once(self, action: Action, now: float) -> Outcome:
        there = action.replica in self.workers
        if there is (action.kind is ActionKind.START):
            return Outcome(action, Result.DONE if there else Result.NOTHING_TO_DO, now)
        return self._do(action, now)


def race(engine: Engine, seconds: float, gap: float) -> int:
    """Both look before either acts, the second so much later; returns the most workers that ran at once."""
    memories, most = [Memory(), Memory()], 0
    until = engine.now + seconds
    while engine.now < until:
        looks = [engine.look(POLICIES, engine.now + n * gap) for n in range(2)]
        for n, seen in enumerate(looks):
            made = decide(POLICIES, seen, memories[n], seen.at)
            done = engine.act(made.actions, seen.at)
            memories[n] = remember(memories[n], Record(seen.at, "", seen, made, done))
        most = max(most, len(engine.alive()))
        for _ in range(20):
            engine.now = round(engine.now + 0.1, 1)
            engine._work()
    return most


@pytest.mark.parametrize("gap", [0.0, 0.3, 1.9])
def test_a_race_never_exceeds_the_maximum(gap: float) -> None:
    """In the worst moment of each tick both start the same workers; every task is done, none is interrupted."""
    engine = Engine(POLICIES, runtime=5.0)
    engine.send("p", 12)
    most = race(engine, 20.0, gap)
    engine.send("p", 12)
    most = max(most, race(engine, 120.0, gap))

    assert (5, 24, 0) == (most, engine.done, len(engine.alive()))
    assert not any(worker.killed_busy for worker in engine.workers.values())


def test_a_start_before_the_crash_is_not_made_twice() -> None:
    """Killed between its order and the journal, with nothing in the list yet: the next daemon asks for the same names."""
    engine = Engine(POLICIES)
    engine.send("p", 3)
    seen = engine.look(POLICIES, engine.now)
    before = decide(POLICIES, seen, Memory(), engine.now)
    after = decide(POLICIES, seen, Memory(), engine.now + 4.0)

    assert [action.replica for action in before.actions] == [action.replica for action in after.actions]
