"""The nouns. Frozen values that flow one way: Observation -> Decision -> Outcome(s) -> Record -> Memory.

Nothing here reads a clock, a file or a socket. Times are wall-clock seconds since the epoch, read once per tick;
durations are seconds; counts are whole numbers. What could not be seen is a type (`Unknown`), never a zero.
"""

from __future__ import annotations

from autoscaler.model.brokers import HOME, BrokerChoice, BrokerTrack, lane_key, lane_of
from autoscaler.model.failure import Failure
from autoscaler.model.health import Health
from autoscaler.model.host import NO_NEED, Host, Need
from autoscaler.model.lifecycle import Event, Phase
from autoscaler.model.orders import NO_ORDERS, Direction, Order, OrderKind, Orders
from autoscaler.model.pool import Flow, PoolView, Replica
from autoscaler.model.readings import Known, Reading, Stale, Unknown
from autoscaler.model.record import (
    Action,
    ActionKind,
    BrokerFault,
    Decision,
    Drain,
    Exit,
    Memory,
    Outcome,
    PoolDecision,
    PoolMemory,
    Record,
    Result,
    Step,
)
from autoscaler.model.sight import BrokerSight, Container, ContainerState, Observation, QueueSight, SourceSight, WorkerSight
from autoscaler.model.wanted import BacklogPerReplica, Damping, Policies, PoolPolicy, Sizing, TargetWait, Thresholds

__all__ = [
    "HOME",
    "NO_NEED",
    "NO_ORDERS",
    "Action",
    "ActionKind",
    "BacklogPerReplica",
    "BrokerChoice",
    "BrokerFault",
    "BrokerSight",
    "BrokerTrack",
    "Container",
    "ContainerState",
    "Damping",
    "Decision",
    "Direction",
    "Drain",
    "Event",
    "Exit",
    "Failure",
    "Flow",
    "Health",
    "Host",
    "Known",
    "Memory",
    "Need",
    "Observation",
    "Order",
    "OrderKind",
    "Orders",
    "Outcome",
    "Phase",
    "Policies",
    "PoolDecision",
    "PoolMemory",
    "PoolPolicy",
    "PoolView",
    "QueueSight",
    "Reading",
    "Record",
    "Replica",
    "Result",
    "Sizing",
    "SourceSight",
    "Stale",
    "Step",
    "TargetWait",
    "Thresholds",
    "Unknown",
    "WorkerSight",
    "lane_key",
    "lane_of",
]
