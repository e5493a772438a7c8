"""Values for policy tests: defaults that are boring, overrides that matter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from autoscaler.model import (
    Container,
    ContainerState,
    Decision,
    Known,
    Memory,
    Observation,
    Order,
    OrderKind,
    Outcome,
    Policies,
    PoolDecision,
    PoolMemory,
    PoolPolicy,
    QueueSight,
    Reading,
    Record,
    Result,
    SourceSight,
    Unknown,
    WorkerSight,
)
from autoscaler.policy.decide import decide
from autoscaler.policy.memory import remember

NOW = 1_000_000.0
UNSEEN = Unknown("not asked")


def a_policy(name: str = "p", **changes) -> PoolPolicy:
    """One pool with one queue of its own name, one slot, at most ten replicas."""
    return replace(PoolPolicy(name, (name,), replicas_min=0, replicas_max=10, slots=1), **changes)


def policies(*pools: PoolPolicy, max_replicas: int = 100) -> Policies:
    """Settings for these pools."""
    return Policies("t", 2.0, max_replicas, {p.name: p for p in pools or (a_policy(),)}, "hash")


def container(name: str, *, pool: str = "p", age: float = 300.0, state: ContainerState = ContainerState.RUNNING, **changes) -> Container:
    """A container of ours that has run for a while."""
    made = Container(id=f"id-{name}", name=name, pool=pool, state=state, created_at=NOW - age, spec="s")
    return replace(made, **changes)


def reading(value: int | bool | None, now: float = NOW) -> Reading:
    """Known when there is a value, else unknown."""
    return UNSEEN if value is None else Known(value, now, "test")


def worker(name: str, running: int | None = 0, *, reserved: int = 0, scheduled: int = 0, online: bool | None = True) -> WorkerSight:
    """What the sources say about the worker in a container of this name."""
    return WorkerSight(
        name=f"celery@{name}",
        online=reading(online),
        running=reading(running),
        reserved=reading(reserved),
        scheduled=reading(scheduled),
        draining=UNSEEN,
        slots=UNSEEN,
        started=UNSEEN,
        finished=UNSEEN,
    )


def seen(
    *,
    waiting: dict[str, int | None] | int | None = 0,
    unacked: int | None = None,
    containers: Iterable[Container] | None = (),
    workers: Iterable[WorkerSight] = (),
    flower: bool = True,
    now: float = NOW,
    orders: Iterable[Order] = (),
) -> Observation:
    """One look; None means that it could not be seen."""
    depths = waiting if isinstance(waiting, dict) else {"p": waiting}
    return Observation(
        at=now,
        queues={q: QueueSight(q, reading(n, now), reading(unacked, now)) for q, n in depths.items()},
        workers={w.name: w for w in workers},
        containers=UNSEEN if containers is None else Known(tuple(containers), now, "fleet"),
        sources=(SourceSight("flower", flower, "", 0.01, now),),
        orders={"p": tuple(orders)},
    )


def an_order(kind: OrderKind = OrderKind.PAUSE, **changes) -> Order:
    """What Anna ordered ten seconds ago, for good."""
    return replace(Order(kind, "p", NOW - 10, "anna"), **changes)


def fleet(*running: int | None, pool: str = "p", **changes) -> dict[str, tuple]:
    """Ready replicas that run so many tasks each (None: nobody says), as arguments for `seen`."""
    names = [f"{pool}{i}" for i in range(len(running))]
    return {
        "containers": tuple(container(n, pool=pool, **changes) for n in names),
        "workers": tuple(worker(n, r) for n, r in zip(names, running, strict=True)),
    }


def pool_of(decision: Decision, pool: str = "p") -> PoolDecision:
    """What was decided about one pool."""
    return next(d for d in decision.pools if d.pool == pool)


def decided(policy: PoolPolicy, look: Observation, memory: Memory | None = None, now: float = NOW) -> PoolDecision:
    """One pool, decided once."""
    return pool_of(decide(policies(policy), look, memory or Memory(), now), policy.name)


def calm(look: Observation, policy: PoolPolicy | None = None) -> Memory:
    """The memory of a pool that has long needed nothing and whose workers were all heard: no window holds anything back."""
    heard = tuple(c.name for c in look.containers.value if NOW - c.created_at > 60) if isinstance(look.containers, Known) else ()
    return Memory({(policy or a_policy()).name: PoolMemory(recommendations=((NOW - 3600.0, 0),), ready=heard)})


def after(settings: Policies, look: Observation, memory: Memory, now: float, *, result: Result = Result.DONE) -> Memory:
    """The memory after one tick in which every action ended like this."""
    decision = decide(settings, look, memory, now)
    outcomes = tuple(Outcome(a, result, now) for a in decision.actions)
    return remember(memory, Record(now, settings.config_hash, look, decision, outcomes))
