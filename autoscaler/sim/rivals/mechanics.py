"""Who leaves when there are too many replicas, and how long it is given before it is killed.

This costs more than any formula: the same numbers with a random victim and a short grace ruin long tasks. So every rival is run
with what its platform does and, as `+drain`, with what we do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from autoscaler.sim.world import SimReplica


class Victims(StrEnum):
    """In which order replicas are asked to leave."""

    LEAST_DISTURBED = "least disturbed"
    """As `policy.selection`: not ready yet, idle in two looks, idle, least busy; among equals the youngest."""
    STARTING_THEN_ANY = "starting, then any"
    """A ReplicaSet: pods that are not ready first; which of the others, nobody can say.
    https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-a-replicaset"""
    NEWEST = "newest"
    """`docker compose up --scale` takes the highest number, Heroku the dyno that came last."""


@dataclass(frozen=True, slots=True)
class Mechanics:
    """How a platform takes replicas away."""

    victims: Victims
    grace_seconds: float
    """From the signal to the kill. A killed task goes back to the head of the queue at once, which is kind: Redis would keep it
    back until its visibility timeout."""

    def chosen(self, replicas: Sequence[SimReplica], count: int, chance: Random) -> list[SimReplica]:
        """The `count` that have to go, of `replicas` in the order of their age."""
        match self.victims:
            case Victims.LEAST_DISTURBED:
                order = sorted(replicas, key=_disturbance)
            case Victims.STARTING_THEN_ANY:
                order = sorted(chance.sample(replicas, len(replicas)), key=lambda replica: replica.ready)
            case Victims.NEWEST:
                order = list(reversed(replicas))
        return order[:count]


def _disturbance(replica: SimReplica) -> tuple[bool, int, bool, float]:
    just_idle = not (replica.running or replica.was_idle)
    return replica.ready, len(replica.running), just_idle, -replica.created


OURS = Mechanics(Victims.LEAST_DISTURBED, math.inf)
KUBERNETES = Mechanics(Victims.STARTING_THEN_ANY, 30.0)
"""`terminationGracePeriodSeconds` is 30 unless somebody writes another: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/"""
KNATIVE = Mechanics(Victims.STARTING_THEN_ANY, 300.0)
"""A revision's pods are given its `timeoutSeconds`, 300 by default: knative/serving `pkg/reconciler/revision/resources/deploy.go`."""
HEROKU = Mechanics(Victims.NEWEST, 30.0)
"""SIGKILL 30 s after SIGTERM: https://devcenter.heroku.com/articles/dynos#shutdown"""
DOCKER = Mechanics(Victims.NEWEST, 10.0)
"""`docker stop` waits 10 s: https://docs.docker.com/reference/cli/docker/container/stop/"""
ECS = Mechanics(Victims.STARTING_THEN_ANY, 30.0)
"""`stopTimeout` is 30 s by default: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html"""
