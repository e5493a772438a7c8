"""Pools as KEDA understands them: a Deployment and a ScaledObject each, on Redis lists.

KEDA counts what waits, not what runs, and its autoscaler picks victims without asking them; the notes say what that means.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from autoscaler.config.models import BrokerSettings, Settings
from autoscaler.config.pools import DampingSettings, PoolSettings, Schedule
from autoscaler.config.worker import Limits, Reservations, WorkerSpec
from autoscaler.export.sheet import NotExportable, Sheet
from autoscaler.export.words import argv, needs

AUTO_STABILIZATION = 15
"""Seconds for `auto`, which KEDA cannot learn: about three starts and stops of a usual worker."""
PULL = {"never": "Never", "missing": "IfNotPresent", "always": "Always"}


def keda(settings: Settings) -> Sheet:
    """All pools; raises NotExportable where KEDA could not see their queues or run their workers."""
    broker = settings.home_broker
    if broker is None or not urlsplit(broker.url.get_secret_value()).scheme.startswith("redis"):
        raise NotExportable("KEDA reads the broker itself: give a Redis under `brokers` (redis:// or rediss://)")
    documents = [_trigger_authentication(settings)]
    for name, pool in settings.pools.items():
        documents += [_deployment(settings, name, pool), _scaled_object(settings, broker, name, pool)]
    return Sheet(tuple(documents), tuple(_notes(settings)))


def _notes(settings: Settings) -> Iterator[str]:
    broker = _named(settings, "broker")
    yield (
        f"Secret {broker}: keys url (for the workers) and password (for KEDA), as in: kubectl create secret generic {broker} "
        "--from-literal=url=... --from-literal=password=..."
    )
    for name, pool in settings.pools.items():
        if keys := sorted(pool.worker.environment):
            yield f"Secret {_named(settings, f'{name}-env')}: keys {', '.join(keys)}"
    yield "KEDA counts what waits, not what runs: a busy pool with an empty queue is scaled down, and drains its workers as it does"
    yield f"max_replicas: {settings.max_replicas} over all pools has no counterpart; a ResourceQuota comes closest"
    yield "scaling down while something cannot be seen, backoff after failed starts, unacknowledged and ETA tasks have no counterpart"
    for name, pool in settings.pools.items():
        yield from (f"pools.{name}.{text}" for text in _of_pool(pool))


def _of_pool(pool: PoolSettings) -> Iterator[str]:
    """What of one pool is only nearly the same."""
    if pool.target_wait is not None:
        yield f"target_wait: KEDA cannot promise waits; {pool.slots} waiting tasks for each replica stand in for it"
    if pool.spare:
        yield f"spare: {pool.spare} has no counterpart"
    if pool.drain.on_timeout == "wait":
        yield "drain.on_timeout: wait: Kubernetes kills what has not left within terminationGracePeriodSeconds"
    if pool.worker.volumes or pool.worker.devices:
        yield "worker.volumes, worker.devices: write them as volumes of the Deployment"
    yield from (f"schedules[{i}]: KEDA needs an end on the same day at a fixed hour; write it by hand"
                for i, schedule in enumerate(pool.schedules) if schedule.min and _end(schedule) is None)  # fmt: skip


def _named(settings: Settings, what: str) -> str:
    """A name that Kubernetes takes: no underscores, and the instance in front of it."""
    return f"{settings.instance}-{what}".replace("_", "-")


def _trigger_authentication(settings: Settings) -> dict[str, Any]:
    secret = [{"parameter": "password", "name": _named(settings, "broker"), "key": "password"}]
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "TriggerAuthentication",
        "metadata": {"name": _named(settings, "broker")},
        "spec": {"secretTargetRef": secret},
    }


def _deployment(settings: Settings, name: str, pool: PoolSettings) -> dict[str, Any]:
    app = _named(settings, name)
    labels = {"app.kubernetes.io/name": app, "app.kubernetes.io/part-of": settings.instance}
    grace = math.ceil(max(pool.drain.timeout, pool.worker.stop_grace_period))
    pod = {"terminationGracePeriodSeconds": grace, "containers": [_container(settings, name, pool.worker)]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": app, "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }


def _container(settings: Settings, name: str, worker: WorkerSpec) -> dict[str, Any]:
    given = worker.deploy.resources
    resources = {"limits": _amounts(given.limits), "requests": _amounts(given.reservations)}
    container: dict[str, Any] = {
        "name": "worker",
        "image": needs(worker.image, name),
        "imagePullPolicy": PULL[worker.pull_policy],
        "command": argv(worker.entrypoint, "$(POD_NAME)"),
        "args": argv(worker.command, "$(POD_NAME)"),
        "workingDir": worker.working_dir,
        "env": [*_names(), *_secrets(settings, name, worker)],
        "ports": [{"name": "metrics", "containerPort": worker.metrics_port}] if worker.metrics_port else None,
        "resources": {name: some for name, some in resources.items() if some},
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": worker.read_only},
    }
    return {key: value for key, value in container.items() if value is not None}


def _amounts(given: Limits | Reservations) -> dict[str, str]:
    """Processors and memory in the words of Kubernetes."""
    some = {"cpu": given.cpus and f"{given.cpus:g}", "memory": given.memory and f"{math.ceil(given.memory / 2**20)}Mi"}
    return {key: value for key, value in some.items() if value}


def _names() -> list[dict[str, Any]]:
    """The pod's own name, and the Celery node name made of it."""
    own = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    return [own, {"name": "CELERY_WORKER_HOSTNAME", "value": "celery@$(POD_NAME)"}]


