"""What a Redis says of itself in `INFO`: how many commands it has served, and whether it takes writes at all. Pure.

`broker_redis.py` asks, rarely: a metered Redis bills that question like any other. Reading queues works on a replica and on a Redis
that is full, where every worker would die; only here such a one shows itself before its first victim does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autoscaler.model import Health
from autoscaler.model.health import REMEDY


@dataclass(frozen=True, slots=True)
class State:
    """One answer to `INFO`."""

    commands: int | None
    """Commands processed since the server's start, those inside scripts included; None where it does not say."""
    run: str
    """Which start of the server that is."""
    health: Health
    detail: str
    """In words what is wrong; empty when it serves."""


def state_of(info: bytes) -> State:
    """The answer read; what it leaves out is unknown, and no trouble.

    >>> state_of(b"# Stats\\r\\ntotal_commands_processed:7\\r\\nrun_id:ab\\r\\nrole:master\\r\\n")
    State(commands=7, run='ab', health=<Health.UP: 'up'>, detail='')
    """
    told = lines_of(info)
    health, detail = _trouble(told)
    return State(number(told, "total_commands_processed"), told.get("run_id", ""), health, detail)


def lines_of(info: bytes) -> dict[str, str]:
    """What stands in an answer to `INFO`, by the names that Redis gives it."""
    lines = info.decode(errors="replace").splitlines()
    return {key: value for key, colon, value in (line.partition(":") for line in lines) if colon}


def number(told: Mapping[str, str], key: str) -> int | None:
    """A count of it, None where a host leaves it out."""
    text = told.get(key, "")
    return int(text) if text.isdigit() else None


def _trouble(told: Mapping[str, str]) -> tuple[Health, str]:
    if told.get("role") == "slave" and told.get("slave_read_only", "1") == "1":
        return Health.READ_ONLY, "is a replica and takes no writes: give the address of the primary"
    if told.get("loading") == "1":
        return Health.LOADING, REMEDY[Health.LOADING]
    used, most = (number(told, key) or 0 for key in ("used_memory", "maxmemory"))
    if 0 < most <= used and told.get("maxmemory_policy") == "noeviction":
        return Health.FULL, REMEDY[Health.FULL]
    return Health.UP, ""
