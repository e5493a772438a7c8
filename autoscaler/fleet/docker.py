"""Workers as containers of one Docker engine.

The loop's eyes ask for the list, its hands call start, stop and remove; each call here is one to three requests to the engine
(`docker_engine.py`). A worker is ours when its `autoscaler.instance` label says so: labels never change in a container's
life, so an id that was once listed with ours stays ours, and any other id is inspected before it is touched.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from docker.utils import parse_repository_tag

from autoscaler.config.worker import WorkerSpec
from autoscaler.errors import ActError, ContainerGone, FleetUnreachable, Refusal, StartRefused
from autoscaler.fleet.docker_check import problems
from autoscaler.fleet.docker_engine import Answer, Engine, Question
from autoscaler.fleet.docker_entry import container_of
from autoscaler.fleet.docker_host import HostLook
from autoscaler.fleet.docker_logs import LINES, LOG_BYTES, tail
from autoscaler.fleet.docker_spec import INSTANCE, POOL, STOP_SIGNAL, create_body, labels
from autoscaler.model import Container, Exit, Host

PULL_SECONDS = 900.0
"""A pull may take this long; starts of other pools go on meanwhile."""
LOG_SECONDS = 5.0
NAME_LOOKS, NAME_PAUSE_SECONDS = 20, 0.1
SEVERAL_NETWORKS = "1.44"
"""The first API version that joins a container to several networks when it is created."""
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}")


class DockerFleet:
    """Keeps workers as containers of the engine at `host`, under the name `instance`; satisfies the fleet's contract.

    Nothing is asked of the engine before the first call, so a daemon may start before its engine. One call takes
    `timeout_seconds` at most for each request it makes; only pulling an image may take longer.
    """

    def __init__(self, host: str, instance: str, timeout_seconds: float) -> None:
        self._engine = Engine(host, timeout_seconds)
        self._instance = instance
        self._timeout = timeout_seconds
        self._host = HostLook(self._engine, instance)
        self._signals: Mapping[str, str] = {}
        """Stop signal by id of the containers that the last list showed; replaced whole, never changed."""

    def containers(self) -> tuple[Container, ...]:
        """Every worker of this instance, with one request."""
        filters = json.dumps({"label": [f"{INSTANCE}={self._instance}"]})
        answer = self._engine.ask(Question("GET", "/containers/json", {"all": "1", "filters": filters}))
        if answer.status != 200:
            raise FleetUnreachable(f"the Docker engine does not list its containers: {answer.words}")
        try:
            # The filter is the engine's promise; that nothing foreign is listed is ours.
            ours = [entry for entry in answer.value if self._is_ours(entry["Labels"])]
            found = tuple(container_of(entry) for entry in ours)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise FleetUnreachable(f"the Docker engine's list of containers cannot be read: {error!r}") from error
        self._signals = {entry["Id"]: entry["Labels"].get(STOP_SIGNAL, "SIGTERM") for entry in ours}
        return found

    def host(self) -> Host | None:
        """The machine under the engine, with what containers of others may take of it."""
        return self._host.look()

    def start(self, name: str, pool: str, worker: WorkerSpec, environment: Mapping[str, str], broker: str = "") -> None:
        """Create and start one worker.

        A refusal leaves nothing behind. When an answer is lost, what was created is left to the next list: asking an
        engine that does not answer to clean up would only take as long again.
        """
        if not _NAME.fullmatch(name):
            raise StartRefused(f"{name!r} cannot be the name of a container")
        body = create_body(name, labels(pool, self._instance, worker, broker), worker, environment)
        if worker.pull_policy == "always":
            self._pull(worker.image or "")
        container_id = self._create(name, body, may_pull=worker.pull_policy == "missing")
        if container_id is None:
            return
        try:
            self._run(container_id, body)
        except StartRefused:
            with contextlib.suppress(FleetUnreachable):
                self._engine.ask(Question("DELETE", f"/containers/{container_id}", {"v": "1"}))
            raise

    def stop(self, container_id: str, *, kill: bool = False) -> None:
        """Send the worker's own stop signal, or SIGKILL, and return at once.

        A container that is not ours, or does not run, is as good as gone to us: ContainerGone.
        """
        signal = self._signals.get(container_id) or self._inspect(container_id)["Config"]["Labels"].get(STOP_SIGNAL, "SIGTERM")
        answer = self._engine.ask(Question("POST", f"/containers/{quote(container_id)}/kill", {"signal": "SIGKILL" if kill else signal}))
        if answer.status in (404, 409):
            raise ContainerGone(f"{container_id[:12]} does not run any more")
        _require(answer, "the engine did not signal the worker")

    def last_words(self, container_id: str) -> tuple[str, ...]:
        """The end of its log; ContainerGone for one that is not ours."""
        if container_id not in self._signals:
            self._inspect(container_id)
        return self._log(container_id)

    def _log(self, container_id: str) -> tuple[str, ...]:
        """The end of a log; one that cannot be read costs these lines and nothing else."""
        asked = {"stdout": "1", "stderr": "1", "tail": str(LINES)}
        path = f"/containers/{quote(container_id)}/logs"
        try:
            answer = self._engine.ask(Question("GET", path, asked, seconds=min(LOG_SECONDS, self._timeout), limit=LOG_BYTES, cut=True))
        except FleetUnreachable:
            return ()
        return tail(answer.body) if answer.status == 200 else ()

    def remove(self, container_id: str) -> Exit:
        """Remove a worker that has ended or never started; its exit code, whether memory ran out and its last words are kept."""
        state = self._inspect(container_id)["State"]
        if state.get("Running") or state.get("Paused") or state.get("Restarting"):
            raise ActError(f"{container_id[:12]} still runs: it has to be stopped before it can be removed")
        ended = self._ended(container_id, state)
        # Without `force`: should it have been started by somebody in the meantime, the engine refuses.
        answer = self._engine.ask(Question("DELETE", f"/containers/{quote(container_id)}", {"v": "1"}))
        if answer.status in (404, 409):
            raise ContainerGone(f"{container_id[:12]} is being removed by somebody else")
        _require(answer, "the engine did not remove the container")
        return ended

    def check(self, workers: Mapping[str, WorkerSpec]) -> tuple[str, ...]:
        """What would keep the workers of these pools from being started, in words that say what to do; changes nothing."""
        return problems(self._engine, self._instance, workers)

    def _is_ours(self, labels: Mapping[str, str] | None) -> bool:
        return labels is not None and labels.get(INSTANCE) == self._instance and POOL in labels

    def _inspect(self, id_or_name: str) -> dict[str, Any]:
        """All about one container of ours; ContainerGone for any other."""
        answer = self._engine.ask(Question("GET", f"/containers/{quote(id_or_name)}/json"))
        if answer.status == 404:
            raise ContainerGone(f"{id_or_name[:40]} does not exist any more")
        _require(answer, "the engine did not show the container")
        found: dict[str, Any] = answer.value
        if not self._is_ours(found["Config"]["Labels"]):
            raise ContainerGone(f"{id_or_name[:40]} is not a worker of {self._instance}")
        return found

    def _create(self, name: str, body: Mapping[str, Any], *, may_pull: bool) -> str | None:
        """Id of the new container, or of one of ours that waits for its start under this name; None when it runs already."""
        asked = self._body_for_engine(body)
        answer = self._engine.ask(Question("POST", "/containers/create", {"name": name}, asked))
        if answer.status == 404 and may_pull:
            self._pull(body["Image"])
            answer = self._engine.ask(Question("POST", "/containers/create", {"name": name}, asked))
        if answer.status == 409:
            return self._earlier(name)
        if answer.status == 404:
            text = f"image {body['Image']} is not on the Docker host: pull or build it there ({answer.words})"
            raise StartRefused(text, Refusal.IMAGE_MISSING)
        _require_start(answer, "the engine refuses this worker")
        return str(answer.value["Id"])

    def _body_for_engine(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Older engines take one network at creation; the others are joined before the start."""
        endpoints = body.get("NetworkingConfig", {}).get("EndpointsConfig", {})
        if len(endpoints) < 2 or self._engine.api_at_least(SEVERAL_NETWORKS):
            return body
        return {**body, "NetworkingConfig": {"EndpointsConfig": dict(list(endpoints.items())[:1])}}

    def _earlier(self, name: str) -> str | None:
        """The name is taken: by an earlier call of ours whose answer was lost, or by somebody else."""
        found = self._named(name)
        if not self._is_ours(found["Config"]["Labels"]):
            raise StartRefused(f"the name {name} is taken by a container that is not a worker of {self._instance}", Refusal.NAME_TAKEN)
        match found["State"]["Status"]:
            case "created":
                return str(found["Id"])
            case "exited" | "dead" | "removing":
                raise StartRefused(f"the name {name} belongs to a worker that has ended, and names are not used twice", Refusal.NAME_TAKEN)
        return None

    def _named(self, name: str) -> dict[str, Any]:
        """The container of this name; the engine takes a name a moment before it shows who has it."""
        for _ in range(NAME_LOOKS):
            answer = self._engine.ask(Question("GET", f"/containers/{name}/json"))
            if answer.status == 200:
                found: dict[str, Any] = answer.value
                return found
            time.sleep(NAME_PAUSE_SECONDS)
        raise StartRefused(f"the name {name} is taken, and the engine does not show by whom: {answer.words}", Refusal.NAME_TAKEN)

    def _run(self, container_id: str, body: Mapping[str, Any]) -> None:
        """Join what networks are missing, and start."""
        endpoints = body.get("NetworkingConfig", {}).get("EndpointsConfig", {})
        joined = self._body_for_engine(body).get("NetworkingConfig", {}).get("EndpointsConfig", {})
        for network in endpoints.keys() - joined.keys():
            answer = self._engine.ask(Question("POST", f"/networks/{quote(network)}/connect", body={"Container": container_id}))
            _require_start(answer, f"the worker cannot join network {network}")
        answer = self._engine.ask(Question("POST", f"/containers/{container_id}/start"))
        if answer.status == 404:
            networks = ", ".join(endpoints) or "its network"
            text = f"a network does not exist ({networks}): create it or correct worker.networks ({answer.words})"
            raise StartRefused(text, Refusal.NETWORK_MISSING)
        _require_start(answer, "the engine cannot start this worker")

    def _pull(self, image: str) -> None:
        """Fetch the image from its registry; the engine does it once for calls at the same time."""
        repository, tag = parse_repository_tag(image)
        asked = {"fromImage": repository, "tag": tag or "latest"}
        headers = self._engine.credentials(repository)
        answer = self._engine.ask(Question("POST", "/images/create", asked, headers=headers, seconds=PULL_SECONDS))
        # Progress comes as one JSON object per line, and so does an error after a good beginning.
        if not answer.is_done or b'"errorDetail"' in answer.body:
            words = answer.words if not answer.is_done else answer.last_words
            raise StartRefused(f"image {image} cannot be pulled: pull or build it on the Docker host ({words})", Refusal.PULL_FAILED)

    def _ended(self, container_id: str, state: Mapping[str, Any]) -> Exit:
        """How it ended, with its last words."""
        if state["Status"] == "created":
            return Exit(None, log_tail=tuple(filter(None, [state.get("Error")])))
        return Exit(state.get("ExitCode"), bool(state.get("OOMKilled")), self._log(container_id))


def _require(answer: Answer, text: str) -> None:
    """Nothing when it was done; else the engine's own words after ours."""
    if not answer.is_done:
        raise ActError(f"{text}: {answer.words}")


def _require_start(answer: Answer, text: str) -> None:
    """The same for a step of a start, which may fail for want of room."""
    if answer.is_done:
        return
    if "no space left" in answer.words:
        raise StartRefused(f"{text}: {answer.words} - free some disk on the Docker host: docker system prune", Refusal.NO_ROOM)
    raise StartRefused(f"{text}: {answer.words}")
