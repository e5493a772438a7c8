"""The whole of `config.yaml` as frozen models: names as in the file, values in base units (seconds, bytes).

`Settings` is what the rest of the house is built from; `Settings.policies()` is the part that decisions need.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, WithJsonSchema, model_validator

from autoscaler.config.units import Duration
from autoscaler.config.worker import Part, WorkerSpec
from autoscaler.model import Damping, Policies, PoolPolicy, Thresholds

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def _name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError(f"{value!r} cannot be a name: use a-z, 0-9, - and _, at most 40 characters, starting with a letter or digit")
    return value


Name = Annotated[str, AfterValidator(_name)]


class FlowerSettings(Part):
    """Where Flower is and how to speak to it."""

    url: str
    username: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = None
    timeout: Duration = 5.0
    max_age: Duration = 60.0


class Budget(Part):
    """Commands that the whole fleet may use in a period."""

    commands: int = Field(gt=0)
    period: Literal["day", "month"]


def _budget(value: Any) -> Any:
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+)\s*/\s*(day|month)", value.strip())
        if not match:
            raise ValueError(f"{value!r} is not a budget: write it like 500000/month or 10000/day")
        return {"commands": int(match[1]), "period": match[2]}
    return value


class BrokerSettings(Part):
    """A broker that is read directly and that workers are started for."""

    name: Name
    url: SecretStr
    budget: Annotated[Budget, BeforeValidator(_budget), WithJsonSchema({"type": "string", "pattern": r"^\d+\s*/\s*(day|month)$"})] | None = None
    enabled: bool = True
    timeout: Duration = 5.0
    global_keyprefix: str = ""
    priority_steps: tuple[int, ...] = (0, 3, 6, 9)
    sep: str = "\x06\x16"
    unacked_key: str = "unacked"


class FleetSettings(Part):
    """Where workers run."""

    type: Literal["docker", "swarm", "process"] = "docker"
    host: str = "unix:///var/run/docker.sock"
    timeout: Duration = 30.0


class ApiSettings(Part):
    """The HTTP side: where to listen and which tokens may change things."""

    listen: str = "127.0.0.1:8090"
    tokens: tuple[SecretStr, ...] = ()


class LogSettings(Part):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class ReplicaBounds(Part):
    min: int = Field(0, ge=0)
    max: int = Field(ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> ReplicaBounds:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is greater than max ({self.max})")
        return self


class ThresholdSettings(Part):
    """Sizing by the number of tasks that may wait."""

    up: int = Field(0, ge=0)
    max_wait: Duration = 15.0
    down: int = Field(0, ge=0)


def _max_step(value: Any) -> Any:
    if value is None or value == "none":
        return None
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?%", value):
        if float(value[:-1]) > 0:
            return value
    elif isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise ValueError(f"{value!r} is not a step: write a number of replicas like 2, a share like 100%, or none")


MaxStep = Annotated[
    int | str | None,
    BeforeValidator(_max_step),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^(none|\d+(\.\d+)?%)$"}]}),
]
Stabilization = Annotated[
    Duration | None,
    BeforeValidator(lambda v: None if v == "auto" else v),
    WithJsonSchema({"type": "string", "examples": ["auto", "30s"]}),
]


class DampingSettings(Part):
    """How one direction is slowed down."""

    max_step: MaxStep = None
    cooldown: Duration = 0.0
    stabilization: Stabilization = None

    def damping(self) -> Damping:
        """The same in the policy's words."""
        step = self.max_step
        percent = float(step[:-1]) if isinstance(step, str) else None
        return Damping(step if isinstance(step, int) else None, percent, self.cooldown, self.stabilization)


class UpSettings(DampingSettings):
    stabilization: Stabilization = 0.0


class DownSettings(DampingSettings):
    max_step: MaxStep = "100%"


class Schedule(Part):
    """Bounds that hold for a while, at times given by a cron line."""

    cron: str
    duration: Duration = Field(gt=0)
    timezone: str = "UTC"
    min: int | None = Field(None, ge=0)
    max: int | None = Field(None, ge=0)


class DrainSettings(Part):
    timeout: Duration = 1800.0
    on_timeout: Literal["wait", "kill"] = "wait"


class StartSettings(Part):
    timeout: Duration = 60.0


class PoolSettings(Part):
    """A named group of identical workers that consume a set of queues."""

    queues: tuple[str, ...] = Field(min_length=1)
    replicas: ReplicaBounds
    slots: int = Field(1, ge=1)
    thresholds: ThresholdSettings | None = None
    target_wait: Duration | None = None
    backlog_per_replica: float | None = Field(None, gt=0)
    spare: int = Field(0, ge=0)
    scale_up: UpSettings = UpSettings()
    scale_down: DownSettings = DownSettings()
    schedules: tuple[Schedule, ...] = ()
    drain: DrainSettings = DrainSettings()
    start: StartSettings = StartSettings()
    worker: WorkerSpec

    @model_validator(mode="after")
    def _one_sizing(self) -> PoolSettings:
        ways = [w for w in ("thresholds", "target_wait", "backlog_per_replica") if getattr(self, w) is not None]
        if len(ways) > 1:
            raise ValueError(f"{' and '.join(ways)} are different ways to size a pool: keep one of them")
        return self

    def policy(self, name: str) -> PoolPolicy:
        """The same in the policy's words."""
        sizing = self.thresholds or ThresholdSettings()
        return PoolPolicy(
            name=name,
            queues=self.queues,
            replicas_min=self.replicas.min,
            replicas_max=self.replicas.max,
            slots=self.slots,
            thresholds=Thresholds(sizing.up, sizing.max_wait, sizing.down),
            scale_up=self.scale_up.damping(),
            scale_down=self.scale_down.damping(),
            start_timeout_seconds=self.start.timeout,
            drain_timeout_seconds=self.drain.timeout,
            kill_on_drain_timeout=self.drain.on_timeout == "kill",
        )


class Settings(Part):
    """A whole `config.yaml`."""

    version: Literal[1] = 1
    instance: Name = "autoscaler"
    interval: Duration = Field(2.0, ge=0.1, le=300)
    idle_interval: Stabilization = None
    dry_run: bool = False
    max_replicas: int = Field(20, ge=0)
    state: str = "./state"
    flower: FlowerSettings
    depth_from: Literal["auto", "flower", "broker"] = "auto"
    brokers: tuple[BrokerSettings, ...] = ()
    fleet: FleetSettings = FleetSettings()
    api: ApiSettings = ApiSettings()
    log: LogSettings = LogSettings()
    pools: dict[Name, PoolSettings] = Field(min_length=1)
    hash: str = Field("", exclude=True, json_schema_extra={"internal": True})
    """First 12 hex digits of the SHA-256 of the file; set by the loader, not by the user."""

    @property
    def active_broker(self) -> BrokerSettings | None:
        """The broker that workers are started for: the first that is enabled and has an address."""
        return next((b for b in self.brokers if b.enabled and b.url.get_secret_value()), None)

    def policies(self) -> Policies:
        """The part that decisions are made with."""
        pools = {name: pool.policy(name) for name, pool in self.pools.items()}
        return Policies(self.instance, self.interval, self.max_replicas, pools, self.hash)
