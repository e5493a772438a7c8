"""The whole of `config.yaml` as one frozen value: names as in the file, values in base units (seconds, bytes).

`Settings` is what the rest of the house is built from; `Settings.policies(now)` is the part that decisions need.
The docstring and the examples of a key are its page in the reference, its help in the editor and the hint in its error.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from autoscaler.config.neighbours import ApiSettings, BrokerSettings, FleetSettings, FlowerSettings, LogSettings
from autoscaler.config.notify import NotifySettings
from autoscaler.config.part import Name, Part
from autoscaler.config.pools import PoolSettings
from autoscaler.config.units import AutoDuration, Duration, Flag, Whole, whole, within
from autoscaler.model import Policies
from autoscaler.model.spending import Budget

__all__ = ["ApiSettings", "BrokerSettings", "FleetSettings", "FlowerSettings", "LogSettings", "NotifySettings", "PoolSettings", "Settings"]


class Settings(Part):
    """A whole `config.yaml`."""

    version: Annotated[Literal[1], BeforeValidator(whole)] = Field(1, examples=[1])
    """Version of this format; 1 is the only one."""
    instance: Name = Field("autoscaler", examples=["autoscaler"])
    """Name of this autoscaler. Workers carry it as a label and in their names; workers of other instances are never touched."""
    interval: Annotated[Duration, within("100ms", "5m")] = Field(2.0, examples=["2s"])
    """How often to look and decide."""
    idle_interval: AutoDuration = Field(None, examples=["auto"])
    """The same while every pool is idle. `auto`: as `interval`, but a broker with a `budget` is looked at only as often as that allows.
    A wake cuts it short."""
    dry_run: Flag = Field(False, examples=[True])
    """Decide and report, but change nothing."""
    max_replicas: Whole = Field(20, ge=0, examples=[20])
    """Ceiling over the workers of all pools on this host. The host's memory and processors are another, by the limits of the workers."""
    state: str = Field("./state", min_length=1, examples=["/var/lib/autoscaler"])
    """Folder of the journal and the lock; put it on a volume."""
    flower: FlowerSettings
    """Where Flower is and how to speak to it."""
    depth_from: Literal["auto", "flower", "broker"] = Field("auto", examples=["auto"])
    """Who says how many tasks wait. `auto`: Flower for the queues it lists, the broker for the rest; the brokers alone where there
    are several, where a `budget` counts their commands, or where Flower is not `enabled`."""
    brokers: tuple[BrokerSettings, ...] = ()
    """Brokers to read directly. Optional, but Flower does not list a queue that nobody consumes: without a broker such a queue cannot
    be seen."""
    fleet: FleetSettings = FleetSettings()
    """Where workers run."""
    api: ApiSettings = ApiSettings()
    """The page, the API and the metrics."""
    log: LogSettings = LogSettings()
    """How much is logged and in which form."""
    notify: NotifySettings = NotifySettings()
    """Who is told of trouble by mail, chat or push. Prometheus alerts need nothing of this."""
    pools: dict[Name, PoolSettings] = Field(min_length=1)
    """The groups of workers, by name (a-z, 0-9, - and _)."""
    hash: str = Field("", exclude=True, json_schema_extra={"internal": True})
    """First 12 hex digits of the SHA-256 of the file; set by the loader, never in the file."""

    @property
    def usable_brokers(self) -> tuple[BrokerSettings, ...]:
        """Those that are enabled and have an address, the preferred one first."""
        return tuple(b for b in self.brokers if b.enabled and b.url.get_secret_value())

    @property
    def home_broker(self) -> BrokerSettings | None:
        """The broker that workers are started for as long as it serves: the first usable one."""
        return next(iter(self.usable_brokers), None)

    @property
    def visibility_timeout(self) -> float | None:
        """The shortest time after which one of the brokers gives an unacknowledged task to a second worker, None where none does."""
        kinds = ("redis", "rediss", "unix", "sentinel", "sqs")
        times = [b.visibility_timeout for b in self.usable_brokers if b.url.get_secret_value().partition(":")[0].partition("+")[0] in kinds]
        return min(times, default=None)

    @property
    def depths(self) -> Literal["auto", "flower", "broker"]:
        """Who says how many tasks wait, `auto` resolved as far as it can be without looking.

        Flower knows one broker, and reading it for Flower's answer costs several commands a look: so the brokers alone are asked
        where there are several, where a budget counts their commands, and where there is no Flower.
        """
        counts = not self.flower.enabled or len(self.usable_brokers) > 1 or any(b.budget for b in self.usable_brokers)
        return "broker" if self.depth_from == "auto" and counts else self.depth_from

    def policies(self, now: float) -> Policies:
        """The part that decisions are made with, with the schedules that hold now."""
        pools = {name: pool.policy(name, now, self.visibility_timeout) for name, pool in self.pools.items()}
        return Policies(
            self.instance,
            self.interval,
            self.max_replicas,
            pools,
            self.hash,
            brokers=tuple(b.name for b in self.usable_brokers),
            budgets={b.name: Budget(b.budget.commands, b.budget.period, b.on_exhausted == "stop") for b in self.usable_brokers if b.budget},
            wakes=bool(self.api.wake_tokens),
            idle_interval_seconds=self.idle_interval,
        )
