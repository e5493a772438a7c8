"""Ways to size a pool, as a grid to try: what each means for the settings, and how it is written in `config.yaml`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from autoscaler.config.models import PoolSettings, Settings
from autoscaler.config.pools import ThresholdSettings
from autoscaler.config.translate import flow
from autoscaler.config.units import duration_text
from autoscaler.model import BacklogPerReplica, Sizing, TargetWait, Thresholds
from autoscaler.policy.stabilization import restarts
from autoscaler.sim.presets import PRESETS, Preset

TARGETS = (0.0, 5.0, 10.0, 20.0, 30.0, 60.0)
RESTARTS = (1.0, 3.0, 16.0)
"""How long replicas are kept that are no longer in use, beside `auto`: multiples of what a start and a stop take."""
MAY_WAIT = ((0, 15.0), (5, 15.0), (5, 60.0), (20, 15.0), (20, 60.0))
"""Thresholds: how many may wait, and for how long."""
BACKLOGS = (1, 2, 5)
"""Waiting tasks for each slot of a replica."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to size a pool."""

    sizing: Sizing
    restarts: float | None = None
    """None: `auto`."""
    spare: int = 0
    replicas_min: int = 0

    @property
    def preset(self) -> str:
        """The name of the preset that this is, empty for none."""
        return next((preset.name for preset in PRESETS if choice_of(preset) == self), "")


def choice_of(preset: Preset) -> Choice:
    """A preset as one of the choices."""
    return Choice(TargetWait(preset.target_wait_seconds), preset.restarts, preset.spare)


def grid(pool: PoolSettings) -> tuple[Choice, ...]:
    """What is tried: all ways of sizing, from no wait to a minute, with less and more patience before workers are let go.

    Nearly fifty, the presets among them: spread over all that a pool may want rather than fine.
    """
    tried = [
        *(choice_of(preset) for preset in PRESETS),
        *(choice for target in TARGETS for choice in _patience(TargetWait(target))),
        *(Choice(TargetWait(target), spare=1) for target in TARGETS),
        *(Choice(TargetWait(target), spare=2) for target in TARGETS[::2]),
        *(Choice(TargetWait(target), replicas_min=low) for target, low in product((10.0, 30.0), (1, 2))),
        *(Choice(Thresholds(up, wait)) for up, wait in MAY_WAIT),
        *(choice for up, wait in MAY_WAIT[:2] for choice in _patience(Thresholds(up, wait))),
        *(Choice(BacklogPerReplica(float(tasks * pool.slots))) for tasks in BACKLOGS),
    ]
    return tuple(dict.fromkeys(choice for choice in tried if choice.replicas_min <= pool.replicas.max))


def _patience(sizing: Sizing) -> Iterator[Choice]:
    """This way of sizing with all lengths of its window; the one that `auto` is, as `auto`."""
    yield Choice(sizing)
    yield from (Choice(sizing, times) for times in RESTARTS if times != restarts(sizing))


@dataclass(frozen=True, slots=True)
class Keys:
    """A choice as keys of a pool in `config.yaml`."""

    sizing: dict[str, Any]
    spare: int
    replicas: dict[str, Any]
    scale_down: dict[str, Any]

    @property
    def short(self) -> str:
        """The keys that matter, on one line."""
        more = {"spare": self.spare} if self.spare else {}
        low = {"min": self.replicas["min"]} if self.replicas["min"] else {}
        keys = {**self.sizing, "stabilization": self.scale_down["stabilization"], **more, **low}
        return ", ".join(f"{key}: {flow(value)}" for key, value in keys.items())

    def lines(self, pool: str) -> list[str]:
        """To be pasted over the same keys of the pool."""
        keys = {**self.sizing, "spare": self.spare, "replicas": self.replicas, "scale_down": self.scale_down}
        return ["pools:", f"  {pool}:", *(f"    {key}: {flow(value)}" for key, value in keys.items())]


def keys_of(choice: Choice, pool: PoolSettings, restart_seconds: float) -> Keys:
    """How this choice is written for this pool, whose workers take so long to start and stop."""
    patience = _stabilization(choice, restart_seconds)
    return Keys(
        sizing=_sizing(choice.sizing),
        spare=choice.spare,
        replicas={"min": choice.replicas_min, "max": pool.replicas.max},
        scale_down={
            **pool.scale_down.model_dump(mode="json", exclude_defaults=True),
            "stabilization": "auto" if patience is None else duration_text(patience),
        },
    )


def present_keys(pool: PoolSettings) -> Keys:
    """What the pool has now."""
    policy = pool.policy("", 0.0)
    scale_down = pool.scale_down.model_dump(mode="json")
    return Keys(_sizing(policy.sizing), pool.spare, {"min": pool.replicas.min, "max": pool.replicas.max}, scale_down)


def settings_with(settings: Settings, pool: str, choice: Choice, restart_seconds: float) -> Settings:
    """The settings with this pool sized so."""
    before = settings.pools[pool]
    ways: dict[str, Any] = {"thresholds": None, "target_wait": None, "backlog_per_replica": None}
    match choice.sizing:
        case TargetWait(seconds):
            ways["target_wait"] = seconds
        case Thresholds(up, wait, down):
            ways["thresholds"] = ThresholdSettings.model_validate({"up": up, "max_wait": duration_text(wait), "down": down})
        case BacklogPerReplica(tasks):
            ways["backlog_per_replica"] = tasks
    scale_down = before.scale_down.model_copy(update={"stabilization": _stabilization(choice, restart_seconds)})
    replicas = before.replicas.model_copy(update={"min": choice.replicas_min})
    after = before.model_copy(update={**ways, "spare": choice.spare, "scale_down": scale_down, "replicas": replicas})
    return settings.model_copy(update={"pools": {**settings.pools, pool: after}})


def _stabilization(choice: Choice, restart_seconds: float) -> float | None:
    """In whole seconds, None for auto."""
    return None if choice.restarts is None else float(math.ceil(choice.restarts * restart_seconds))


def _sizing(sizing: Sizing) -> dict[str, Any]:
    match sizing:
        case TargetWait(seconds):
            return {"target_wait": duration_text(seconds)}
        case BacklogPerReplica(tasks):
            return {"backlog_per_replica": int(tasks) if tasks == int(tasks) else tasks}
        case Thresholds(up, wait, down):
            return {"thresholds": {"up": up, "max_wait": duration_text(wait), **({"down": down} if down else {})}}
