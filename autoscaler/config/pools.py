"""The parts of one pool: its queues, its bounds, how it is sized and damped, how workers start and leave."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from autoscaler.config.part import Part
from autoscaler.config.units import AutoDuration, Duration, Number, Whole, quoted, within
from autoscaler.config.worker import WorkerSpec
from autoscaler.model import BacklogPerReplica, Damping, PoolPolicy, Sizing, TargetWait, Thresholds


class ReplicaBounds(Part):
    """How many workers a pool may have."""

    min: Whole = Field(0, ge=0, examples=[0])
    """Workers that run even when there is nothing to do; 0 lets the pool scale to zero."""
    max: Whole = Field(ge=0, examples=[10])
    """Workers that the pool never exceeds."""

    @model_validator(mode="after")
    def _ordered(self) -> ReplicaBounds:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is greater than max ({self.max}): lower min or raise max")
        return self


class ThresholdSettings(Part):
    """Sizing by the number of tasks that may wait."""

    up: Whole = Field(0, ge=0, examples=[5])
    """Tasks that may wait, beyond free slots, before workers are added (then as many as needed, at once)."""
    max_wait: Duration = Field(15.0, examples=["15s"])
    """No task waits longer than this only because no more than `up` tasks wait."""
    down: Whole = Field(0, ge=0, examples=[0])
    """Workers are removed only while no more than this many tasks wait."""


def _max_step(value: Any) -> Any:
    if value is None or value == "none":
        return None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?%", value):
        if float(value[:-1]) > 0:
            return value
    elif isinstance(value, (int, str)) and not isinstance(value, bool) and re.fullmatch(r"[1-9][0-9]{0,8}", str(value)):
        return int(value)
    raise ValueError(f"{quoted(value)} is not a step: write a number of workers like 2, a share like 100%, or none")


MaxStep = Annotated[
    int | str | None,
    BeforeValidator(_max_step),
    PlainSerializer(lambda step: "none" if step is None else step, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^(none|\d+(\.\d+)?%)$"}]}),
]


class DampingSettings(Part):
    """How one direction is slowed down."""

    max_step: MaxStep = Field(None, examples=[2])
    """The most workers that one decision, or all within `period`, may add or remove: a number, a share of the present ones (of those
    when the period began) like `50%`, or `none` for no limit."""
    period: Annotated[Duration, within("0s", "30m")] = Field(0.0, examples=["1m"])
    """How long `max_step` counts: no more than that within any stretch of this length. `0s` counts each decision by itself."""
    cooldown: Duration = Field(0.0, examples=["30s"])
    """Pause after a change before the next one in the same direction."""
    stabilization: AutoDuration = Field(None, examples=["1m"])
    """How long a need must hold before it is followed. `auto` is about three times as long as a worker takes to start and stop, at
    least 10s (with a `target_wait` over 10s it falls, to once as long from 30s on), and no slot is kept idle within it that no task is
    expected for soon. A duration keeps all that was needed."""

    def damping(self) -> Damping:
        """The same in the policy's words."""
        step = self.max_step
        percent = float(step[:-1]) if isinstance(step, str) else None
        return Damping(step if isinstance(step, int) else None, percent, self.period, self.cooldown, self.stabilization)


class UpSettings(DampingSettings):
    """How adding workers is slowed down; by default not at all."""

    stabilization: AutoDuration = Field(0.0, examples=["5s"])
    """How long a need must hold before workers are added for it; 0s reacts at once."""


class DownSettings(DampingSettings):
    """How removing workers is slowed down."""

    max_step: MaxStep = Field("100%", examples=[1])
    """The most workers that one decision, or all within `period`, may remove: a number, a share of the present ones (of those when the
    period began) like `50%`, or `none` for no limit."""


