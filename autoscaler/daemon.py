"""The composition root: builds the rooms from the settings, runs the loop, and takes everything down again.

Three verbs: `startup`, `run`, `shutdown`. Stopping the daemon never stops a worker: the next start adopts them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from autoscaler.assemble import api_keys, broker_addresses, build_fleet, build_sources, metrics_targets, patience_seconds, worker_specs
from autoscaler.clock import SystemClock
from autoscaler.config.changes import Change, ConfigFile
from autoscaler.config.in_force import not_in_force
from autoscaler.config.models import Settings
from autoscaler.desk import FILE as ORDERS_FILE
from autoscaler.desk import Desk, EyesWithOrders
from autoscaler.fleet.hands import Hands
from autoscaler.lock import StateLock
from autoscaler.loop import Reporter, tick
from autoscaler.model import Memory, Record
from autoscaler.model.moment import shifted
from autoscaler.policy.looks import pauses, tick_seconds
from autoscaler.policy.memory import resume
from autoscaler.pulse import Pulse
from autoscaler.report.journal import Journal
from autoscaler.report.log import LogReporter, configure_logging
from autoscaler.report.metrics import Metrics
from autoscaler.report.notify import Notifier
from autoscaler.report.snapshot import ConfigState, Snapshot
from autoscaler.sources.eyes import Eyes
from autoscaler.sources.flower_tasks import RunningTasks
from autoscaler.standby import Standby
from autoscaler.web.app import Doors, build_app
from autoscaler.web.server import Server

SEEN_BY = ("flower", "brokers", "depth_from", "interval")
"""Parts of the settings that the eyes are built from."""


class Daemon:
    """One running autoscaler."""

    def __init__(self, config: Path, env: Mapping[str, str], *, dry_run: bool = False) -> None:
        self.clock = SystemClock()
        self._forced_dry_run = dry_run
        self._file = ConfigFile(config, env)
        self.settings = self._file.settings
        self._log = structlog.get_logger("autoscaler")
        self._started_at = self.clock.now()
        self._config_loaded_at = self._started_at
        self._problems: tuple[str, ...] = ()
        self._needs_restart: tuple[str, ...] = ()
        self._pulse = Pulse()
        self._pause = self.settings.interval
        self._record: Record | None = None
        self._policies = self.settings.policies(self._started_at)
        """As they were in the latest tick."""
        self._memory = Memory()
        self.snapshot = self._snapshot(0.0)

    # ------------------------------------------------------------ startup

    def startup(self, *, standby: bool = False) -> bool:
        """Take the lock, open the journal, build eyes and hands, serve the API. Raises LockHeld, OSError.

        With `standby` a lock that another one holds is waited for; False when told to stop before it was free.
        """
        configure_logging(self.settings.log, secrets=_secrets(self.settings))
        state = Path(self.settings.state)
        lock = Standby(self.settings, self.snapshot, self.clock).lock(state) if standby else StateLock(state)
        if lock is None:
            return False
        self._lock = lock
        self._pulse.mark()
        self.clock.jumped()  # whoever was in charge until now has followed a clock that was set
        self._take_charge(self.settings, state)
        return True

    def _take_charge(self, settings: Settings, state: Path) -> None:
        """With the lock held."""
        self._journal = Journal(state / "journal.sqlite3")
        self._desk = Desk(state / ORDERS_FILE, self._journal.note, self.clock.nudge)
        kept = self._journal.load_memory()
        self._memory = resume(kept[0]) if kept else Memory()
        self._fleet = build_fleet(settings, dry_run=self._dry_run)
        self._sources = build_sources(settings)
        self._eyes = Eyes(
            self._fleet.containers,
            self._sources,
            depth_from=settings.depths,
            max_age_seconds=settings.flower.max_age,
            patience_seconds=patience_seconds(settings),
        )
        self._eyes.watch_host(self._fleet.host)
        self._hands = Hands(self._fleet, patience_seconds=patience_seconds(settings))
        self._configure_hands()
        self._metrics = Metrics(lambda: self.snapshot)
        self._notifier = Notifier(settings.notify, settings.instance)
        self._reporters: tuple[Reporter, ...] = (
            self._journal.record,
            self._metrics.record,
            LogReporter(),
            self._desk.follow,
            self._notifier.record,
        )
        app = build_app(self._doors())
        self._server = Server(app, settings.api.listen, leaving=app.state.stream.close)
        self._server.start()
        self._announce(kept is not None)

    def _announce(self, remembered: bool) -> None:
        settings = self.settings
        self._log.info(
            "autoscaler started",
            pools=list(settings.pools),
            fleet=settings.fleet.type,
            dry_run=self._dry_run,
            listen=settings.api.listen,
            memory="from the journal" if remembered else "none: windows begin with what runs now",
        )
        for text in not_in_force(settings):
            self._log.warning("not in force", what=text)

    @property
    def _dry_run(self) -> bool:
        return self._forced_dry_run or self.settings.dry_run

    def _doors(self) -> Doors:
        return Doors(
            snapshot=lambda: self.snapshot,
            metrics=self._metrics.render,
            decisions=self._journal.decisions,
            history=self._journal.ticks,
            news=self._journal.news,
            give=self._desk.give,
            standing=lambda: self._desk.standing,
            ordered=self._journal.orders,
            reload=self._desk.pass_on,
            alive=self.alive,
            keys=lambda: api_keys(self.settings.api.tokens),
            wake_keys=lambda: api_keys(self.settings.api.wake_tokens),
            allowed_hosts=lambda: self.settings.api.allowed_hosts,
            counted=self._metrics.count_request,
        )

    # ------------------------------------------------------------ run

    def run(self, *, once: bool = False) -> int:
        """Tick until asked to stop; returns the exit code."""
        while True:
            began = time.monotonic()
            self._one_tick()
            failed = bool(self._pulse.bugs)
            if once or self._pulse.gives_up():
                return 1 if failed else 0
            self._pause = self.settings.interval if failed else tick_seconds(self.snapshot.policies, self._record)
            if not self.clock.wait(began + self._pause):
                return 0

    def _one_tick(self) -> None:
        began = time.monotonic()
        done = self._pulse.beat(self._follow_and_tick)
        seconds = time.monotonic() - began
        self.snapshot = self._snapshot(seconds)
        if done:
            self._metrics.observe_tick(seconds)
            self._pulse.tell(self._reporters, *done)

    def _follow_and_tick(self) -> tuple[Record, Memory]:
        """A tick under the settings and by the clock as they are now; nothing is kept of one that fails."""
        self._take_up(self._file.refresh())
        self._follow_clock(self.clock.jumped())
        now = self.clock.now()
        policies = self.settings.policies(now)
        self._eyes.rest(pauses(policies, self._memory, self._record, self._desk.standing, now))
        record, memory = tick(policies, self._memory, EyesWithOrders(self._eyes, self._desk), self._hands, now)
        self._record, self._memory, self._policies = record, memory, policies
        return record, memory

    def _take_up(self, change: Change) -> None:
        """Put an edited configuration in force, whole, or say once why it was refused."""
        self._problems, self._needs_restart = change.problems, change.needs_restart
        if change.news:
            self._tell_news(change)
        if change.changed:
            old, self.settings = self.settings, change.settings
            self._config_loaded_at = self.clock.now()
            self._rebuild(old)

    def _follow_clock(self, jump: float) -> None:
        """Move everything remembered along with a wall clock that was set, so that no window, drain or start looks older or younger."""
        if jump:
            self._log.warning("the wall clock was set: windows, drains, starts and orders keep their ages", by_seconds=round(jump, 1))
            self._memory = shifted(self._memory, jump)
            self._desk.shift(jump)
            self._eyes.shift(jump)

    def _tell_news(self, change: Change) -> None:
        for problem in change.problems:
            self._log.error("configuration refused, the old one stays in force", problem=problem)
        if change.changed:
            self._log.info("configuration in force", hash=change.settings.hash, changes=list(change.diff))
        for key in change.needs_restart:
            self._log.warning("this change needs a restart", key=key)

    def _rebuild(self, old: Settings) -> None:
        """What depends on the settings, built anew between two ticks; what did not change is left alone."""
        settings = self.settings
        configure_logging(settings.log, secrets=_secrets(settings))
        if any(getattr(old, part) != getattr(settings, part) for part in SEEN_BY):
            self._sources = build_sources(settings)
            self._eyes.configure(
                self._sources,
                depth_from=settings.depths,
                max_age_seconds=settings.flower.max_age,
                patience_seconds=patience_seconds(settings),
            )
        if old.dry_run != settings.dry_run:
            self._fleet = build_fleet(settings, dry_run=self._dry_run)
        self._configure_hands()
        self._notifier.configure(settings.notify)

    def _configure_hands(self) -> None:
        asking = RunningTasks(self.settings.flower)
        self._hands.configure(worker_specs(self.settings), broker_addresses(self.settings), self._fleet, asking)

    def _active_broker(self) -> str | None:
        """As last decided; before that, the first that is usable."""
        home = self.settings.home_broker
        decided = self._record.decision.brokers.active if self._record else ""
        return decided or (home.name if home else None)

    def _snapshot(self, tick_seconds: float) -> Snapshot:
        return Snapshot(
            started_at=self._started_at,
            policies=self._policies,
            config=ConfigState(
                self.settings.hash, self._config_loaded_at, self._problems, self._needs_restart, not_in_force(self.settings)
            ),
            memory=self._memory,
            record=self._record,
            tick_seconds=tick_seconds,
            dry_run=self._dry_run,
            active_broker=self._active_broker(),
            metrics_targets=metrics_targets(self._record),
            journal_errors=self._journal.errors if self._record else 0,
            bugs=self._pulse.bugs,
        )

    def alive(self) -> tuple[bool, str]:
        """Whether the loop still ticks; never depends on Flower, the broker or the engine."""
        return self._pulse.alive(self._pause + 2 * self.settings.interval + 10.0)

    # ------------------------------------------------------------ shutdown

    def shutdown(self) -> None:
        """Stop telling and seeing within a few seconds; the workers are left running."""
        steps: tuple[Callable[[], None], ...] = (
            self._server.stop,
            self._eyes.close,
            self._hands.close,
            self._notifier.close,
            self._journal.close,
            self._lock.release,
        )
        self._log.info("autoscaler stopped, the workers are left running")
        for step in steps:
            try:
                step()
            except Exception:
                self._log.exception("shutdown step failed", step=step.__qualname__)


def _secrets(settings: Settings) -> tuple[str, ...]:
    """Every secret value of the configuration, so that none can reach a log line."""
    tokens = (token.secret for token in (*settings.api.tokens, *settings.api.wake_tokens))
    hidden = [settings.flower.password, settings.flower.token, *tokens, *(b.url for b in settings.brokers), *settings.notify.urls]
    return tuple(value for secret in hidden if secret and (value := secret.get_secret_value()))
