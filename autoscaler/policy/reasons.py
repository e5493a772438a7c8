"""Every reason code a step may carry, each with its meaning. Words are the Kubernetes HPA's where the sense is the same.

`docs/reasons.md` is held to this list by a test.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a rule changed the count, or let it be."""

    NO_DEMAND = "NoDemand"
    DEMAND = "Demand"
    BACKLOG_ABOVE_THRESHOLD = "BacklogAboveThreshold"
    BACKLOG_BELOW_THRESHOLD = "BacklogBelowThreshold"
    WAITED_TOO_LONG = "WaitedTooLong"
    TARGET_WAIT = "TargetWait"
    BACKLOG_PER_REPLICA = "BacklogPerReplica"
    WITHIN_TOLERANCE = "WithinTolerance"
    BACKLOG_HOLDS = "BacklogHolds"
    BUSY_UNKNOWN = "BusyUnknown"
    ACTIVATED = "Activated"
    HOLDS_SCHEDULED = "HoldsScheduled"
    UNACKNOWLEDGED = "Unacknowledged"
    WOKEN = "Woken"
    SCALE_UP_STABILIZED = "ScaleUpStabilized"
    SCALE_DOWN_STABILIZED = "ScaleDownStabilized"
    NONE_IDLE = "NoneIdle"
    SCALE_UP_LIMIT = "ScaleUpLimit"
    SCALE_DOWN_LIMIT = "ScaleDownLimit"
    COOLING_DOWN = "CoolingDown"
    BROKER_FAULT = "BrokerFault"
    BLIND = "Blind"
    PAUSED = "Paused"
    SCALED_BY_HAND = "ScaledByHand"
    DRAINED_BY_HAND = "DrainedByHand"
    BACKING_OFF = "BackingOff"
    FLEET_UNSEEN = "FleetUnseen"
    TOO_MANY_REPLICAS = "TooManyReplicas"
    TOO_FEW_REPLICAS = "TooFewReplicas"
    TOTAL_LIMIT = "TotalLimit"
    NO_ROOM = "NoRoom"
    POOL_REMOVED = "PoolRemoved"
    ROLLING = "Rolling"
    BROKER_REFUSES = "BrokerRefuses"
    BUDGET_THIN = "BudgetThin"
    BUDGET_SPENT = "BudgetSpent"


MEANING: dict[Reason, str] = {
    Reason.NO_DEMAND: "Nothing waits and nothing runs.",
    Reason.DEMAND: "One slot for every task that runs or waits, rounded up to whole replicas.",
    Reason.BACKLOG_ABOVE_THRESHOLD: "More tasks wait beyond the free slots than `thresholds.up` allows: the whole need is met at once.",
    Reason.BACKLOG_BELOW_THRESHOLD: "Tasks wait beyond the free slots, but no more than `thresholds.up`, and no longer than `max_wait`.",
    Reason.WAITED_TOO_LONG: "Few tasks wait, but for longer than `thresholds.max_wait`.",
    Reason.TARGET_WAIT: "As many slots as it takes for every waiting task to start within `target_wait`.",
    Reason.BACKLOG_PER_REPLICA: "`backlog_per_replica` waiting tasks for each replica, and a slot for each running one.",
    Reason.WITHIN_TOLERANCE: "The backlog per replica is within a tenth of `backlog_per_replica`: no change.",
    Reason.BACKLOG_HOLDS: "Fewer replicas would do, but more tasks wait than `thresholds.down`.",
    Reason.BUSY_UNKNOWN: "Fewer replicas might do, but nobody can say what some of them are running, so they count as busy.",
    Reason.ACTIVATED: "At least one task waits, so at least one replica is needed.",
    Reason.HOLDS_SCHEDULED: "Some replicas hold ETA or countdown tasks; stopping them would put these back and start a worker again.",
    Reason.UNACKNOWLEDGED: "A killed worker left unacknowledged tasks; only a living worker can bring them back.",
    Reason.WOKEN: "A producer said that it has sent work, and the queue could not be looked at since.",
    Reason.SCALE_UP_STABILIZED: "The need is too recent: `scale_up.stabilization` waits for the lowest need of its window.",
    Reason.SCALE_DOWN_STABILIZED: "The highest need within `scale_down.stabilization` still counts.",
    Reason.NONE_IDLE: "Fewer would do, but no other replica is idle: one is waited for, half as long as a task takes, one window at most.",
    Reason.SCALE_UP_LIMIT: "`scale_up.max_step` allows no more replicas in one decision, or within its `period`.",
    Reason.SCALE_DOWN_LIMIT: "`scale_down.max_step` allows no fewer replicas in one decision, or within its `period`.",
    Reason.COOLING_DOWN: "The last change in this direction is younger than its `cooldown`.",
    Reason.BROKER_FAULT: "Workers of this pool end because the broker turns them away: the next start waits, 10 s doubling to 5 min.",
    Reason.BLIND: "Something that is needed to scale down safely cannot be seen.",
    Reason.PAUSED: "Somebody holds this direction, until `resume` or for the time that was said.",
    Reason.SCALED_BY_HAND: "Somebody has set the count; bounds and `max_replicas` still hold.",
    Reason.DRAINED_BY_HAND: "Somebody has sent all workers of the pool home: they finish and leave, and none is started.",
    Reason.BACKING_OFF: "Workers of this pool ended badly: the next start waits, 10 s doubling to 5 min, and is tried alone first.",
    Reason.FLEET_UNSEEN: "The engine did not say which workers exist, so nothing is started or stopped.",
    Reason.TOO_MANY_REPLICAS: "`replicas.max` caps the count.",
    Reason.TOO_FEW_REPLICAS: "`replicas.min` raises the count.",
    Reason.TOTAL_LIMIT: "`max_replicas` over all pools leaves no room for more.",
    Reason.NO_ROOM: "The host has not the memory, or the processors, that more workers may take by their limits.",
    Reason.POOL_REMOVED: "The pool, or the broker that its workers serve, no longer stands in the configuration: they are drained.",
    Reason.ROLLING: "Workers were started from an earlier spec or image: they are replaced, a new one first, then an old one drained.",
    Reason.BROKER_REFUSES: "The broker turns everybody away (quota, login, memory, read-only, loading), so no worker is started for it.",
    Reason.BUDGET_THIN: "The broker's `budget` would not last, so workers that only wait for work leave before their window ends.",
    Reason.BUDGET_SPENT: "The broker's `budget` is used up and `on_exhausted` is `stop`: nothing is started until the next period.",
}
