"""The `worker:` part of a pool: keys and meanings of a Compose service, translated at the fleet's door."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Any, Literal

from pydantic import Field, field_validator

from autoscaler.config.part import Command, Part, TextList, TextMap
from autoscaler.config.units import Duration, Flag, Number, Size, Whole
from autoscaler.model import Need


class Limits(Part):
    """What one worker may use."""

    cpus: Number | None = Field(None, gt=0, examples=[1.0])
    """Processor cores one worker may use; no limit when left out."""
    memory: Size | None = Field(None, examples=["512m"])
    """Memory one worker may use. Give one: a worker that leaks then ends by itself instead of taking the host along."""
    pids: Whole | None = Field(512, gt=0, examples=[256])
    """Processes and threads one worker may have."""


class Reservations(Part):
    """What is set aside for one worker."""

    cpus: Number | None = Field(None, ge=0, examples=[0.2])
    """Processor cores to count for one worker on the host, where that is not its limit: less for workers that mostly wait, 0 for none."""
    memory: Size | None = Field(None, examples=["256m"])
    """Memory to count for one worker on the host, where that is not its limit; the engine treats it as a soft limit."""


class Resources(Part):
    """Compose's `deploy.resources`."""

    limits: Limits = Limits()
    """What one worker may use of the host. No more workers are started than there is room for by these."""
    reservations: Reservations = Reservations()
    """What to count for one worker instead of its limits."""

    @property
    def need(self) -> Need:
        """What one worker takes of the room on its host: what is reserved for it, or else its limits."""
        set_aside, limits = self.reservations, self.limits
        memory = limits.memory if set_aside.memory is None else set_aside.memory
        cpus = limits.cpus if set_aside.cpus is None else set_aside.cpus
        return Need(memory or 0, cpus or 0.0)


class Deploy(Part):
    """Compose's `deploy`."""

    resources: Resources = Resources()
    """What one worker may use of the host."""


class Logging(Part):
    """Log driver and options."""

    driver: str = Field("json-file", examples=["local"])
    """Docker log driver of the workers."""
    options: TextMap = Field({"max-size": "10m", "max-file": "3"}, repr=False, examples=[{"max-size": "50m"}])
    """Options of the log driver; the default rotates, so that a talkative worker cannot fill the disk."""


class WorkerSpec(Part):
    """How to start one worker. In `command` and `environment`, `{name}` stands for the replica's name."""

    image: str | None = Field(None, examples=["registry.example.com/app:1.4"])
    """Image of the worker. Required for the fleet `docker`; a new value rolls the pool, one worker at a time."""
    command: Command | None = Field(None, examples=["celery -A app worker -Q default -c 4 --without-mingle"])
    """What the worker runs, as one line (split into words as Compose does, no shell) or as a list of words. Required for the fleet
    `process`.
    A shell in front of the worker (`sh -c 'celery ...'`) is refused: it takes the stop signal and the running task is lost."""
    entrypoint: Command | None = Field(None, examples=[["/usr/bin/tini", "--"]])
    """Replaces the image's entrypoint."""
    environment: TextMap = Field({}, repr=False, examples=[{"CELERY_QUEUES": "default"}])
    """Environment of the worker, as a mapping or as `KEY=value` lines. A key without a value is handed through from the autoscaler's
    own environment."""
    env_file: TextList = Field((), examples=["worker.env"])
    """Files with `KEY=value` lines, relative to the folder of the configuration. `environment` wins over them, the last file over the
    first."""
    networks: TextList = Field((), examples=[["backend"]])
    """Docker networks the worker joins, by their full names (`docker network ls`)."""
    network_mode: str | None = Field(None, examples=["none"])
    """Instead of `networks`: `bridge` or `none`. `host` and `container:...` need `allow_unsafe`."""
    volumes: TextList = Field((), examples=[["uploads:/data", "/srv/models:/models:ro"]])
    """Named volumes and absolute host paths to mount, in Compose's short form `source:target[:ro]`."""
    user: str | None = Field(None, examples=["1000:1000"])
    """User (and group) the worker runs as; the image's own when left out."""
    working_dir: str | None = Field(None, examples=["/app"])
    """Folder the command starts in."""
    labels: TextMap = Field({}, examples=[{"team": "search"}])
    """More labels for the worker containers; those that start with `autoscaler.` are the autoscaler's own."""
    extra_hosts: TextList = Field((), examples=[["db:10.0.0.5"]])
    """More lines for the worker's hosts file."""
    devices: TextList = Field((), examples=[["/dev/dri:/dev/dri"]])
    """Host devices to hand to the worker."""
    shm_size: Size | None = Field(None, examples=["1g"])
    """Size of /dev/shm; headless browsers need more than Docker's 64m."""
    tmpfs: TextList = Field((), examples=[["/tmp"]])  # noqa: S108 - an example of a mount in the container
    """Folders kept in memory."""
    read_only: Flag = Field(False, examples=[True])
    """Makes the container's file system read-only; give Celery a `tmpfs` at /tmp then."""
    privileged: Flag = Field(False, examples=[False])
    """Gives the worker the whole host; needs `allow_unsafe`."""
    pid: str | None = Field(None, examples=["host"])
    """Process namespace; `host` and `container:...` need `allow_unsafe`."""
    ipc: str | None = Field(None, examples=["private"])
    """Shared-memory namespace; `host` and `container:...` need `allow_unsafe`."""
    cap_add: TextList = Field((), examples=[["SYS_NICE"]])
    """Linux capabilities to add; those that open the host need `allow_unsafe`."""
    cap_drop: TextList = Field((), examples=[["ALL"]])
    """Linux capabilities to take away."""
    security_opt: TextList = Field(("no-new-privileges:true",), examples=[["no-new-privileges:true"]])
    """Security options of the container; `...unconfined` needs `allow_unsafe`."""
    init: Flag = Field(True, examples=[True])
    """Runs a small init process in front of the worker. Keep it: without it a worker that is stopped in its first moments ignores the
    signal."""
    stop_signal: str = Field("SIGTERM", examples=["SIGTERM"])
    """Signal that asks the worker to finish its tasks and leave. SIGKILL and SIGQUIT are refused: they interrupt running tasks."""
    stop_grace_period: Duration = Field(10.0, examples=["10m"])
    """How long Docker itself waits when somebody else stops the worker (`docker stop`, a reboot): give it the length of your longest
    task."""
    deploy: Deploy = Deploy()
    """Limits, written as in a Compose file."""
    logging: Logging = Logging()
    """Log driver and its options."""
    pull_policy: Literal["never", "missing", "always"] = Field("missing", examples=["always"])
    """When the image is pulled: `never`, only when it is `missing`, or `always` before a start."""
    metrics_port: Whole | None = Field(None, ge=1, le=65535, examples=[9100])
    """Port of the worker's own metrics page (`autoscaler.contrib.celery`): the best truth about what a worker does, and Prometheus can
    scrape it."""
    allow_unsafe: Flag = Field(False, examples=[True])
    """Allows what opens the host to a worker: `privileged`, host namespaces, the Docker socket, a mount of `/`."""

    @field_validator("networks", mode="before")
    @classmethod
    def _networks(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, dict) else value

    @cached_property
    def hash(self) -> str:
        """Twelve hex digits that change when anything about the worker changes; what is as by default has no part in them, so that a
        version with more keys does not replace every worker."""
        written = json.dumps(self.model_dump(mode="json", exclude_defaults=True), sort_keys=True)
        return hashlib.sha256(written.encode()).hexdigest()[:12]
