"""What a fleet can do: list, start, stop and remove workers. One contract test suite holds every fleet to it.

Workers that carry another instance's label, or none, are never listed and never touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from autoscaler.config.worker import WorkerSpec
from autoscaler.model import Container, Exit, Host


class Fleet(Protocol):
    """The engine behind the loop's hands."""

    def containers(self) -> tuple[Container, ...]:
        """Every worker of this instance, ended ones included, with one call to the engine; raises FleetUnreachable."""

    def host(self) -> Host | None:
        """The machine that the workers share, None where limits mean nothing to this fleet; raises FleetUnreachable."""

    def start(self, name: str, pool: str, worker: WorkerSpec, environment: Mapping[str, str], broker: str = "") -> None:
        """Create and start one worker; nothing is left behind when that fails. Raises StartRefused, FleetUnreachable.

        Starting a name that this instance already runs is not an error: a call whose answer was lost may have worked.
        `broker` is the name of the one that it serves, which every later list tells again.
        """

    def stop(self, container_id: str, *, kill: bool = False) -> None:
        """Send the stop signal (or SIGKILL) and return at once, without waiting for the exit; raises ContainerGone."""

    def last_words(self, container_id: str) -> tuple[str, ...]:
        """The last lines of a worker's log, running or ended; none where the log cannot be read. Raises ContainerGone."""

    def remove(self, container_id: str) -> Exit:
        """Remove a worker that has ended or never started, after reading how it ended; never a running one. Raises ContainerGone."""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """A broker that workers are started for."""

    name: str
    url: str = field(repr=False)


def replica_environment(name: str, pool: str, broker_url: str | None) -> dict[str, str]:
    """What every worker gets beside its own environment: its node name, and the broker it was started for.

    The worker's own `environment:` wins over the broker's address, never over the name.
    """
    own = {"CELERY_WORKER_HOSTNAME": f"celery@{name}", "AUTOSCALER_REPLICA": name, "AUTOSCALER_POOL": pool}
    return own | ({"CELERY_BROKER_URL": broker_url, "REDIS_URL": broker_url} if broker_url else {})
