"""The `worker:` part of a pool: keys and meanings of a Compose service, translated at the fleet's door."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from autoscaler.config.units import Duration, Size


class Part(BaseModel):
    """A mapping in the file: unknown keys are refused, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _as_map(value: Any) -> Any:
    """Compose writes environment and labels as a mapping or as `KEY=value` lines; both become a mapping."""
    if isinstance(value, (list, tuple)):
        return dict(str(line).partition("=")[::2] for line in value)
    if isinstance(value, dict):
        return {str(k): "" if v is None else str(v).lower() if isinstance(v, bool) else str(v) for k, v in value.items()}
    return value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


TextMap = Annotated[dict[str, str], BeforeValidator(_as_map)]
TextList = Annotated[tuple[str, ...], BeforeValidator(_as_list)]


class Limits(Part):
    """What one worker may use."""

    cpus: float | None = Field(None, gt=0)
    memory: Size | None = None
    pids: int | None = Field(512, gt=0)


class Resources(Part):
    limits: Limits = Limits()


class Deploy(Part):
    resources: Resources = Resources()


class Logging(Part):
    """Log driver and options; the default rotates, so that a talkative worker cannot fill the disk."""

    driver: str = "json-file"
    options: TextMap = {"max-size": "10m", "max-file": "3"}


class WorkerSpec(Part):
    """How to start one worker. In `command` and `environment`, `{name}` stands for the replica's name."""

    image: str | None = None
    command: str | tuple[str, ...] | None = None
    entrypoint: str | tuple[str, ...] | None = None
    environment: TextMap = {}
    env_file: TextList = ()
    networks: TextList = ()
    network_mode: str | None = None
    volumes: TextList = ()
    user: str | None = None
    working_dir: str | None = None
    labels: TextMap = {}
    extra_hosts: TextList = ()
    devices: TextList = ()
    shm_size: Size | None = None
    tmpfs: TextList = ()
    read_only: bool = False
    privileged: bool = False
    pid: str | None = None
    ipc: str | None = None
    cap_add: TextList = ()
    cap_drop: TextList = ()
    security_opt: TextList = ("no-new-privileges:true",)
    init: bool = True
    stop_signal: str = "SIGTERM"
    stop_grace_period: Duration = 10.0
    """How long the worker may take to leave; a warning is given where the drain's own timeout is shorter."""
    deploy: Deploy = Deploy()
    logging: Logging = Logging()
    pull_policy: Literal["never", "missing", "always"] = "missing"
    metrics_port: int | None = Field(None, ge=1, le=65535)
    allow_unsafe: bool = False
    """Needed for privileged, host namespaces, the Docker socket or a mount of `/`."""

    @field_validator("networks", mode="before")
    @classmethod
    def _networks(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, dict) else value

    @property
    def hash(self) -> str:
        """Twelve hex digits that change when anything about the worker changes."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()[:12]
