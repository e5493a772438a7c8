"""A worker's Compose keys as the body of the engine's `POST /containers/create`.

`DockerFleet.start` hands in the spec and the replica's names and sends what comes out. Pure: nothing is asked of the engine.
What cannot be meant, or would open the host without `allow_unsafe`, is refused here as StartRefused, whatever checked it before.
"""

from __future__ import annotations

import math
import posixpath
import re
import shlex
from collections.abc import Mapping
from typing import Any

from autoscaler.config.worker import WorkerSpec
from autoscaler.errors import StartRefused

INSTANCE = "autoscaler.instance"
POOL = "autoscaler.pool"
SPEC = "autoscaler.spec"
BROKER = "autoscaler.broker"
METRICS_PORT = "autoscaler.metrics_port"
STOP_SIGNAL = "autoscaler.stop_signal"
MEMORY = "autoscaler.memory"
CPUS = "autoscaler.cpus"
"""What the worker takes of the room on its host: no list of containers tells of limits."""
IMAGE = "autoscaler.image"
"""The image by the name it was asked for: the engine's list shows an id instead as soon as the name stands for another image."""

NAMING = ("CELERY_WORKER_HOSTNAME", "AUTOSCALER_REPLICA", "AUTOSCALER_POOL")
"""Variables that say who a worker is: the worker's own environment never wins over these."""

