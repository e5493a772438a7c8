"""What no single key can know: sums over pools, two keys that contradict each other, a worker that would not do what its pool needs.

Each check yields `Finding`s; the loader turns them into problems with their place in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from autoscaler.config import command
from autoscaler.config.models import BrokerSettings, PoolSettings, Settings
from autoscaler.config.unsafe import unsafe
from autoscaler.config.worker import WorkerSpec
from autoscaler.config.yaml_marks import KeyPath

_LOSES_TASKS = ("SIGKILL", "KILL", "9", "SIGQUIT", "QUIT", "3")
_LONGEST_HOSTNAME = 63
_SUFFIX = len("--123456")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong between keys that are fine by themselves."""

    path: KeyPath
    message: str
    see: KeyPath | None = None
    """The other key it clashes with, whose line is told."""


def check(settings: Settings) -> Iterator[Finding]:
    """Everything that is wrong between the keys of valid settings."""
    if settings.fleet.type == "swarm":
        yield Finding(("fleet", "type"), "swarm is not built yet: write docker, or process for a try without Docker")
    if settings.fleet.type == "docker" and not re.match(r"(unix|tcp|https?)://", settings.fleet.host):
        yield Finding(("fleet", "host"), "is not an address of Docker: write it like unix:///var/run/docker.sock or tcp://socket-proxy:2375")
    if settings.depth_from == "broker" and settings.home_broker is None:
        yield Finding(("depth_from",), "broker needs a broker to ask: add brokers, or write auto")
    if settings.depth_from == "flower" and len(settings.usable_brokers) > 1:
        yield Finding(("depth_from",), "flower knows one broker and several are given: write auto, which reads each of them")
    if not settings.flower.enabled:
        yield from _without_flower(settings)
    yield from _brokers(settings.brokers)
    yield from _totals(settings)
    yield from _shared_queues(settings)
    for name, pool in settings.pools.items():
        for finding in _pool(settings, name, pool):
            yield Finding(("pools", name, *finding.path), finding.message, finding.see)


def _without_flower(settings: Settings) -> Iterator[Finding]:
    """Whoever turns Flower off needs somebody else to say what waits, and who works."""
    off = ("flower", "enabled")
    if settings.depth_from == "flower":
        yield Finding(("depth_from",), "flower is not enabled: write auto, or broker", off)
    if settings.home_broker is None:
        yield Finding(off, "false needs a broker that tells what waits: add brokers, or leave it true")
    for name, pool in settings.pools.items():
        if pool.worker.metrics_port is None:
            at = ("pools", name, "worker", "metrics_port")
            yield Finding(at, "is missing: without Flower only the workers' own pages tell who works: add metrics_port: 9100", off)


def _brokers(brokers: tuple[BrokerSettings, ...]) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for index, broker in enumerate(brokers):
        if first.setdefault(broker.name, index) != index:
            other = ("brokers", first[broker.name], "name")
            yield Finding(("brokers", index, "name"), f"{broker.name!r} is taken: give each broker its own name", other)


def _totals(settings: Settings) -> Iterator[Finding]:
    wanted = sum(pool.replicas.min for pool in settings.pools.values())
    if wanted > settings.max_replicas:
        sums = f"the pools ask for at least {wanted} workers (the sum of replicas.min), and max_replicas is {settings.max_replicas}"
        yield Finding(("max_replicas",), f"{sums}: raise it or lower a min")


def _shared_queues(settings: Settings) -> Iterator[Finding]:
    first: dict[str, KeyPath] = {}
    for name, pool in settings.pools.items():
        for index, queue in enumerate(pool.queues):
            here = ("pools", name, "queues", index)
            other = first.setdefault(queue, here)
            if other != here:
                yield Finding(here, f"queue {queue!r} already belongs to pool {other[1]!r}: keep it in one place", other)


def _pool(settings: Settings, name: str, pool: PoolSettings) -> Iterator[Finding]:
    """What is wrong in one pool, with paths inside it."""
    longest = len(settings.instance) + len(name) + _SUFFIX
    if longest > _LONGEST_HOSTNAME:
        yield Finding((), f"the workers' names would be {longest} characters long, and {_LONGEST_HOSTNAME} is the limit: shorten the name")
    for finding in (*_required(settings.fleet.type, pool.worker), *_worker(pool.worker), *_command(pool)):
        yield Finding(("worker", *finding.path), finding.message, finding.see)
    yield from _slots(pool)
    if len(settings.usable_brokers) > 1 and "CELERY_BROKER_URL" in pool.worker.environment:
        told = "every worker is told which of the brokers it is for, and this would keep all of them on one: remove it"
        yield Finding(("worker", "environment"), f"CELERY_BROKER_URL: {told}")


def _required(fleet: str, worker: WorkerSpec) -> Iterator[Finding]:
    if fleet != "process" and not worker.image:
        yield Finding(("image",), "is missing: add image: registry.example.com/app:1.4")
    if fleet == "process" and not worker.command:
        yield Finding(("command",), "is missing: add command: celery -A app worker, because the fleet is process")


def _worker(worker: WorkerSpec) -> Iterator[Finding]:
    if not worker.allow_unsafe:
        for path, what in unsafe(worker):
            yield Finding(path, f"{what}: remove it, or write allow_unsafe: true beside it if you mean it")
    if worker.stop_signal in _LOSES_TASKS:
        yield Finding(("stop_signal",), f"{worker.stop_signal} interrupts running tasks: write SIGTERM")
    if worker.networks and worker.network_mode:
        yield Finding(("network_mode",), "networks and network_mode are both given: keep one of them")
    for index, volume in enumerate(worker.volumes):
        if volume.startswith((".", "~")):
            yield Finding(("volumes", index), "Docker knows no relative paths: write an absolute path of the host, or a named volume")
    for key in worker.labels:
        if key.startswith(("autoscaler.", "com.docker.compose.")):
            why = "the autoscaler's own" if key.startswith("autoscaler.") else "Compose's, which would remove the workers"
            yield Finding(("labels", key), f"this label is {why}: use another name")
    for key in worker.environment:
        if not re.fullmatch(r"[^=\s\x00-\x1f]+", key):
            yield Finding(("environment",), "a name of a variable must not be empty or hold = or spaces")


def _command(pool: PoolSettings) -> Iterator[Finding]:
    """A command that would not obey, would not be recognised, or would leave a queue alone."""
    worker = pool.worker
    key = "command" if worker.command else "entrypoint"
    try:
        trouble = command.trouble_with_shell(command.words(worker))
    except ValueError:
        yield Finding((key,), "a quote is not closed: write the command as a list, one word per item")
        return
    if trouble:
        yield Finding((key,), trouble)
    name = command.node_name(worker)
    if name and name not in ("celery@{name}", "celery@%h"):
        yield Finding((key,), f"-n {name} gives the worker a name it is not known by: remove it, or write -n celery@{{name}}")
    consumed = command.queues(worker)
    missing = set(pool.queues) - {queue.strip() for queue in consumed.text.split(",")} if consumed else set()
    if consumed and missing:
        left = ", ".join(sorted(missing))
        yield Finding(("environment",) if "environment" in consumed.where else (key,), f"nobody would consume {left}: {consumed.where}")


def _slots(pool: PoolSettings) -> Iterator[Finding]:
    said = command.slots(pool.worker)
    if said and int(said.text) != pool.slots:
        given = "slots is" if "slots" in pool.model_fields_set else "slots is missing and counts as"
        yield Finding(("slots",), f"{given} {pool.slots}, but the worker runs {said.text} at once ({said.where}): write slots: {said.text}")
