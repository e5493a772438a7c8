"""Everything behind the daemon's doors in one place, and the supervisor that starts the daemon again when it ends.

A story says what happens here (`story.py`), faults meddle with it (`faults.py`), `watchers` are told of everything that the
daemon does and judge it (`invariants.py`).
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from autoscaler.daemon import Daemon
from autoscaler.errors import AutoscalerError, ConfigError, LockHeld
from autoscaler.model import Decision, Memory, Observation, Order, OrderKind, Policies, Record

from .broker import Broker, Health
from .engine import Box, Change, Docker, Trouble
from .flower import Flower
from .flower import Trouble as FlowerTrouble
from .machine import Killed, Machine, Process
from .story import CANARY, INSTANCE, Story
from .tasks import Ledger
from .worker import Temper, Worker

HOME = "primary"
WALL = 1_700_000_000.0
ASK_AGAIN_SECONDS = 2.0
"""After an order was not taken it is given again."""
FOUND_OUT_SECONDS = 16.0
"""It takes so long to find out that Flower repeats old pages."""
LOCKED_OUT_SECONDS = 10.0
"""Longer where another one is in charge."""
EX_TEMPFAIL = 75
RESTART_SECONDS = (0.5, 8.0)
"""After which a supervisor starts the daemon again."""


@dataclass(eq=False)
class Life:
    """One run of the daemon, from its start to its end."""

    process: Process
    born: float
    daemon: Daemon | None = None
    doors: Any = None
    """What its web server would call."""
    ended: bool = False
    code: int | None = None
    """Its exit code; None while it runs, and when it was killed."""
    crash_in: int | None = None
    """Calls to the outside until it is killed."""
    first_look: float | None = None
    last_tick: float | None = None
    tick_began: float = 0.0
    last_wake: float = 0.0
    """When it was last let go on after a SIGSTOP."""
    ticks: int = 0
    again: bool = True
    """Its supervisor starts it again when it ends."""
    standby: bool = False
    """It was started to wait until nobody else is in charge."""
    state: str = "state"
    """Its state folder."""


@dataclass(slots=True)
class Curse:
    """What befalls workers that start from now on."""

    dies_at_boot: bool = False
    never_ready: bool = False
    swallows_sigterm: bool = False
    slow: float = 0.0
    """More seconds until it is ready."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order that was taken, and its times by the machine's clock."""

    order: Order
    at: float
    until: float | None
    state: str
    """The state folder of the daemon that took it."""

    def replaces(self, other: Ordered) -> bool:
        """Whether the older one is over with this one."""
        mine, theirs = self.order, other.order
        if mine.kind is OrderKind.RESUME:
            return theirs.kind is OrderKind.PAUSE or theirs.sets_count
        return (mine.sets_count and theirs.sets_count) or mine.kind is theirs.kind is OrderKind.PAUSE


class Watcher:
    """Told of everything that the daemon does; the base of every invariant."""

    def on_decision(self, world: World, life: Life, policies: Policies, seen: Observation, memory: Memory, decision: Decision) -> None:
        """It has decided, and nothing is done yet."""

    def on_change(self, world: World, change: Change) -> None:
        """A request that changes something has reached the engine, and is not carried out yet."""

    def on_tick(self, world: World, life: Life, policies: Policies, before: Memory, record: Record, after: Memory) -> None:
        """A tick is over."""

    def at_end(self, world: World) -> None:
        """The story is over."""