_SOCKET_FOLDERS = frozenset({"/", "/run", "/var/run"})
_OPEN_CAPABILITIES = frozenset({"ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "DAC_READ_SEARCH"})


def create_body(name: str, marks: Mapping[str, str], worker: WorkerSpec, environment: Mapping[str, str]) -> dict[str, Any]:
    """The whole body for one replica with these labels; raises StartRefused with what to change in the file."""
    if not worker.image:
        raise StartRefused("worker.image is missing: a container needs one")
    if reasons := unsafe(worker):
        raise StartRefused(f"{'; '.join(reasons)}: this opens the host to the worker; set worker.allow_unsafe if that is meant")
    mounts = [_mount(line) for line in worker.volumes]
    body: dict[str, Any] = {
        "Image": worker.image,
        "Cmd": words(worker.command, name, "command"),
        "Entrypoint": words(worker.entrypoint, name, "entrypoint"),
        "Env": [f"{key}={value}" for key, value in variables(name, worker, environment).items()],
        "Labels": dict(marks),
        "Hostname": None if (worker.network_mode or "").startswith("container:") else name,
        "User": worker.user,
        "WorkingDir": worker.working_dir,
        "StopSignal": worker.stop_signal,
        "StopTimeout": math.ceil(worker.stop_grace_period),
        "Volumes": {target: {} for source, target, _ in mounts if not source},
        "HostConfig": _host_config(worker, [":".join(filter(None, mount)) for mount in mounts if mount[0]]),
        "NetworkingConfig": {"EndpointsConfig": {network: {} for network in worker.networks}},
    }
    return _stripped(body)


def words(command: str | tuple[str, ...] | None, name: str, key: str) -> list[str] | None:
    """The words of a command with the replica's name put in; one line is split as Compose does, without a shell.

    >>> words("celery -A app worker -n 'w@{name}'", "main-web-1", "command")
    ['celery', '-A', 'app', 'worker', '-n', 'w@main-web-1']
    """
    if command is None:
        return None
    try:
        parts = shlex.split(command) if isinstance(command, str) else command
    except ValueError as error:
        raise StartRefused(f"worker.{key} cannot be split into words ({error}): close its quotes, or write it as a list") from error
    return [part.replace("{name}", name) for part in parts]


def variables(name: str, worker: WorkerSpec, environment: Mapping[str, str]) -> dict[str, str]:
    """The worker's environment: its own wins over what it is given, but never over its name."""
    own = {key: value.replace("{name}", name) for key, value in worker.environment.items()}
    named = {key: environment[key] for key in NAMING if key in environment}
    port = {"AUTOSCALER_METRICS_PORT": str(worker.metrics_port)} if worker.metrics_port else {}
    return {**port, **environment, **own, **named}


def labels(pool: str, instance: str, worker: WorkerSpec, broker: str = "") -> dict[str, str]:
    """What the container is found and judged by later, in front of the user's own labels."""
    need = worker.deploy.resources.need
    ours = {
        INSTANCE: instance,
        POOL: pool,
        SPEC: worker.hash,
        STOP_SIGNAL: worker.stop_signal,
        IMAGE: worker.image or "",
        MEMORY: str(need.memory_bytes),
        CPUS: f"{need.cpus:g}",
        # An image updater that replaced a worker would interrupt its task: a changed image is rolled by draining.
        "com.centurylinklabs.watchtower.enable": "false",
    }
    port = {METRICS_PORT: str(worker.metrics_port)} if worker.metrics_port else {}
    return {**worker.labels, **ours, **port, **({BROKER: broker} if broker else {})}


def unsafe(worker: WorkerSpec) -> tuple[str, ...]:
    """What in this spec gives a worker the host, in words; empty when nothing does, or when that is allowed."""
    if worker.allow_unsafe:
        return ()
    modes = {"pid": worker.pid, "ipc": worker.ipc, "network_mode": worker.network_mode}
    found = ["worker.privileged"] if worker.privileged else []
    found += [f"worker.{key}: {mode}" for key, mode in modes.items() if mode == "host" or (mode or "").startswith("container:")]
    found += [f"worker.cap_add: {capability}" for capability in worker.cap_add if _plain(capability) in _OPEN_CAPABILITIES]
    found += [f"worker.security_opt: {option}" for option in worker.security_opt if re.search(r"[:=]unconfined$", option)]
    found += [f"a mount of {source}" for source in (_mount(line)[0] for line in worker.volumes) if _opens_host(source)]
    return tuple(found)


def _plain(capability: str) -> str:
    return capability.upper().removeprefix("CAP_")


def _opens_host(source: str) -> bool:
    path = posixpath.normpath(source) if source.startswith("/") else ""
    return path.replace("//", "/") in _SOCKET_FOLDERS or path.endswith(("docker.sock", "containerd.sock", "podman.sock"))


def _mount(line: str) -> tuple[str, str, str]:
    """Source, target and options of a volume in Compose's short form; a target alone is an anonymous volume."""
    source, _, rest = line.partition(":")
    if not rest:
        source, rest = "", line
    target, _, options = rest.partition(":")
    if source.startswith((".", "~")):
        raise StartRefused(f"worker.volumes: {line}: write an absolute path of the Docker host or the name of a volume")
    if not target.startswith("/"):
        raise StartRefused(f"worker.volumes: {line}: write it like source:/path/in/the/worker")
    return source, target, options


def _host_config(worker: WorkerSpec, binds: list[str]) -> dict[str, Any]:
    limits = worker.deploy.resources.limits
    return {
        "Binds": binds,
        "NetworkMode": worker.networks[0] if worker.networks else worker.network_mode,
        "RestartPolicy": {"Name": "no"},  # an engine that restarted a worker would count against the pool's own backoff
        "Init": worker.init,
        "NanoCpus": round(limits.cpus * 1e9) if limits.cpus else None,
        "Memory": limits.memory,
        "MemoryReservation": worker.deploy.resources.reservations.memory,
        "PidsLimit": limits.pids,
        "ShmSize": worker.shm_size,
        "Tmpfs": {path: options for path, _, options in (line.partition(":") for line in worker.tmpfs)},
        "Devices": [_device(line) for line in worker.devices],
        "ExtraHosts": [_extra_host(line) for line in worker.extra_hosts],
        "LogConfig": {"Type": worker.logging.driver, "Config": dict(worker.logging.options)},
        "ReadonlyRootfs": worker.read_only,
        "Privileged": worker.privileged,
        "PidMode": worker.pid,
        "IpcMode": worker.ipc,
        "CapAdd": list(worker.cap_add),
        "CapDrop": list(worker.cap_drop),
        "SecurityOpt": list(worker.security_opt),
    }


def _device(line: str) -> dict[str, str]:
    source, target, permissions, *_ = [*line.split(":"), "", ""]
    return {"PathOnHost": source, "PathInContainer": target or source, "CgroupPermissions": permissions or "rwm"}


def _extra_host(line: str) -> str:
    """Compose writes `name:address` or `name=address`; the engine knows the first."""
    name, _, address = line.partition("=") if "=" in line else line.partition(":")
    return f"{name}:{address}"


def _stripped(body: Mapping[str, Any]) -> dict[str, Any]:
    """The same without what was not asked for, so that the image's and the engine's own defaults hold."""
    inner = {key: _stripped(value) if key in {"HostConfig", "NetworkingConfig"} else value for key, value in body.items()}
    return {key: value for key, value in inner.items() if not _is_absent(value)}


def _is_absent(value: object) -> bool:
    return value is None or value is False or (isinstance(value, (list, dict)) and not value)


