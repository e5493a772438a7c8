"""Pools as services of a Swarm stack, for `docker stack deploy`: nothing scales them there, they begin at their minimum."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from autoscaler.config.models import Settings
from autoscaler.config.pools import PoolSettings
from autoscaler.config.units import duration_text, size_text
from autoscaler.config.worker import Limits, Reservations, WorkerSpec
from autoscaler.export.sheet import Sheet
from autoscaler.export.words import argv, needs

NODE = "{{.Service.Name}}-{{.Task.Slot}}"
"""How Swarm names a task: it fills this in for host names and variables, not for commands."""
HOST = "%h"
"""The host name, as Celery fills it in where it names files and nodes."""
SAME = ("user", "working_dir", "read_only", "init", "stop_signal", "shm_size", "extra_hosts", "devices", "tmpfs", "cap_add", "cap_drop")


def stack(settings: Settings) -> Sheet:
    """All pools; raises NotExportable where a pool has no image."""
    services = {name: _service(name, pool) for name, pool in settings.pools.items()}
    networks = sorted({network for pool in settings.pools.values() for network in pool.worker.networks})
    volumes = sorted({line.partition(":")[0] for pool in settings.pools.values() for line in pool.worker.volumes if _is_named(line)})
    document: dict[str, Any] = {"version": "3.8", "services": services}
    document |= {"networks": {name: {"external": True} for name in networks}} if networks else {}
    document |= {"volumes": {name: {"external": True} for name in volumes}} if volumes else {}
    return Sheet((document,), tuple(_notes(settings)))


def _notes(settings: Settings) -> Iterator[str]:
    names = [_variable(name, key) for name, pool in settings.pools.items() for key in pool.worker.environment]
    yield f"set before `docker stack deploy`: {', '.join(['CELERY_BROKER_URL', *names])}"
    yield "Swarm does not scale by itself: every pool begins with replicas.min; `docker service scale` changes it"
    for name, pool in settings.pools.items():
        if pool.drain.on_timeout == "wait":
            yield f"pools.{name}.drain.on_timeout: wait: Swarm kills what has not left within stop_grace_period"


def _service(name: str, pool: PoolSettings) -> dict[str, Any]:
    worker = pool.worker
    service: dict[str, Any] = {
        "image": needs(worker.image, name),
        "entrypoint": argv(worker.entrypoint, HOST),
        "command": argv(worker.command, HOST),
        "hostname": NODE,
        "environment": _environment(name, worker),
        "networks": list(worker.networks),
        "volumes": list(worker.volumes),
        **_same(worker),
        "stop_grace_period": duration_text(max(pool.drain.timeout, worker.stop_grace_period)),
        "logging": {"driver": worker.logging.driver, "options": dict(worker.logging.options)},
        "deploy": _deploy(pool),
    }
    return {
        key: _literal(value) if key in ("command", "entrypoint") else value for key, value in service.items() if value not in (None, [], {})
    }


def _same(worker: WorkerSpec) -> dict[str, Any]:
    """Keys that mean the same in a stack, where they say anything."""
    found = {key: getattr(worker, key) for key in SAME if getattr(worker, key) not in (None, (), False)}
    return {
        key: list(value) if isinstance(value, tuple) else size_text(value) if key == "shm_size" else value for key, value in found.items()
    }


def _environment(pool: str, worker: WorkerSpec) -> dict[str, str]:
    """Names only: what they hold may be secret, and comes from the shell that deploys."""
    named = {key: f"${{{_variable(pool, key)}:?{key} of the workers of {pool}}}" for key in worker.environment}
    return {"CELERY_BROKER_URL": "${CELERY_BROKER_URL:?the broker of the workers}", **named, "CELERY_WORKER_HOSTNAME": f"celery@{NODE}"}


def _variable(pool: str, key: str) -> str:
    """Pools may have different values of one variable, so each has its own where they are deployed from.

    >>> _variable("mail-out", "CELERY_QUEUES")
    'MAIL_OUT_CELERY_QUEUES'
    """
    return f"{pool.upper().replace('-', '_')}_{key}"


def _deploy(pool: PoolSettings) -> dict[str, Any]:
    given = pool.worker.deploy.resources
    resources = {"limits": {**_amounts(given.limits), "pids": given.limits.pids}, "reservations": _amounts(given.reservations)}
    return {
        "mode": "replicated",
        "replicas": pool.replicas.min,
        "resources": {name: some for name, some in resources.items() if some},
        "restart_policy": {"condition": "any"},
        "update_config": {"order": "start-first", "parallelism": 1},
    }


def _amounts(given: Limits | Reservations) -> dict[str, Any]:
    some = {"cpus": given.cpus and f"{given.cpus:g}", "memory": given.memory and size_text(given.memory)}
    return {key: value for key, value in some.items() if value}


def _is_named(volume: str) -> bool:
    return not volume.startswith(("/", ".", "~")) and ":" in volume


def _literal(words: list[str]) -> list[str]:
    """A stack file fills in variables; what stands in a command is meant as it is."""
    return [word.replace("$", "$$") for word in words]
