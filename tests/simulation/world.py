"""Everything behind the daemon's doors in one place, and the supervisor that starts the daemon again when it ends.

A story says what happens here (`story.py`), faults meddle with it (`faults.py`), `watchers` are told of everything that the
daemon does and judge it (`invariants.py`).
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoscaler.daemon import Daemon
from autoscaler.errors import ConfigError, LockHeld
from autoscaler.model import Decision, Memory, Observation, Policies, Record

from .broker import Broker, Health
from .engine import Box, Change, Docker, Trouble
from .flower import Flower
from .flower import Trouble as FlowerTrouble
from .machine import Killed, Machine, Process
from .story import CANARY, INSTANCE, Story
from .tasks import Ledger
from .worker import Temper, Worker

WALL = 1_700_000_000.0
FOUND_OUT_SECONDS = 16.0
"""It takes so long to find out that Flower repeats old pages."""
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


@dataclass(slots=True)
class Curse:
    """What befalls workers that start from now on."""

    dies_at_boot: bool = False
    never_ready: bool = False
    swallows_sigterm: bool = False
    slow: float = 0.0
    """More seconds until it is ready."""


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
        self.broker = Broker(self.machine, self.ledger, story.visibility_seconds)
        self.docker = Docker(self.machine, self._hire)
        self.flower = Flower(self.machine, self.broker, self.docker, lists_all=story.flower_lists_all, queues=story.queues)
        self.curse = Curse()
        self.config: dict[str, Any] = json.loads(json.dumps(story.config))
        """What stands in the file, as far as it is valid."""
        self.lives: list[Life] = []
        self.dying: dict[Process, list[Callable[[], None]]] = {}
        self.violations: list[str] = []
        self.lines: list[str] = []
        """What the daemon has logged."""
        self.journal_trouble: list[tuple[float, float]] = []
        """Spans of time in which the journal may have lost something."""
        self.depth_read: dict[str, float] = {}
        """Queue -> when somebody last gave its true length."""
        self.changes: list[str] = []
        """Everything that was changed at the engine, in words."""
        self.disk_full = False
        self.crash_at_change: int | None = None
        """Changes that the engine makes until the daemon is killed, after the change and before its answer."""
        self.tell = tell
        self._hired = 0
        self.broker.arrived = self._feed
        self.broker.looked_after = lambda: any(w.state == "ready" and not w.hung for w in self.workers())
        self.docker.watch = self._changed
        self.broker.read = self.flower.read = self._read
        self.flower.read_old = self._read_old

    # -------------------------------------------------------- the daemon and its supervisor

    @property
    def env(self) -> dict[str, str]:
        """The daemon's environment."""
        return {"STATE": str(self.folder / "state")}

    @property
    def life(self) -> Life | None:
        """The daemon that runs now; of several, the one that was first."""
        return next((life for life in self.lives if not life.ended), None)

    def life_of(self, process: Process) -> Life:
        """The life that this process is."""
        return next(life for life in self.lives if life.process is process)

    def boot(self, *, again: bool = True) -> Life:
        """Start a daemon; `again`: it is started anew whenever it ends."""
        life = Life(Process(self.machine, f"daemon {len(self.lives) + 1}"), self.machine.now, again=again)
        self.lives.append(life)

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
            daemon = life.daemon = Daemon(self.folder / "config.yaml", self.env)
            daemon.startup()
        except ConfigError:
            return 78
        except LockHeld:
            return 75
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
            self.machine.later(dice.uniform(*RESTART_SECONDS), self.boot)

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
        """Tasks arrive."""
        for _ in range(count):
            eta = self.machine.now + eta_in if eta_in else None
            self.broker.send(self.ledger.send(queue, runtime, self.machine.now, acks_late=self.story.acks_late, eta=eta))

    def set_health(self, health: Health) -> None:
        """The broker goes away, or comes back."""
        self.broker.health = health
        self.flower.listen_to_all()
        self._feed()

    def calm(self) -> None:
        """Everything that is wrong with the neighbours is over; what they have done remains."""
        self.docker.trouble, self.flower.trouble, self.curse = Trouble(), FlowerTrouble(), Curse()
        self.disk_full = False
        self.broker.latency = 0.0
        self.set_health(Health.UP)
        self.flower.listen_to_all()
        for worker in list(self.workers()):
            if worker.temper.swallows_sigterm or worker.temper.never_ready:
                worker.sigkill("the operator ends workers that cannot end themselves")
            elif worker.hung:
                worker.wake()

    def _read(self, queue: str) -> None:
        self.depth_read[queue] = self.machine.now

    def _read_old(self, queue: str, since: float) -> None:
        """Old pages can be told from new ones once the heartbeats on them have stood still for a while, in one life."""
        if self.machine.now - max(since, self.life_of(self.process).born) < FOUND_OUT_SECONDS:
            self._read(queue)

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
        worker = Worker(self.machine, self.ledger, self.broker, name=box.name, queues=queues, slots=slots, temper=temper)
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
