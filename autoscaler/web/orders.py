"""The handlers of the changing requests: who may, what exactly, and on to the desk. Nothing acts here.

The answer leaves when the order is on disk (202): the next tick, which it brings forward, does what it says.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from autoscaler.model import Direction, Order, OrderKind, Phase, PoolPolicy
from autoscaler.policy.steering import told
from autoscaler.report.plain import to_plain
from autoscaler.report.redact import redactor
from autoscaler.report.sentence import line
from autoscaler.report.snapshot import Snapshot
from autoscaler.web.bodies import Body, Drain, Pause, Resume, Scale, Wake, WakeQueues, parse
from autoscaler.web.limits import Limit, neighbourhood
from autoscaler.web.tokens import Gate

WAKE_SECONDS = 300.0
"""How long a wake stands while nobody can look at the queue: as long as the longest pause after failed starts."""
WAKES_AT_ONCE, WAKES_PER_SECOND = 100, 50.0
"""Of one address. Wakes of a pool coalesce, so producers lose nothing by being refused beyond that."""

B = TypeVar("B", bound=Body)
Give = Callable[[Order], tuple[Order, ...]]


class Steering:
    """One handler for each action."""

    def __init__(self, gate: Gate, snapshot: Callable[[], Snapshot], give: Give) -> None:
        """`snapshot` raises an HTTPException while there is none; `give` may raise an AutoscalerError."""
        self._gate, self._snapshot, self._give = gate, snapshot, give
        self._wakes = Limit(WAKES_AT_ONCE, WAKES_PER_SECOND)

    async def pause(self, request: Request) -> Response:
        """Hold a pool, in one direction or in both."""
        order, body = await self._order(request, OrderKind.PAUSE, Pause)
        return await self._take(replace(order, until=_until(order, body.for_), direction=body.direction))

    async def resume(self, request: Request) -> Response:
        """Give a pool back to the autoscaler."""
        order, _ = await self._order(request, OrderKind.RESUME, Resume)
        return await self._take(order)

    async def scale(self, request: Request) -> Response:
        """Set the count of a pool by hand."""
        order, body = await self._order(request, OrderKind.SCALE, Scale)
        return await self._take(replace(order, until=_until(order, body.for_), replicas=body.replicas))

    async def drain(self, request: Request) -> Response:
        """Send all workers of a pool home, or one of them."""
        order, body = await self._order(request, OrderKind.DRAIN, Drain)
        worker = body.worker.removeprefix("celery@")
        if worker:
            self._require_worker(order.pool, worker)
            if body.for_ is not None:
                raise HTTPException(400, "for: a single worker leaves for good; `for` belongs to a drain of the whole pool")
        return await self._take(replace(order, until=_until(order, body.for_), worker=worker))

    async def wake(self, request: Request) -> Response:
        """Say that work was sent."""
        address = self._place_of_a_wake(request)
        order, body = await self._order(request, OrderKind.WAKE, Wake)
        self._wakes.take(address)
        return await self._take(replace(order, until=order.at + WAKE_SECONDS, tasks=body.count))

    async def wake_queues(self, request: Request) -> Response:
        """Say that work was sent to these queues, whichever pools they belong to: producers know queues, not pools."""
        address = self._place_of_a_wake(request)
        token = self._gate.admit(request, wake=True)
        said = parse(WakeQueues, await request.body())
        self._wakes.take(address)
        pools = self._snapshot().policies.pools
        sent = {name: [said.queues[q] for q in policy.queues if q in said.queues] for name, policy in pools.items()}
        woken = {name: sum(counts) for name, counts in sent.items() if counts}
        now, by = time.time(), who(request, token, said)
        for name, tasks in woken.items():
            order = Order(OrderKind.WAKE, name, now, by, said.why, until=now + WAKE_SECONDS, tasks=tasks)
            await run_in_threadpool(self._give, order)
        detail = f"the next tick looks after {', '.join(woken)}, at once" if woken else "no pool has one of these queues: nothing is woken"
        others = set(said.queues).difference(*(policy.queues for policy in pools.values()))
        answer = {"accepted": True, "detail": detail, "pools": woken, "unknown": sorted(map(line, others))}
        return JSONResponse(redactor(answer), 202)

    def _place_of_a_wake(self, request: Request) -> str:
        """Where it comes from, as far as wakes are counted; raises an HTTPException when there were too many from there."""
        address = neighbourhood(request.client.host if request.client else "")
        if wait := self._wakes.wait(address):
            words = "too many wakes at once: those before this one are being looked after"
            raise HTTPException(429, words, headers={"retry-after": str(math.ceil(wait))})
        return address

    async def _order(self, request: Request, kind: OrderKind, body: type[B]) -> tuple[Order, B]:
        """An order of this kind as far as all kinds are the same, and the body for the rest."""
        token = self._gate.admit(request, wake=kind is OrderKind.WAKE)
        said = parse(body, await request.body())
        name = request.path_params["pool"]
        if name not in self._snapshot().policies.pools:
            raise no_such_pool(self._snapshot(), name)
        return Order(kind, name, time.time(), who(request, token, said), said.why), said

    async def _take(self, order: Order) -> Response:
        standing = await run_in_threadpool(self._give, order)
        snapshot = self._snapshot()
        answer = {
            "accepted": True,
            "pool": order.pool,
            "detail": f"{order.pool} {told(order, order.at)}; the next tick takes it up, at once",
            "notes": list(notes(snapshot, order)),
            "orders": to_plain(standing),
        }
        return JSONResponse(redactor(answer), 202)

    def _require_worker(self, pool: str, worker: str) -> None:
        there = workers_of(self._snapshot(), pool)
        if worker not in there:
            listed = ", ".join(there[:20]) or "no worker"
            raise HTTPException(404, f"{pool} has no worker {worker[:80]!r}; it has: {listed}")


def who(request: Request, token: str, said: Body) -> str:
    """Whose order it is: the token's name, the address that it came from, and who says to have sent it."""
    address = request.client.host if request.client else "an unknown address"
    return f"{said.by} (token {token}, {address})" if said.by else f"{token} ({address})"


