"""`autoscaler check` for a Docker fleet: would the workers of these pools start? Asked without changing anything.

What a socket proxy does not let us see (images, networks) is not needed for scaling either, so it is passed over in silence.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from docker.utils import parse_repository_tag

from autoscaler.config.worker import WorkerSpec
from autoscaler.errors import FleetUnreachable, StartRefused
from autoscaler.fleet.docker_engine import Answer, Engine, Question
from autoscaler.fleet.docker_spec import create_body

_GIVEN_BY_THE_ENGINE = frozenset({"bridge", "host", "none", "default"})


def problems(engine: Engine, instance: str, workers: Mapping[str, WorkerSpec]) -> tuple[str, ...]:
    """Every problem of these pools' workers by name; first of all, whether the engine lets us list and start."""
    try:
        engine.ask(Question("GET", "/containers/json", {"limit": "1"}))
        # Done to a container that does not exist: an engine says 404, a proxy that forbids it says so.
        nobody = f"/containers/autoscaler-check-{uuid.uuid4().hex}"
        for question in (Question("POST", f"{nobody}/start"), Question("POST", f"{nobody}/kill"), Question("DELETE", nobody)):
            engine.ask(question)
        return tuple(f"pool {pool}: {text}" for pool, worker in workers.items() for text in _of_worker(engine, instance, pool, worker))
    except FleetUnreachable as error:
        return (str(error),)


def _of_worker(engine: Engine, instance: str, pool: str, worker: WorkerSpec) -> Iterator[str]:
    try:
        create_body(f"{instance}-{pool}-check", {}, worker, {})
    except StartRefused as error:
        yield str(error)
        return
    yield from _image(engine, worker)
    for network in worker.networks or filter(None, [worker.network_mode]):
        if network not in _GIVEN_BY_THE_ENGINE and _is_missing(engine, f"/networks/{quote(network)}"):
            yield f"network {network} does not exist: docker network create {network}, or take a name that `docker network ls` shows"


def _image(engine: Engine, worker: WorkerSpec) -> Iterator[str]:
    image = worker.image or ""
    if not _is_missing(engine, f"/images/{quote(image, safe='/:@')}/json"):
        return
    if worker.pull_policy == "never":
        yield f"image {image} is not on the Docker host and pull_policy is never: pull or build it there"
        return
    repository, _ = parse_repository_tag(image)
    offered = _ask(engine, f"/distribution/{quote(image, safe='/:@')}/json", engine.credentials(repository))
    if offered and not offered.is_done:
        yield f"image {image} is not on the Docker host and cannot be pulled: pull or build it there ({offered.words})"


def _is_missing(engine: Engine, path: str) -> bool:
    answer = _ask(engine, path, {})
    return answer is not None and answer.status == 404


def _ask(engine: Engine, path: str, headers: Mapping[str, str]) -> Answer | None:
    """The answer, None where we may not look."""
    try:
        return engine.ask(Question("GET", path, headers=headers))
    except FleetUnreachable:
        return None
