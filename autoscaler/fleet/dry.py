"""A fleet that only looks: dry run is who stands at the door, not a flag that every caller has to remember.

Listing goes through to the real fleet, so that plans are made on what is there; everything else says what it would have done.
"""

from __future__ import annotations

from collections.abc import Mapping

from autoscaler.config.worker import WorkerSpec
from autoscaler.errors import DryRun
from autoscaler.fleet.contract import Fleet
from autoscaler.model import Container, Exit, Host


class DryFleet:
    """Shows what the inner fleet has and changes nothing."""

    def __init__(self, inner: Fleet) -> None:
        self._inner = inner

    def containers(self) -> tuple[Container, ...]:
        """What is really there."""
        return self._inner.containers()

    def host(self) -> Host | None:
        """What it really is."""
        return self._inner.host()

    def start(self, name: str, pool: str, worker: WorkerSpec, environment: Mapping[str, str], broker: str = "") -> None:
        """Say what would be started."""
        what = worker.image or "its command"
        raise DryRun(f"would start {name} for pool {pool} from {what}")

    def stop(self, container_id: str, *, kill: bool = False) -> None:
        """Say what would be stopped."""
        raise DryRun(f"would {'kill' if kill else 'stop'} {container_id}")

    def last_words(self, container_id: str) -> tuple[str, ...]:
        """What it really said last."""
        return self._inner.last_words(container_id)

    def remove(self, container_id: str) -> Exit:
        """Say what would be removed."""
        raise DryRun(f"would remove {container_id}")