def no_such_pool(snapshot: Snapshot, name: str) -> HTTPException:
    """404 with the names that would do."""
    return HTTPException(404, f"there is no pool {name[:40]!r}; configured are: {', '.join(snapshot.policies.pools)}")


def workers_of(snapshot: Snapshot, pool: str) -> tuple[str, ...]:
    """Names of the replicas of a pool that could be sent home."""
    decided = snapshot.record.decision.pools if snapshot.record else ()
    return tuple(r.name for d in decided if d.pool == pool for r in d.view.replicas if r.phase is not Phase.STOPPING)


def notes(snapshot: Snapshot, order: Order) -> Iterator[str]:
    """What keeps an order from having the effect that one might expect, in words."""
    if snapshot.dry_run:
        yield "dry run: it changes what is decided, and nothing is done"
    policy = snapshot.policies.pools.get(order.pool)
    if policy:
        yield from _bounds(order, policy, snapshot.policies.max_replicas)
    if order.kind is OrderKind.WAKE and snapshot.record:
        standing = snapshot.record.observation.orders.get(order.pool, ())
        held = (o for o in standing if o.sets_count or (o.kind is OrderKind.PAUSE and o.direction.covers(Direction.UP)))
        yield from (f"nothing is started: {order.pool} is {told(o, order.at)}" for o in held if o.in_force(order.at))


def _bounds(order: Order, policy: PoolPolicy, cap: int) -> Iterator[str]:
    if not order.sets_count:
        return
    if order.replicas < policy.replicas_min:
        yield f"replicas.min is {policy.replicas_min}{policy.schedule}, so {policy.replicas_min} stay"
    most = min(policy.replicas_max, cap)
    if order.replicas > most:
        limit = f"replicas.max is {most}{policy.schedule}" if most < cap else f"max_replicas is {cap} over all pools"
        yield f"{limit}, so no more than {most} run"


def _until(order: Order, period: float | None) -> float | None:
    return None if period is None else order.at + period
