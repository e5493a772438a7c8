"""One entry of the engine's list of containers as a `Container`.

The list is the only thing that is asked for in each tick, so all that is read here stands in it: no container is inspected.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from autoscaler.fleet.docker_spec import BROKER, CPUS, IMAGE, MEMORY, METRICS_PORT, POOL, SPEC
from autoscaler.model import Container, ContainerState, Need

_STATES = {"created": ContainerState.CREATED} | dict.fromkeys(("exited", "dead", "removing"), ContainerState.EXITED)
_EXITED = re.compile(r"Exited \((-?\d+)\)")


def container_of(entry: Mapping[str, Any]) -> Container:
    """The container that this entry tells of; a KeyError or TypeError when it is no entry of such a list."""
    labels = entry["Labels"]
    # A state that is not known here (paused, restarting, one of tomorrow) has a process that may hold a task.
    state = _STATES.get(entry["State"], ContainerState.RUNNING)
    return Container(
        id=entry["Id"],
        name=entry["Names"][0].lstrip("/"),
        pool=labels[POOL],
        state=state,
        created_at=float(entry["Created"]),
        spec=labels.get(SPEC, ""),
        exit_code=exit_code(entry.get("Status", "")) if state is ContainerState.EXITED else None,
        metrics=_metrics(entry, labels.get(METRICS_PORT)) if state is ContainerState.RUNNING else None,
        image_moved=_image_moved(entry, labels.get(IMAGE)),
        broker=labels.get(BROKER, ""),
        need=need_of(labels),
    )


def need_of(labels: Mapping[str, str]) -> Need | None:
    """What a worker takes of the room on its host, None where its labels do not tell: an earlier version made it.

    >>> need_of({"autoscaler.memory": "536870912", "autoscaler.cpus": "0.5"}), need_of({"team": "search"})
    (Need(memory_bytes=536870912, cpus=0.5), None)
    """
    try:
        return Need(int(labels[MEMORY]), float(labels[CPUS]))
    except (KeyError, ValueError):
        return None


def _image_moved(entry: Mapping[str, Any], asked_for: str | None) -> bool:
    """Whether the name that the image was asked for by stands for another image by now.

    The engine then shows the container's image by its id. It does so, too, when the name is gone; then a new start will say that.
    """
    return bool(asked_for) and asked_for != entry.get("Image") == entry.get("ImageID")


def exit_code(status: str) -> int | None:
    """The code in a status text, the only place of a list where it stands.

    >>> exit_code("Exited (137) 3 seconds ago")
    137
    """
    found = _EXITED.match(status)
    return int(found[1]) if found else None


def _metrics(entry: Mapping[str, Any], port: str | None) -> str | None:
    """Address of the worker's own page in its first network, else in any; none where it has no address of its own."""
    if not port:
        return None
    networks = (entry.get("NetworkSettings") or {}).get("Networks") or {}
    first = (entry.get("HostConfig") or {}).get("NetworkMode")
    for _, network in sorted(networks.items(), key=lambda item: (item[0] != first, item[0])):
        if address := network.get("IPAddress"):
            return f"{address}:{port}"
        if address := network.get("GlobalIPv6Address"):
            return f"[{address}]:{port}"
    return None