def _cron(value: str) -> str:
    try:
        next(CronSim(value, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration) as error:
        raise ValueError(f'{quoted(value)} is not a cron line: write it like "0 8 * * 1-5" (minute hour day month weekday)') from error
    return value


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except Exception as error:  # a dozen kinds, from an odd name to a folder of that name
        raise ValueError(f"{quoted(value)} is not a time zone: write it like Europe/Berlin or UTC") from error
    return value


class Schedule(Part):
    """Bounds that hold for a while, at times given by a cron line."""

    cron: Annotated[str, AfterValidator(_cron)] = Field(examples=["0 8 * * 1-5"])
    """When the bounds begin to hold: minute, hour, day, month, weekday."""
    duration: Annotated[Duration, within("1s", "366d")] = Field(examples=["10h"])
    """How long they hold."""
    timezone: Annotated[str, AfterValidator(_timezone)] = Field("UTC", examples=["Europe/Berlin"])
    """Time zone of the cron line."""
    min: Whole | None = Field(None, ge=0, examples=[2])
    """`replicas.min` meanwhile."""
    max: Whole | None = Field(None, ge=0, examples=[20])
    """`replicas.max` meanwhile."""

    @model_validator(mode="after")
    def _says_something(self) -> Schedule:
        if self.min is None and self.max is None:
            raise ValueError("changes nothing: add min or max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min ({self.min}) is greater than max ({self.max}): lower min or raise max")
        return self


    def began_at(self, now: float) -> float | None:
        """When the window that holds now began, None outside of all windows.

        A window lasts its duration in elapsed time, so in the nights when clocks change it ends an hour earlier or later by the
        wall clock. A time that the change skips begins at the next one that exists, one that comes twice begins once.

        >>> office = Schedule(cron="0 8 * * 1-5", duration="10h", timezone="Europe/Berlin", min=2)
        >>> noon = datetime(2026, 11, 23, 12, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
        >>> (noon - office.began_at(noon)) / 3600, office.began_at(noon - 6 * 3600)
        (4.0, None)
        """
        since = datetime.fromtimestamp(now - self.duration, ZoneInfo(self.timezone))
        latest = None
        for start in CronSim(self.cron, since):
            if start.timestamp() > now:
                break
            latest = start.timestamp()
        return latest


class DrainSettings(Part):
    """How a worker leaves."""

    timeout: Duration = Field(1800.0, examples=["30m"])
    """How long a worker that was told to leave may go on with its tasks."""
    on_timeout: Literal["wait", "kill"] = Field("wait", examples=["wait"])
    """What happens then: `wait` goes on waiting and says so, `kill` ends the worker and loses what it runs."""


class StartSettings(Part):
    """How a worker begins."""

    timeout: Duration = Field(60.0, examples=["60s"])
    """A worker that was not heard by then, though it would have been, is a failed start: it is drained, the next one waits a moment."""


Queue = Annotated[str, Field(min_length=1, max_length=255)]


class PoolSettings(Part):
    """A named group of identical workers that consume a set of queues."""

    queues: tuple[Queue, ...] = Field(min_length=1, examples=[["default"]])
    """Celery queues that the workers of this pool consume. A queue belongs to one pool only."""
    replicas: ReplicaBounds
    """How many workers the pool may have."""
    slots: Whole = Field(1, ge=1, examples=[4])
    """Tasks one worker runs at once: its concurrency, or the larger number of its autoscale option."""
    thresholds: ThresholdSettings | None = None
    """Sizing by the number of tasks that may wait: the simple way, and the default."""
    target_wait: Duration | None = Field(None, examples=["10s"])
    """Instead of `thresholds`: how long a task may wait for a worker."""
    backlog_per_replica: Number | None = Field(None, gt=0, examples=[5])
    """Instead of `thresholds`: waiting tasks per worker."""
    spare: Whole = Field(0, ge=0, examples=[1])
    """Idle workers kept beyond the need."""
    priority: Whole = Field(0, ge=0, examples=[10])
    """Where there is not room for all pools, those of a higher priority get it first, after every pool's `replicas.min`; of equal ones
    the pool with the fewest workers. Nobody that works is sent home for it."""
    scale_up: UpSettings = UpSettings()
    """How adding workers is slowed down; by default not at all: the whole need in one step."""
    scale_down: DownSettings = DownSettings()
    """How removing workers is slowed down."""
    schedules: tuple[Schedule, ...] = ()
    """Bounds that hold at certain times."""
    drain: DrainSettings = DrainSettings()
    """How a worker leaves: it finishes its tasks first."""
    start: StartSettings = StartSettings()
    """How a worker begins."""
    worker: WorkerSpec
    """How to start one worker: keys and meanings of a Compose service. `{name}` in `command` and `environment` stands for the worker's
    name."""

    @model_validator(mode="after")
    def _one_sizing(self) -> PoolSettings:
        ways = [way for way in ("thresholds", "target_wait", "backlog_per_replica") if getattr(self, way) is not None]
        if len(ways) > 1:
            raise ValueError(f"{' and '.join(ways)} are different ways to size a pool: keep one of them")
        return self

    def policy(self, name: str, now: float, visibility_timeout: float | None = None) -> PoolPolicy:
        """The same in the policy's words, with the bounds that hold now; the timeout is the brokers'."""
        low, high, schedule = self.bounds_at(now)
        return PoolPolicy(
            name=name,
            queues=self.queues,
            replicas_min=low,
            replicas_max=high,
            schedule=schedule,
            slots=self.slots,
            sizing=self._sizing(),
            spare=self.spare,
            scale_up=self.scale_up.damping(),
            scale_down=self.scale_down.damping(),
            start_timeout_seconds=self.start.timeout,
            drain_timeout_seconds=self.drain.timeout,
            kill_on_drain_timeout=self.drain.on_timeout == "kill",
            visibility_timeout_seconds=visibility_timeout,
            spec=self.worker.hash,
            priority=self.priority,
            need=self.worker.deploy.resources.need,
        )

    def bounds_at(self, now: float) -> tuple[int, int, str]:
        """min, max and in words the schedules that set them; where several hold, the greatest of each counts."""
        holding = [schedule for schedule in self.schedules if schedule.began_at(now) is not None]
        low = max((s.min for s in holding if s.min is not None), default=self.replicas.min)
        high = max((s.max for s in holding if s.max is not None), default=self.replicas.max)
        return low, max(low, high), "".join(f' by the schedule "{s.cron}"' for s in holding)

    def _sizing(self) -> Sizing:
        if self.target_wait is not None:
            return TargetWait(self.target_wait)
        if self.backlog_per_replica is not None:
            return BacklogPerReplica(self.backlog_per_replica)
        thresholds = self.thresholds or ThresholdSettings()
        return Thresholds(thresholds.up, thresholds.max_wait, thresholds.down)
