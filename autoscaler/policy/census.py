"""One look sorted by pool: which containers it has, what is said of the worker in each, and who else is there.

Made once for all pools, in one pass; `view.py` joins a pool's part of it with what is remembered of the pool.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from autoscaler.model import BrokerSight, Container, Known, Observation, QueueSight, Stale, Unknown, WorkerSight, lane_key
from autoscaler.model.lean import lean
from autoscaler.model.readings import known
from autoscaler.model.spending import Purse
from autoscaler.policy.strangers import held, strangers

NO_PURSES: Mapping[str, Purse] = {}
Worker = tuple[Container, WorkerSight]
"""A container of ours and what is said of the worker in it: nothing at all of one that nobody hears."""

_UNHEARD = WorkerSight("", *[Unknown("nobody has heard of it")] * 8)


@lean
@dataclass(frozen=True, slots=True)
class Census:
    """What the whole look says about existence, sorted once for all pools."""

    seen: Observation
    by_lane: Mapping[str, tuple[Worker, ...]]
    """Our workers by pool, and by the broker that they were started for where that is not the first."""
    strangers: tuple[WorkerSight, ...]
    """Workers online that are not ours and may consume the same queues."""
    foreign: int
    """Tasks that these hold."""
    hearing: frozenset[str]
    """Sources that answered."""
    hears_ours: bool
    """Whether some worker of ours is heard in this look."""
    purses: Mapping[str, Purse]
    """What a budget of commands asks of a lane."""


def census(seen: Observation, brokers: tuple[str, ...] = (), purses: Mapping[str, Purse] = NO_PURSES) -> Census:
    """Sort one look by lane; a stale list of containers is shown, and `fleet_seen` keeps hands off it.

    At home are those of the first broker, and those that were started without a word of one.
    """
    listed = seen.containers.value if isinstance(seen.containers, (Known, Stale)) else ()
    at_home = ("", *brokers[:1])
    by_lane: defaultdict[str, list[Worker]] = defaultdict(list)
    ours: set[str] = set()
    hears_ours = False
    for container in listed:
        name = container.worker
        voice = seen.workers.get(name, _UNHEARD)
        home = not brokers or container.broker in at_home
        by_lane[container.pool if home else lane_key(container.pool, container.broker)].append((container, voice))
        ours.add(name)
        hears_ours = hears_ours or known(voice.online) is True
    others = () if seen.workers.keys() <= ours else strangers(seen, ours)
    return Census(
        seen=seen,
        by_lane={lane: tuple(found) for lane, found in by_lane.items()},
        strangers=others,
        foreign=held(others) if others else 0,
        hearing=frozenset([s.name for s in seen.sources if s.up]),
        hears_ours=hears_ours,
        purses=purses,
    )


def depths(seen: Observation, lane: str) -> Mapping[str, QueueSight]:
    """What waits on one lane's broker; at home, what the sources together say."""
    if not lane:
        return seen.queues
    return seen.brokers[lane].queues if lane in seen.brokers else {}


def broker_of(seen: Observation, lane: str) -> BrokerSight | None:
    """The lane's own broker, None where it is not read directly."""
    return seen.brokers.get(lane) if lane else next(iter(seen.brokers.values()), None)
