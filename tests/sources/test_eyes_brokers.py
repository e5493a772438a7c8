"""Several brokers in one look: each has its own health and its own queues, and none speaks for another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from neighbours import QUEUES, neighbour, recorded

from autoscaler.config.models import FlowerSettings
from autoscaler.errors import SourceUnreachable
from autoscaler.model import BrokerSight, Health, Known, Observation, Policies, PoolPolicy
from autoscaler.sources.eyes import Eyes
from autoscaler.sources.flower import FlowerSource
from autoscaler.sources.sight import Sight, Wanted

POLICIES = Policies("t", 2.0, 5, {"mail": PoolPolicy("mail", ("mail",), 0, 5, 1)})


class ABroker:
    """A broker that answers as told."""

    def __init__(self, broker: str, answer: Callable[[], Sight]) -> None:
        self.broker, self.name, self.answer = broker, f"broker:{broker}", answer
        self.commands_sent = 0

    async def look(self, wanted: Wanted) -> Sight:
        """Answer as told, for one command."""
        self.commands_sent += 1
        return self.answer()

    async def close(self) -> None:
        """Nothing is open."""


def waiting(count: int) -> Callable[[], Sight]:
    """So many messages wait in `mail`."""
    return lambda: Sight(queues={"mail": count}, unacked={"mail": 0})


def refusing(kind: str, text: str = "it has no time") -> Callable[[], Sight]:
    """No answer but this error."""

    def answer() -> Sight:
        raise SourceUnreachable(text, kind=kind)

    return answer


def looks(*brokers: ABroker, times: int = 1) -> Observation:
    """The last of some looks at these."""
    eyes = Eyes(tuple, brokers, depth_from="broker", max_age_seconds=60.0, patience_seconds=2.0)
    try:
        return [eyes.look(POLICIES, 1000.0 + n) for n in range(times)][-1]
    finally:
        eyes.close()


def test_each_broker_tells_of_its_own_queues() -> None:
    """The first one's depth is the look's; the other's is kept apart and never added to it."""
    seen = looks(ABroker("primary", waiting(3)), ABroker("fallback", waiting(40)))

    assert seen.queues["mail"].waiting == Known(3, 1000.0, "broker:primary")
    assert seen.brokers["primary"].queues["mail"] == seen.queues["mail"]
    assert seen.brokers["fallback"].queues["mail"].waiting == Known(40, 1000.0, "broker:fallback")


def test_trouble_of_one_is_not_the_others() -> None:
    """A refusal is told with its kind and its words; the neighbour is up."""
    seen = looks(ABroker("primary", refusing(Health.QUOTA, "is spent")), ABroker("fallback", waiting(0)))

    primary, fallback = seen.brokers["primary"], seen.brokers["fallback"]
    assert (Health.QUOTA, "is spent", True) == (primary.health, primary.detail, primary.fresh)
    assert Health.UP is fallback.health
    assert not isinstance(primary.queues["mail"].waiting, Known)


def test_counts_what_was_sent_to_each() -> None:
    """Every look's cost is told beside its result, a refused look's too."""
    seen = looks(ABroker("primary", refusing(Health.UNREACHABLE)), ABroker("fallback", waiting(0)), times=3)

    assert {"primary": 3, "fallback": 3} == {name: sight.commands_sent for name, sight in seen.brokers.items()}


def test_an_unnamed_trouble_is_unusable() -> None:
    """A bug of ours in a look is a broker that cannot be used, not one that is up."""
    seen = looks(ABroker("primary", refusing("")))

    assert Health.UNUSABLE is seen.brokers["primary"].health


def test_a_broker_that_was_never_heard_is_unknown() -> None:
    """No answer yet is neither up nor down."""
    sight = BrokerSight("primary", Health.UNKNOWN, "", fresh=False, queues={})

    assert not sight.health.is_down


def test_flower_is_not_asked_for_depths_that_cost() -> None:
    """Where the brokers tell the depths, the one page of Flower that costs the broker commands is left alone."""
    with neighbour(recorded("2.2.0", "s01-zero-workers/workers_status")) as flower:
        source = FlowerSource(FlowerSettings(url=flower.url), depths=False)
        eyes = Eyes(tuple, (source,), depth_from="broker", max_age_seconds=60.0, patience_seconds=5.0)
        try:
            eyes.look(POLICIES, 1000.0)
        finally:
            eyes.close()

    assert flower.requests
    assert QUEUES not in flower.requests


# ---------------------------------------------------------------- resting


def rested(*brokers: ABroker, pauses: dict[str, float], seconds: Sequence[float]) -> list[Observation]:
    """Looks so many seconds after the first, with these pauses in force."""
    eyes = Eyes(tuple, brokers, depth_from="broker", max_age_seconds=60.0, patience_seconds=2.0)
    eyes.rest(pauses)
    try:
        return [eyes.look(POLICIES, 1000.0 + after) for after in seconds]
    finally:
        eyes.close()


def test_a_broker_is_left_alone_for_its_pause() -> None:
    """Its last answer stands meanwhile, however old, and is no news; the other broker is asked in every look."""
    primary, fallback = ABroker("primary", waiting(0)), ABroker("fallback", waiting(0))

    looked = rested(primary, fallback, pauses={"primary": 300.0}, seconds=(0, 2, 299, 300))

    assert (2, 4) == (primary.commands_sent, fallback.commands_sent)
    assert [True, False, False, True] == [seen.brokers["primary"].fresh for seen in looked]
    assert looked[2].queues["mail"].waiting == Known(0, 1000.0, "broker:primary")
    resting = {sight.name: (sight.up, sight.asked) for sight in looked[2].sources}
    assert {"broker:primary": (True, False), "broker:fallback": (True, True), "fleet": (True, True)} == resting


def test_trouble_stays_told_while_it_rests() -> None:
    """A broker whose quota is spent is not asked again for a while, and is not taken for well meanwhile."""
    primary = ABroker("primary", refusing(Health.QUOTA, "is spent"))

    looked = rested(primary, pauses={"primary": 300.0}, seconds=(0, 2, 4))

    assert 1 == primary.commands_sent
    assert [(Health.QUOTA, "is spent")] * 3 == [(seen.brokers["primary"].health, seen.brokers["primary"].detail) for seen in looked]
    assert not isinstance(looked[2].queues["mail"].waiting, Known)
