"""The one immutable value that every reader outside the loop gets: the latest record and what surrounds it.

The loop assigns a new snapshot after each tick; web threads and the metrics collector only ever read the reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autoscaler.model import Memory, Policies, Record


@dataclass(frozen=True, slots=True)
class ConfigState:
    """Which configuration is in force, and what is wrong with the newest one."""

    hash: str
    loaded_at: float
    problems: tuple[str, ...] = ()
    """`file:line:col: path: message` of a refused edit; empty when the file is in force."""
    needs_restart: tuple[str, ...] = ()
    """Keys whose new value waits for a restart."""
    not_in_force: tuple[str, ...] = ()
    """Keys that are accepted but whose behaviour this version does not have, in words."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that can be told about the daemon between two ticks."""

    started_at: float
    policies: Policies
    config: ConfigState
    memory: Memory = field(default_factory=Memory)
    record: Record | None = None
    """None until the first tick is over."""
    tick_seconds: float = 0.0
    dry_run: bool = False
    standby: str = ""
    """Who is in charge instead of this one, in words; empty where this one is."""
    active_broker: str | None = None
    metrics_targets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """pool -> `host:port` of its workers' own pages, for Prometheus service discovery."""
    journal_errors: int = 0
    bugs: tuple[str, ...] = ()
    """What went wrong in the last tick by a bug of ours, in words."""
