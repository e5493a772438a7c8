"""A small world behind the loop's doors: queues, workers that take time to boot and to finish, and neighbours that fail.

It knows the truth about every task, so a test can say that none was lost or interrupted.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from autoscaler.loop import tick
from autoscaler.model import (
    Action,
    ActionKind,
    BrokerSight,
    Container,
    ContainerState,
    Exit,
    Health,
    Host,
    Known,
    Memory,
    Observation,
    Order,
    Orders,
    Outcome,
    Policies,
    QueueSight,
    Record,
    Result,
    SourceSight,
    Unknown,
    WorkerSight,
)
from autoscaler.model.health import REMEDY
from autoscaler.model.orders import given
from autoscaler.model.spending import Served
from autoscaler.policy.steering import standing_after

GONE = Unknown("it did not answer")
RESTORE_SECONDS = 5.0
"""How long a worker lives until unacknowledged tasks of another are given out again (Redis: the visibility timeout)."""


@dataclass
class Worker:
    """A worker container: boots, takes tasks, and leaves when it was told to and has finished."""

    name: str
    pool: str
    created: float
    running: list[tuple[float, float]] = field(default_factory=list)
    """When each running task ends, and when it had arrived."""
    scheduled: list[tuple[float, float]] = field(default_factory=list)
    """When each task that it holds for later is due, and when it had arrived."""
    started: int = 0
    finished: int = 0
    draining: bool = False
    ended: float | None = None
    killed_busy: int = 0
    deaf_to: int = 0
    """So many stop signals come to nothing."""
    hangs: bool = False
    """It never comes to work; told to leave, it goes."""
    spec: str = "spec"
    end: Exit = field(default_factory=lambda: Exit(0))
    """How it ended, or will."""


class World:
    """Satisfies Eyes and Hands; `run` moves time and ticks."""

    def __init__(self, policies: Policies, *, boot: float = 3.0, runtime: float = 5.0, start: float = 1000.0) -> None:
        self.policies, self.boot, self.runtime = policies, boot, runtime
        self.now = start
        self.memory = Memory()
        self.orders: Orders = {}
        self.waiting: dict[str, list[float]] = {q: [] for p in policies.pools.values() for q in p.queues}
        """When each waiting task arrived, oldest first."""
        self.waits: list[float] = []
        self.later: dict[str, list[tuple[float, float]]] = {}
        """When each task in the queue that waits for its time is due, and when it had arrived."""
        self.worker_seconds = 0.0
        self.workers: dict[str, Worker] = {}
        self.done = self.sent = 0
        self.blind_flower = self.blind_fleet = False
        self.slow_engine = self.refusing_engine = False
        self.host: Host | None = None
        """The machine that the workers run on, where anybody says."""
        self.broker: Health | None = None
        """How the broker is doing, where it is read directly."""
        self.served: Served | None = None
        """What it says that it has served."""
        self.next_hang = 0
        """So many of the next starts hang."""
        self.broker_says = ""
        """While this is not empty, workers die of it as soon as they are up. Nobody reads the broker directly."""
        self.hidden: set[str] = set()
        """Queues whose depth no source tells."""
        self.left: dict[str, list[float]] = {}
        """Tasks that died with their worker and are not acknowledged, by pool; unacknowledged tasks are seen where it has the pool."""
        self.mute = False
        """Workers work, and no source ever hears them."""
        self.records: list[Record] = []
        self.calls: list[Action] = []
        self._late: list[tuple[Action, float]] = []

    # -------------------------------------------------------- the outside

    def send(self, queue: str, count: int) -> None:
        """Tasks arrive."""
        self.waiting[queue] += [self.now] * count
        self.sent += count

    def send_eta(self, pool: str, count: int, due: float) -> None:
        """Tasks arrive that are due only then, and lie in the queue until a worker takes them."""
        self.later.setdefault(pool, []).extend([(due, self.now)] * count)
        self.sent += count

    def send_later(self, pool: str, count: int, due: float) -> None:
        """Tasks arrive that are due only then: a worker takes them at once and holds them."""
        self.alive(pool)[0].scheduled += [(due, self.now)] * count
        self.sent += count

    def order(self, order: Order) -> None:
        """Somebody gives an order."""
        self.orders = {**self.orders, order.pool: given(self.orders.get(order.pool, ()), order)}

    def crash_daemon(self) -> None:
        """kill -9 and a start without a journal."""
        self.memory = Memory()

    def kill_worker(self, name: str) -> None:
        """The worker dies without our doing; its tasks go back to their queue."""
        worker = self.workers[name]
        self.waiting[worker.pool] = [arrived for _, arrived in worker.running] + self.waiting[worker.pool]
        worker.running, worker.ended = [], self.now

    def lose_worker(self, name: str) -> None:
        """The worker dies, and its tasks stay unacknowledged until another has lived for a while."""
        worker = self.workers[name]
        self.left.setdefault(worker.pool, []).extend(arrived for _, arrived in worker.running)
        worker.running, worker.ended = [], self.now

    def alive(self, pool: str | None = None) -> list[Worker]:
        """Workers whose process runs."""
        return [w for w in self.workers.values() if w.ended is None and pool in (None, w.pool)]

    def run(self, seconds: float) -> World:
        """Tick every interval, moving the work along in steps of a tenth of a second."""
        until = self.now + seconds
        while self.now < until:
            record, self.memory = tick(self.policies, self.memory, self, self, self.now)
            self.orders = standing_after(self.orders, record)
            self.records.append(record)
            for _ in range(round(self.policies.interval_seconds * 10)):
                self.now = round(self.now + 0.1, 1)
                self._work()
        return self

    def _work(self) -> None:
        for worker in [w for w in self.alive() if not self._dies(w)]:
            left = [task for task in worker.running if task[0] > self.now]
            ended, worker.running = len(worker.running) - len(left), left
            worker.finished += ended
            self.done += ended
            self.worker_seconds += 0.1
            self._bring_back(worker)
            slots = self.policies.pools[worker.pool].slots if worker.pool in self.policies.pools else 1
            while not worker.draining and self._is_ready(worker) and self.waiting[worker.pool] and len(worker.running) < slots:
                arrived = self.waiting[worker.pool].pop(0)
                self.waits.append(self.now - arrived)
                worker.running.append((self.now + self.runtime, arrived))
                worker.started += 1
            if worker.draining and not worker.running:
                worker.ended = self.now

    def _dies(self, worker: Worker) -> bool:
        if self.broker_says and self._is_ready(worker):
            self.kill_worker(worker.name)
            worker.end = Exit(1, log_tail=("Traceback", self.broker_says))
        return worker.ended is not None

    def _bring_back(self, worker: Worker) -> None:
        """Tasks that are due by now, and those of a dead worker once this one has lived for a while."""
        line = self.later.setdefault(worker.pool, [])
        if worker.draining:
            line += worker.scheduled
            worker.scheduled = []
        elif self._is_ready(worker):
            worker.scheduled += line
            line.clear()
        due = [at for at, _ in worker.scheduled if at <= self.now]
        worker.scheduled = [task for task in worker.scheduled if task[0] > self.now]
        if self.left.get(worker.pool) and self.now - worker.created >= self.boot + RESTORE_SECONDS:
            due += self.left[worker.pool]
            self.left[worker.pool] = []
        self.waiting[worker.pool][:0] = due

    def _is_ready(self, worker: Worker) -> bool:
        return self.now - worker.created >= self.boot and not worker.hangs

    # -------------------------------------------------------- eyes

    def look(self, policies: Policies, now: float) -> Observation:
        """What can be seen, with the gaps that were ordered."""
        seen = not self.blind_flower
        return Observation(
            at=now,
            queues={q: self._queue(q, now) for q in self.waiting},
            workers={f"celery@{w.name}": self._voice(w, now) for w in self.alive() if seen and self._is_ready(w) and not self.mute},
            containers=GONE if self.blind_fleet else Known(tuple(self._container(w) for w in self.workers.values()), now, "fleet"),
            brokers={"main": self._broker(self.broker)} if self.broker else {},
            sources=(SourceSight("flower", seen, "", 0.0, now), SourceSight("fleet", not self.blind_fleet, "", 0.0, now)),
            orders=self.orders,
            host=Known(self.host, now, "fleet") if self.host else GONE,
        )

    def _broker(self, health: Health) -> BrokerSight:
        detail = f"main {REMEDY[health]}" if health.is_down else ""
        return BrokerSight("main", health, detail, fresh=True, queues={}, served=self.served)

    def _queue(self, name: str, now: float) -> QueueSight:
        over = [at for at, _ in self.later.get(name, ()) if at <= now]
        depth = GONE if self.blind_flower or name in self.hidden else Known(len(self.waiting[name]) + len(over), now, "flower")
        later = tuple(sorted(at for at, _ in self.later.get(name, ()) if at > now))
        if name not in self.left:
            return QueueSight(name, depth, later=later)
        held = sum(len(w.running) + len(w.scheduled) for w in self.alive(name))
        return QueueSight(name, depth, Known(held + len(self.left[name]), now, "broker"))

    def _voice(self, worker: Worker, now: float) -> WorkerSight:
        def known(value: int | bool) -> Known:
            return Known(value, now, "flower")

        none = Unknown("Flower does not tell")
        tasks = (known(len(worker.running)), known(0), known(len(worker.scheduled)))
        counts = (known(worker.started), known(worker.finished))
        return WorkerSight(f"celery@{worker.name}", known(not worker.draining), *tasks, none, none, *counts)

    def _container(self, worker: Worker) -> Container:
        state = ContainerState.RUNNING if worker.ended is None else ContainerState.EXITED
        code = None if worker.ended is None else worker.end.code
        need = self.policies.pools[worker.pool].need if worker.pool in self.policies.pools else None
        return Container(f"id-{worker.name}", worker.name, worker.pool, state, worker.created, worker.spec, code, need=need)

    # -------------------------------------------------------- hands

    def act(self, actions: tuple[Action, ...], now: float) -> tuple[Outcome, ...]:
        """Do it, now or a little later."""
        late = [Outcome(a, Result.DONE, now) for a, due in self._late if due <= now]
        self._late = [(a, due) for a, due in self._late if due > now]
        return (*late, *(self._do(a, now) for a in actions))

    def _do(self, action: Action, now: float) -> Outcome:
        self.calls.append(action)
        if self.refusing_engine and action.kind is ActionKind.START:
            return Outcome(action, Result.FAILED, now, detail="no such image")
        if action.kind is ActionKind.START:
            assert action.replica not in self.workers, "a name was used twice"
            spec = self.policies.pools[action.pool].spec or "spec"
            self.workers[action.replica] = Worker(action.replica, action.pool, now, hangs=self.next_hang > 0, spec=spec)
            self.next_hang -= 1
        elif action.kind is ActionKind.DRAIN:
            worker = self.workers[action.replica]
            worker.draining, worker.deaf_to = worker.deaf_to <= 0, worker.deaf_to - 1
        elif action.kind is ActionKind.KILL:
            self.workers[action.replica].killed_busy = len(self.workers[action.replica].running)
            self.workers[action.replica].ended = now
        else:
            gone = self.workers.pop(action.replica)
            assert gone.ended is not None, "a running worker was removed"
            return Outcome(action, Result.DONE, now, exit=gone.end)
        if self.slow_engine:
            self._late.append((action, now + 5.0))
            return Outcome(action, Result.PENDING, now)
        return Outcome(action, Result.DONE, now)


def shrunk(policies: Policies, pool: str, **changes) -> Policies:
    """The same settings with one pool edited."""
    return replace(policies, pools={**policies.pools, pool: replace(policies.pools[pool], **changes)})