def _secrets(settings: Settings, name: str, worker: WorkerSpec) -> list[dict[str, Any]]:
    url = ("CELERY_BROKER_URL", _named(settings, "broker"), "url")
    rest = [(key, _named(settings, f"{name}-env"), key) for key in worker.environment]
    return [{"name": key, "valueFrom": {"secretKeyRef": {"name": secret, "key": part}}} for key, secret, part in (url, *rest)]


def _scaled_object(settings: Settings, broker: BrokerSettings, name: str, pool: PoolSettings) -> dict[str, Any]:
    app = _named(settings, name)
    behavior = {"scaleUp": _behavior(pool.scale_up), "scaleDown": _behavior(pool.scale_down)}
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": app},
        "spec": {
            "scaleTargetRef": {"name": app},
            "pollingInterval": max(1, math.ceil(settings.interval)),
            "cooldownPeriod": _stabilization(pool.scale_down),
            "minReplicaCount": pool.replicas.min,
            "maxReplicaCount": pool.replicas.max,
            "advanced": {"horizontalPodAutoscalerConfig": {"behavior": behavior}},
            "triggers": [*(_list(settings, broker, pool, queue) for queue in pool.queues), *_crons(pool)],
        },
    }


def _list(settings: Settings, broker: BrokerSettings, pool: PoolSettings, queue: str) -> dict[str, Any]:
    """One Redis list: the plain one, without those of other priorities."""
    place = urlsplit(broker.url.get_secret_value())
    metadata = {
        "address": f"{place.hostname}:{place.port or 6379}",
        "databaseIndex": place.path.strip("/") or "0",
        "listName": f"{broker.global_keyprefix}{queue}",
        "listLength": f"{pool.backlog_per_replica or pool.slots:g}",
    }
    tls = {"enableTLS": "true"} if place.scheme == "rediss" else {}
    return {"type": "redis", "metadata": metadata | tls, "authenticationRef": {"name": _named(settings, "broker")}}


def _behavior(damping: DampingSettings) -> dict[str, Any]:
    """One direction in the words of the HPA."""
    window = {"stabilizationWindowSeconds": _stabilization(damping)}
    if damping.max_step is None:
        return window
    percent = isinstance(damping.max_step, str)
    value = math.ceil(float(str(damping.max_step).rstrip("%")))
    period = math.ceil(damping.period or damping.cooldown or 15.0)
    return window | {"policies": [{"type": "Percent" if percent else "Pods", "value": value, "periodSeconds": period}]}


def _stabilization(damping: DampingSettings) -> int:
    return AUTO_STABILIZATION if damping.stabilization is None else math.ceil(damping.stabilization)


def _crons(pool: PoolSettings) -> Iterator[dict[str, Any]]:
    for schedule in pool.schedules:
        if schedule.min and (end := _end(schedule)):
            times = {"timezone": schedule.timezone, "start": schedule.cron, "end": end, "desiredReplicas": str(schedule.min)}
            yield {"type": "cron", "metadata": times}


def _end(schedule: Schedule) -> str | None:
    """The cron line of the end, where it is on the day of the beginning and at one hour; else None.

    >>> _end(Schedule(cron="0 8 * * 1-5", duration="10h", min=2)), _end(Schedule(cron="0 20 * * *", duration="10h", min=2))
    ('0 18 * * 1-5', None)
    """
    minute, hour, days = schedule.cron.split(maxsplit=2)
    if not (minute.isdecimal() and hour.isdecimal()):
        return None
    end = int(hour) * 60 + int(minute) + round(schedule.duration / 60)
    return f"{end % 60} {end // 60} {days}" if end < 24 * 60 else None