class World:
    """The outside of one story."""

    def __init__(self, story: Story, folder: Path, watchers: tuple[Watcher, ...], tell: Callable[[str], None] | None = None) -> None:
        self.story, self.folder, self.watchers = story, folder, watchers
        self.decide: Callable[..., Decision]
        """The policy itself, for those who ask it again."""
        self.machine = Machine(WALL)
        self.ledger = Ledger()
        names = [broker["name"] for broker in story.config.get("brokers", ())] or [HOME]
        self.brokers = {name: Broker(name, self.machine, self.ledger, story.visibility_seconds) for name in names}
        self.broker = self.brokers[names[0]]
        """The one that Flower is connected to, and producers prefer."""
        self.docker = Docker(self.machine, self._hire)
        self.flower = Flower(self.machine, self.broker, self.docker, lists_all=story.flower_lists_all, queues=story.queues)
        self.curse = Curse()
        self.config: dict[str, Any] = json.loads(json.dumps(story.config))
        """What stands in the file, as far as it is valid."""
        self.lives: list[Life] = []
        self._life_of: dict[Process, Life] = {}
        self.dying: dict[Process, list[Callable[[], None]]] = {}
        self.violations: list[str] = []
        self.lines: list[str] = []
        """What the daemon has logged."""
        self.journal_trouble: list[tuple[float, float]] = []
        """Spans of time in which the journal may have lost something."""
        self.depth_read: dict[tuple[str, str], float] = {}
        """(broker, queue) -> when somebody last gave its true length."""
        self.changes: list[str] = []
        """Everything that was changed at the engine, in words."""
        self.orders: list[Ordered] = []
        """What people have ordered and was taken, as long as it has to stand."""
        self._handed_back: dict[str, float] = {}
        """Pool -> when somebody last wanted it to be the autoscaler's again."""
        self.ordered_at = -math.inf
        """When something was ordered last, producers' wakes included."""
        self.disk_full = False
        self.crash_at_change: int | None = None
        """Changes that the engine makes until the daemon is killed, after the change and before its answer."""
        self.tell = tell
        self._hired = 0
        for broker in self.brokers.values():
            broker.arrived, broker.read = self._feed, self._read
            broker.looked_after = partial(self._looks_after, broker)
        self.docker.watch = self._changed
        self.flower.read = self._read
        self.flower.read_old = self._read_old

    # -------------------------------------------------------- the daemon and its supervisor

    @property
    def life(self) -> Life | None:
        """The daemon that is in charge; while nobody is, the one that was first."""
        living = [life for life in self.lives if not life.ended]
        return next((life for life in living if life.ticks), next(iter(living), None))

    def life_of(self, process: Process) -> Life:
        """The life that this process is."""
        return self._life_of[process]

    def boot(self, **habits: Any) -> Life:
        """Start a daemon; `habits`: whether it is started anew whenever it ends, whether it stands by, and its state folder."""
        life = Life(Process(self.machine, f"daemon {len(self.lives) + 1}"), self.machine.now, **habits)
        self.lives.append(life)
        self._life_of[life.process] = life

        def main() -> None:
            life.code = self._run(life)
            self.note(f"{life.process.name} ends with exit code {life.code}")
            life.process.kill()  # what its other threads do ends with it
            self._ended(life)

        self.note(f"{life.process.name} is started")
        life.process.spawn(main)
        return life

    def _run(self, life: Life) -> int:
        """What `autoscaler run` does."""
        try:
            daemon = life.daemon = Daemon(self.folder / "config.yaml", {"STATE": str(self.folder / life.state)})
            if not daemon.startup(standby=life.standby):
                return 0
        except ConfigError:
            return 78
        except LockHeld:
            return EX_TEMPFAIL
        code = daemon.run()
        daemon.shutdown()
        return code

    def kill(self, life: Life) -> None:
        """kill -9."""
        if not life.ended:
            self.note(f"{life.process.name} is killed")
            life.process.kill()
            self._ended(life)

    def _ended(self, life: Life) -> None:
        life.ended = True
        for let_go in self.dying.pop(life.process, []):
            let_go()
        if life.again:
            dice = self.dice(f"restart {len(self.lives)}")
            patience = LOCKED_OUT_SECONDS if life.code == EX_TEMPFAIL else 0.0
            self.machine.later(patience + dice.uniform(*RESTART_SECONDS), self.boot)

    # -------------------------------------------------------- what the doors call

    @property
    def process(self) -> Process:
        """Who is asking."""
        assert self.machine.current
        return self.machine.current.process

    def gate(self, point: str) -> None:
        """Every call of the daemon to the outside passes here, on its way out and back: here it may be killed."""
        process = self.process
        if process.dead:
            raise Killed
        life = self.life_of(process)
        if life.crash_in is not None:
            life.crash_in -= 1
            if life.crash_in < 0:
                self.note(f"at: {point}")
                self.kill(life)
                raise Killed

    def watched_app(self, build_app: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The web application, with its doors noted: through them the world asks and orders as a person would."""

        def watched(doors: Any) -> Any:
            self.life_of(self.process).doors = doors
            return build_app(doors)

        return watched

    def watched_tick(self, tick: Callable[..., tuple[Record, Memory]]) -> Callable[..., tuple[Record, Memory]]:
        """The loop's tick, with everybody watching."""

        def watched(policies: Policies, memory: Memory, eyes: Any, hands: Any, now: float) -> tuple[Record, Memory]:
            life = self.life_of(self.process)
            life.tick_began = self.machine.now
            self.gate("a tick begins")
            record, after = tick(policies, memory, eyes, hands, now)
            self.gate("a tick is over")
            for watcher in self.watchers:
                watcher.on_tick(self, life, policies, memory, record, after)
            life.last_tick, life.ticks = self.machine.now, life.ticks + 1
            return record, after

        return watched

    def watched_decide(self, decide: Callable[..., Decision]) -> Callable[..., Decision]:
        """The policy's decision, with everybody watching."""
        self.decide = decide

        def watched(policies: Policies, seen: Observation, memory: Memory, now: float) -> Decision:
            life = self.life_of(self.process)
            decision = decide(policies, seen, memory, now)
            if life.first_look is None:
                life.first_look = life.tick_began
            for watcher in self.watchers:
                watcher.on_decision(self, life, policies, seen, memory, decision)
            self.gate("it has decided")
            return decision

        return watched

    def watched_write(self, write: Callable[..., None]) -> Callable[..., None]:
        """The journal's write to the disk."""

        def watched(*what: Any) -> None:
            self.gate("the journal is written")
            if self.disk_full:
                import sqlite3

                raise sqlite3.OperationalError("database or disk is full")
            write(*what)
            self.gate("the journal was written")

        return watched

    def log(self, level: str, event: dict[str, Any]) -> None:
        """One line of the daemon's log."""
        self.lines.append(repr(event))
        if "exc_info" in event:
            self.fail("I0", f"a bug of ours: {event['event']}: {event}")
        self.note(f"  log {level}: {event.pop('event', '')} {event}")

    def _changed(self, change: Change) -> None:
        self.note(f"  engine: {change.kind} {change.name}")
        self.changes.append(f"{change.at:.3f} {change.kind} {change.name}")
        for watcher in self.watchers:
            watcher.on_change(self, change)
        if self.crash_at_change is not None and not change.by.dead:
            self.crash_at_change -= 1
            if self.crash_at_change < 0:
                self.crash_at_change, self.life_of(change.by).crash_in = None, 0

    # -------------------------------------------------------- the others

    def workers(self) -> Iterator[Worker]:
        """All workers on the host, ours and others'."""
        return (box.worker for box in list(self.docker.boxes.values()) if box.worker)

    def ours(self) -> list[Box]:
        """All containers of ours."""
        return list(self.docker.ours(INSTANCE))

    def dice(self, purpose: str) -> random.Random:
        """Chance for one purpose, that no other purpose disturbs."""
        return random.Random(f"{self.story.seed}/{purpose}")

    def write_config(self, text: str | None = None, *, in_place: bool = False) -> None:
        """Put the configuration, or this text, into the file; by renaming over, or in place."""
        path = self.folder / "config.yaml"
        fresh = path if in_place else path.with_suffix(".new")
        fresh.write_text(json.dumps(self.config) if text is None else text)
        if not in_place:
            fresh.rename(path)

    def send(self, queue: str, count: int, runtime: float, eta_in: float | None) -> None:
        """Tasks arrive, at the first broker that serves; where none does, a producer holds on to the first."""
        if "idle_interval" in self.config:
            self.order(OrderKind.WAKE, self.pool_of(queue), tasks=count)
        taking = next((broker for broker in self.brokers.values() if broker.health is Health.UP), self.broker)
        for _ in range(count):
            eta = self.machine.now + eta_in if eta_in else None
            taking.send(self.ledger.send(queue, runtime, self.machine.now, acks_late=self.story.acks_late, eta=eta))

    def pool_of(self, queue: str) -> str:
        """Whose queue it is, as far as producers know."""
        return next(name for name, pool in self.story.config["pools"].items() if queue in pool["queues"])

    def order(self, kind: OrderKind, pool: str, *, seconds: float | None = None, **more: Any) -> None:
        """Somebody orders this, as often as it takes until it is taken; it is to end after so many seconds."""
        if kind is OrderKind.RESUME:
            self._handed_back[pool] = self.machine.now
        self._ask(kind, pool, seconds, self.machine.now, more)

    def _ask(self, kind: OrderKind, pool: str, seconds: float | None, since: float, more: dict[str, Any]) -> None:
        life = self.life
        if kind is not OrderKind.RESUME and since < self._handed_back.get(pool, -math.inf):
            return  # nobody wants it any more
        if life and life.ticks and not life.process.frozen:
            life.process.spawn(partial(self._order, life, kind, pool, seconds, since, more))
        else:
            self.machine.later(ASK_AGAIN_SECONDS, self._ask, kind, pool, seconds, since, more)

    def _order(self, life: Life, kind: OrderKind, pool: str, seconds: float | None, since: float, more: dict[str, Any]) -> None:
        """In a thread of the daemon's web server."""
        taken = False
        try:
            self.gate("something is ordered")
            now = life.daemon.clock.now()
            order = Order(kind, pool, now, "somebody", until=None if seconds is None else now + seconds, **more)
            life.doors.give(order)
            self.gate("the order was taken")
            taken = True
        except AutoscalerError as refused:
            self.note(f"  {kind} {pool} is refused: {refused}")
        finally:
            if taken:
                until = None if seconds is None else self.machine.now + seconds
                self._taken(Ordered(order, self.machine.now, until, life.state))
            elif not self.machine.stopped:
                self.machine.later(ASK_AGAIN_SECONDS, self._ask, kind, pool, seconds, since, more)

    def _taken(self, fresh: Ordered) -> None:
        order = fresh.order
        self.note(f"  ordered: {order.kind} {order.pool} {order.worker or order.replicas}")
        self.ordered_at = self.machine.now
        if order.sets_count or order.kind in (OrderKind.PAUSE, OrderKind.RESUME):
            self.orders = [o for o in self.orders if o.order.pool != order.pool or not fresh.replaces(o)]
        if order.kind is not OrderKind.RESUME:
            self.orders.append(fresh)

    def set_health(self, health: Health, broker: Broker | None = None) -> None:
        """A broker goes away, or comes back; by default the first."""
        (broker or self.broker).health = health
        self.flower.listen_to_all()
        self._feed()

    def calm(self) -> None:
        """Everything that is wrong with the neighbours is over; what they have done remains."""
        self.docker.trouble, self.flower.trouble, self.curse = Trouble(), FlowerTrouble(), Curse()
        self.disk_full = False
        for broker in self.brokers.values():
            broker.latency = 0.0
            self.set_health(Health.UP, broker)
        self.flower.listen_to_all()
        for worker in list(self.workers()):
            if worker.temper.swallows_sigterm or worker.temper.never_ready:
                worker.sigkill("the operator ends workers that cannot end themselves")
            elif worker.hung:
                worker.wake()

    def _looks_after(self, broker: Broker) -> bool:
        return any(w.state == "ready" and not w.hung and w.broker is broker for w in self.workers())

    def _read(self, broker: str, queue: str) -> None:
        self.depth_read[broker, queue] = self.machine.now

    def _read_old(self, queue: str, since: float) -> None:
        """Old pages can be told from new ones once the heartbeats on them have stood still for a while, in one life."""
        if self.machine.now - max(since, self.life_of(self.process).born) < FOUND_OUT_SECONDS:
            self._read(self.broker.name, queue)

    def _feed(self) -> None:
        for worker in list(self.workers()):
            worker.pull()

    def _hire(self, box: Box) -> Worker:
        self._hired += 1
        dice, story, curse = self.dice(f"worker {self._hired}"), self.story, self.curse
        temper = Temper(
            boot_seconds=dice.uniform(*story.boot_seconds) + curse.slow,
            leave_seconds=dice.uniform(0.1, 2.5),
            prefetch=story.prefetch,
            dies_at_boot=curse.dies_at_boot,
            never_ready=curse.never_ready,
            swallows_sigterm=curse.swallows_sigterm,
        )
        queues = tuple(box.environment.get("CELERY_QUEUES", "").split(","))
        slots = int(box.environment.get("CELERY_AUTOSCALE", "1").partition(",")[0])
        address = box.environment.get("CELERY_BROKER_URL", "")
        broker = next((b for b in self.brokers.values() if f"@{b.name}:" in address), self.broker)
        worker = Worker(self.machine, self.ledger, broker, name=box.name, queues=queues, slots=slots, temper=temper)
        worker.on_change = lambda: self.flower.listen(worker)
        return worker

    def metrics_page(self) -> str:
        """What Prometheus would scrape now."""
        life = self.life
        page: bytes = life.doors.metrics("")[0] if life and life.doors else b""
        return page.decode()

    # -------------------------------------------------------- judgement

    def fail(self, invariant: str, text: str) -> None:
        """Something that must hold does not; the story ends here."""
        violation = f"{invariant} at {self.machine.now:.2f} s: {text}"
        self.note(f"!! {violation}")
        self.violations.append(violation)
        self.machine.stopped = True

    def note(self, text: str) -> None:
        """For those who read the story."""
        if self.tell:
            self.tell(f"{self.machine.now:8.2f}  {text}")


__all__ = ["CANARY", "Life", "Watcher", "World"]
