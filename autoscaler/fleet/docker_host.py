"""The machine under a Docker engine: its memory and processors, and what containers of others may take of its memory.

`DockerFleet.host` asks now and then. A list of containers says nothing about limits, so each foreign container is inspected once and
its limit remembered for as long as it is listed; workers of another autoscaler carry theirs as labels. Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from autoscaler.errors import FleetUnreachable
from autoscaler.fleet.docker_engine import Engine, Question
from autoscaler.fleet.docker_entry import need_of
from autoscaler.fleet.docker_spec import INSTANCE
from autoscaler.model import Host

INSPECTED_MAX = 100
"""Foreign containers that one look inspects; on a fuller host the next looks go on with the others."""


class HostLook:
    """Asks one engine about its machine; what foreign containers may take is remembered by their id."""

    def __init__(self, engine: Engine, instance: str) -> None:
        self._engine, self._instance = engine, instance
        self._limits: Mapping[str, int] = {}

    def look(self) -> Host | None:
        """What the engine says now; None where it does not know its machine. Raises FleetUnreachable, also where a proxy forbids it."""
        answer = self._engine.ask(Question("GET", "/info"))
        if answer.status != 200:
            raise FleetUnreachable(f"the Docker engine does not tell of its host: {answer.words}")
        try:
            memory, cpus = int(answer.value["MemTotal"]), int(answer.value["NCPU"])
        except (KeyError, TypeError, ValueError) as error:
            raise FleetUnreachable(f"the Docker engine's word about its host cannot be read: {error!r}") from error
        return Host(memory, cpus, self._others()) if memory > 0 and cpus > 0 else None

    def _others(self) -> int:
        """Memory that running containers which are not ours may take by their limits, as far as that can be seen."""
        try:
            listed = self._engine.ask(Question("GET", "/containers/json")).value
            foreign = {entry["Id"]: entry["Labels"] or {} for entry in listed if (entry["Labels"] or {}).get(INSTANCE) != self._instance}
            known = {key: limit for key, limit in self._limits.items() if key in foreign}
            unknown = [key for key in foreign if key not in known][:INSPECTED_MAX]
            self._limits = known | {key: self._limit(key, foreign[key]) for key in unknown}
        except (FleetUnreachable, KeyError, TypeError):
            pass  # what was known before is a better guess than none
        return sum(self._limits.values())

    def _limit(self, container_id: str, labels: Mapping[str, str]) -> int:
        """Bytes that this container may take, 0 where it has no limit or is gone."""
        if labelled := need_of(labels):
            return labelled.memory_bytes
        answer = self._engine.ask(Question("GET", f"/containers/{quote(container_id)}/json"))
        found: dict[str, Any] = answer.value if answer.status == 200 else {}
        return int((found.get("HostConfig") or {}).get("Memory") or 0)
