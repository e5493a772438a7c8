"""The simulated Celery worker: boots, takes tasks, runs them, and leaves as a warm shutdown does.

    booting --> ready --SIGTERM--> draining (takes nothing, ends what runs) --> leaving (gives back what it holds) --> gone
        \\__________________________ SIGKILL, crash, memory: what it holds is left or lost _____________________________/

What it does at each step was measured on Celery 5.4 to 5.7 with Redis; the engine starts and signals it, the broker feeds it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .broker import Broker, Health
from .machine import Machine
from .tasks import Ledger, Task, Where

RETRY_SECONDS = 2.0
EXIT_BROKER_DOWN_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Temper:
    """How one worker behaves; drawn when it starts."""

    boot_seconds: float
    leave_seconds: float
    prefetch: int
    """Messages taken ahead for each slot; 0 for none."""
    swallows_sigterm: bool = False
    dies_at_boot: bool = False
    never_ready: bool = False


class Worker:
    """One worker process."""

    def __init__(
        self, machine: Machine, ledger: Ledger, broker: Broker, *, name: str, queues: tuple[str, ...], slots: int, temper: Temper
    ) -> None:
        self.name, self.queues, self.slots, self.temper = name, queues, slots, temper
        self.state = "booting"
        self.hung = False
        self.ready_at: float | None = None
        self.running: dict[Task, float] = {}
        """Task -> when it ends."""
        self.prefetched: deque[Task] = deque()
        self.scheduled: set[Task] = set()
        self.started = self.finished = 0
        self._busy: deque[tuple[float, int]] = deque([(0.0, 0)], maxlen=64)
        """(since, tasks running): what heartbeats told."""
        self.told_to_leave: float | None = None
        self.on_exit: Callable[[int, bool], None] = lambda code, oom: None
        self.on_change: Callable[[], None] = lambda: None
        """Told when it begins or ceases to be heard."""
        self._machine, self._ledger, self.broker = machine, ledger, broker
        self._thawed: list[Callable[[], None]] = []
        machine.later(temper.boot_seconds, self._boot)

    @property
    def alive(self) -> bool:
        """Whether the process exists."""
        return self.state != "gone"

    @property
    def is_leaving(self) -> bool:
        """Whether it was told to leave and takes nothing new."""
        return self.state in ("draining", "leaving")

    @property
    def is_heard(self) -> bool:
        """Whether it sends heartbeats: not while it boots, shuts down or hangs."""
        return self.state == "ready" and not self.hung

    @property
    def holds(self) -> int:
        """Tasks that a stop would disturb."""
        return len(self.running) + len(self.prefetched) + len(self.scheduled)

    def running_at(self, moment: float) -> int:
        """Tasks that ran at a moment not long ago, as a heartbeat told them."""
        return next((count for since, count in reversed(self._busy) if since <= moment), 0)

    # -------------------------------------------------------- life

    def _boot(self) -> None:
        if self.state != "booting" or self._postponed(self._boot):
            return
        if self.temper.dies_at_boot:
            self._end(1)
        elif self.broker.health in (Health.QUOTA, Health.READONLY):
            self._end(1)  # Celery gives up on a broker that speaks and refuses
        elif self.broker.health is not Health.UP or self.temper.never_ready:
            self._machine.later(RETRY_SECONDS, self._boot)
        else:
            self.state, self.ready_at = "ready", self._machine.now
            self.on_change()
            self.pull()

    def sigterm(self) -> None:
        """The warm shutdown. Before it listens, the signal ends the process; a shell in front of it swallows it."""
        if self.temper.swallows_sigterm or not self.alive or self._postponed(self.sigterm):
            return
        if self.state == "booting":
            self._end(143)
        elif self.state == "ready":
            self.state, self.told_to_leave = "draining", self._machine.now
            self.on_change()
            self._leave_if_done()

    def sigkill(self, cause: str, *, oom: bool = False) -> None:
        """Ends at once; `cause` is written down at every task that it held."""
        if not self.alive:
            return
        for task in self.running:
            if task.acks_late:
                self.broker.leave(task, cause)
            else:
                self._ledger.move(task, Where.LOST, cause)
        self._leave_behind(cause)
        self._end(137, oom=oom)

    def crash(self, cause: str) -> None:
        """Dies of its own fault."""
        if self.alive:
            self.sigkill(cause)

    def hang(self) -> None:
        """Stops doing anything: SIGSTOP, a full disk, a deadlock."""
        self.hung = True
        self.on_change()

    def wake(self) -> None:
        """Goes on where it stopped."""
        self.hung = False
        self.on_change()
        waiting, self._thawed = self._thawed, []
        for call in waiting:
            call()
        self.pull()

    def _postponed(self, call: Callable[[], None]) -> bool:
        """While it hangs, what would happen waits."""
        if self.hung:
            self._thawed.append(call)
        return self.hung

    def _leave_if_done(self) -> None:
        if self.state == "draining" and not self.running:
            self.state = "leaving"
            self._machine.later(self.temper.leave_seconds, self._leave)

    def _leave(self) -> None:
        if self.state != "leaving" or self._postponed(self._leave):
            return
        if self.broker.health is Health.FROZEN:
            self._machine.later(RETRY_SECONDS, self._leave)  # it waits for the broker for ever
        elif self.broker.health is Health.UP:
            for task in (*self.prefetched, *self.scheduled):
                self.broker.give_back(task)
            self._end(0)
        else:
            self._leave_behind("the broker was away when its worker left")
            self._machine.later(EXIT_BROKER_DOWN_SECONDS, self._end, 1)

    def _leave_behind(self, cause: str) -> None:
        for task in (*self.prefetched, *self.scheduled):
            self.broker.leave(task, cause)
        self.prefetched.clear()
        self.scheduled.clear()

    def _end(self, code: int, *, oom: bool = False) -> None:
        if self.alive:
            self.state = "gone"
            self.running.clear()
            self.prefetched.clear()
            self.scheduled.clear()
            self.on_change()
            self.on_exit(code, oom)

    # -------------------------------------------------------- work

    def pull(self) -> None:
        """Take what it may, and begin what it can."""
        if self.state != "ready" or self.hung:
            return
        while self._has_room() and (task := self.broker.take(self.queues)):
            if task.eta is not None and task.eta > self._machine.now:
                self.scheduled.add(task)
                self._ledger.move(task, Where.SCHEDULED)
                self._machine.later(task.eta - self._machine.now, self._due, task)
            else:
                self.prefetched.append(task)
                self._ledger.move(task, Where.PREFETCHED)
            self._begin()
        self._begin()

    def _has_room(self) -> bool:
        held = len(self.prefetched) + sum(task.acks_late for task in self.running)
        return len(self.running) < self.slots or held < self.slots * self.temper.prefetch

    def _due(self, task: Task) -> None:
        if task in self.scheduled and not self._postponed(lambda: self._due(task)):
            self.scheduled.remove(task)
            self.prefetched.appendleft(task)
            self._ledger.move(task, Where.PREFETCHED)
            self._begin()

    def _begin(self) -> None:
        while self.state == "ready" and self.prefetched and len(self.running) < self.slots:
            task = self.prefetched.popleft()
            if not task.acks_late:
                self.broker.acknowledge(task)
            self._ledger.move(task, Where.RUNNING)
            self.started += 1
            self.running[task] = self._machine.now + task.runtime
            self._busy.append((self._machine.now, len(self.running)))
            self._machine.later(task.runtime, self._finish, task)

    def _finish(self, task: Task) -> None:
        if task not in self.running or self._postponed(lambda: self._finish(task)):
            return
        del self.running[task]
        self._busy.append((self._machine.now, len(self.running)))
        task.effects += 1
        self.finished += 1
        if task.acks_late and self.broker.health is not Health.UP:
            self.broker.leave(task, "its acknowledgement did not reach the broker")
        else:
            self.broker.acknowledge(task)
            self._ledger.move(task, Where.DONE)
        self.pull()
        self._leave_if_done()
