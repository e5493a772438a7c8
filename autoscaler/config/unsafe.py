"""What would open the host to a worker, and so to everybody who can write its image or its tasks. Each needs `allow_unsafe: true`."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import normpath

from autoscaler.config.worker import WorkerSpec

_SOCKETS = ("docker.sock", "containerd.sock", "podman.sock", "crio.sock")
_FOLDERS = frozenset({"/", "/etc", "/proc", "/sys", "/dev", "/boot", "/root", "/run", "/var", "/var/run", "/var/lib", "/var/lib/docker"})
_DEVICES = ("/dev/mem", "/dev/kmem", "/dev/port", "/dev/sd", "/dev/nvme", "/dev/vd")
_CAPABILITIES = frozenset({"ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF"})

Finding = tuple[tuple[str | int, ...], str]


def unsafe(worker: WorkerSpec) -> Iterator[Finding]:
    """Every key that opens the host, as (path inside worker, what it does)."""
    if worker.privileged:
        yield ("privileged",), "gives the worker the whole host"
    for key in ("pid", "ipc", "network_mode"):
        value = getattr(worker, key) or ""
        if value == "host" or value.startswith("container:"):
            yield (key,), f"{value} lets the worker into what is not its own"
    for index, volume in enumerate(worker.volumes):
        reason = _mount(volume)
        if reason:
            yield ("volumes", index), reason
    for index, capability in enumerate(worker.cap_add):
        if capability.upper().removeprefix("CAP_") in _CAPABILITIES:
            yield ("cap_add", index), f"{capability} gives the worker power over the host"
    for index, option in enumerate(worker.security_opt):
        if option.replace(":", "=").endswith(("=unconfined", "=disable")):
            yield ("security_opt", index), f"{option} takes a guard away"
    for index, device in enumerate(worker.devices):
        if _source(device) == "/dev" or _source(device).startswith(_DEVICES):
            yield ("devices", index), f"{_source(device)} gives the worker the host's memory or disks"


def _source(entry: str) -> str:
    path = entry.partition(":")[0]
    return "/" + normpath(path).lstrip("/") if path.startswith("/") else path


def _mount(volume: str) -> str | None:
    source = _source(volume)
    if source.endswith(_SOCKETS):
        return "the engine's socket gives the worker the whole host"
    if source in _FOLDERS:
        return f"a mount of {source} gives the worker the host"
    return None
