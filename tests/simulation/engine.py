"""The simulated Docker engine: containers with labels, the requests that `DockerFleet` makes, and what goes wrong with them.

`Engine` stands where the daemon's own one stands, one request and its whole answer at a time; behind it `Docker` keeps the
containers of this host, ours and others'. Every request that changes something is told to `watch` before it is carried out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import unquote

from autoscaler.errors import FleetUnreachable
from autoscaler.fleet.docker_engine import Answer, Question
from autoscaler.fleet.docker_spec import INSTANCE, POOL

from .machine import Machine, Process
from .worker import Worker

NEVER = 86400.0


@dataclass(slots=True, eq=False)
class Box:
    """One container on the host."""

    id: str
    name: str
    labels: Mapping[str, str]
    image: str
    environment: Mapping[str, str]
    created: int
    """By the wall clock of the host, in whole seconds, as Docker says it."""
    born: float
    """By the machine's clock."""
    address: str
    state: str = "created"
    exit_code: int = 0
    oom: bool = False
    moved: bool = False
    """The name that its image was asked for by stands for another image now."""
    worker: Worker | None = None
    told: bool = False
    """It was asked to leave."""
    asked_at: float = -1.0
    """When that was last tried, also in vain."""
    unasked: bool = False
    """It was made after the engine had given up answering: nobody can know of it before it is listed."""

    @property
    def runs(self) -> bool:
        """Whether its process exists."""
        return self.state == "running"


@dataclass(frozen=True, slots=True)
class Change:
    """One request that changes something, as it reaches the engine."""

    at: float
    kind: str
    """create, start, stop, kill or remove."""
    name: str
    box: Box | None
    by: Process
    labels: Mapping[str, str]
    """Of the container to be made, or of the one to be changed."""
    late: bool = False
    """It happens long after the engine was asked, and nobody waits for it any more."""


@dataclass(slots=True)
class Trouble:
    """What is wrong with the engine at this moment."""

    down: bool = False
    hangs: bool = False
    stuck: float = 0.0
    """Beyond its own deadline a call is held for so long: an engine that drips its answer."""
    latency: float = 0.0
    list_latency: float = 0.0
    late: float | None = None
    """Answers to changes are lost, and the changes happen so many seconds later."""
    refuses: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Kind of change -> status and message of the refusal."""
    lists_everything: bool = False
    name_taken: bool = False
    """The next name that is asked for belongs to somebody else."""


class Docker:
    """The engine and its containers."""

    def __init__(self, machine: Machine, hire: Callable[[Box], Worker]) -> None:
        self.boxes: dict[str, Box] = {}
        self.trouble = Trouble()
        self.named_elsewhere = False
        """A name was taken by somebody else at least once: daemons without a common folder count on from different ones."""
        self.watch: Callable[[Change], None] = lambda change: None
        self.listed_at = -1e9
        """When a list last left for the daemon."""
        self._machine, self._hire = machine, hire
        self._serial = 0
        self._late = False

    def ours(self, instance: str) -> Iterator[Box]:
        """Every container of this instance."""
        return (box for box in self.boxes.values() if box.labels.get(INSTANCE) == instance and POOL in box.labels)

    def at(self, address: str) -> Box | None:
        """Who has this address now."""
        return next((box for box in self.boxes.values() if box.address == address and box.runs), None)

    def add(self, name: str, labels: Mapping[str, str], *, image: str = "somebody-elses", env: Mapping[str, str] | None = None) -> Box:
        """A container that is there from now on, not started yet."""
        self._serial += 1
        address = f"10.0.{self._serial // 250}.{self._serial % 250 + 1}"
        now = int(self._machine.wall)
        box = Box(f"{self._serial:012x}{'0' * 52}", name, labels, image, env or {}, now, self._machine.now, address)
        self.boxes[box.id] = box
        return box

    def begin(self, box: Box) -> None:
        """Its process starts."""
        box.state = "running"
        box.worker = self._hire(box)

        def ended(code: int, oom: bool) -> None:
            box.state, box.exit_code, box.oom = "exited", code, oom

        box.worker.on_exit = ended

    def drop(self, box: Box, cause: str) -> None:
        """Somebody else removes it by force."""
        if box.worker:
            box.worker.sigkill(cause)
        self.boxes.pop(box.id, None)

    # -------------------------------------------------------- requests

    def do(self, question: Question, by: Process, *, late: bool = False) -> Answer:
        """Carry one request out."""
        self._late = late
        head, *rest = [unquote(part) for part in question.path.strip("/").split("/")]
        if head == "images":
            return self._refusal("pull") or _said(200, {})
        if head != "containers":
            return _said(200, {})
        match question.method, rest:
            case "GET", ["json"]:
                return self._list(json.loads((question.params or {}).get("filters", "{}")))
            case "POST", ["create"]:
                return self._create((question.params or {})["name"], question.body or {}, by)
            case _, [key, *verb]:
                box = self.boxes.get(key) or next((b for b in self.boxes.values() if b.name == key), None)
                if box is None:
                    return _said(404, {"message": f"No such container: {key}"})
                return self._on_box(box, question, verb, by)
        return _said(404, {"message": "page not found"})

    def _on_box(self, box: Box, question: Question, verb: list[str], by: Process) -> Answer:
        match question.method, verb:
            case "GET", ["json"]:
                return _said(200, _inspected(box))
            case "GET", ["logs"]:
                return Answer(200, b"")
            case "POST", ["start"]:
                return self._change("start", box, by) or self._start(box)
            case "POST", ["kill"]:
                hard = (question.params or {}).get("signal") == "SIGKILL"
                return self._change("kill" if hard else "stop", box, by) or self._signal(box, hard=hard)
            case "DELETE", []:
                return self._change("remove", box, by) or self._remove(box, force="force" in (question.params or {}))
        return _said(404, {"message": "page not found"})

    def _list(self, filters: Mapping[str, list[str]]) -> Answer:
        if refusal := self._refusal("list"):
            return refusal
        wanted = [] if self.trouble.lists_everything else [line.partition("=") for line in filters.get("label", ())]
        boxes = [b for b in self.boxes.values() if all(b.labels.get(key) == value for key, _, value in wanted)]
        return _said(200, [_listed(box) for box in boxes])

    def _create(self, name: str, body: Mapping[str, Any], by: Process) -> Answer:
        labels = body.get("Labels", {})
        self.watch(Change(self._machine.now, "create", name, None, by, labels, self._late))
        if self.trouble.name_taken:
            self.trouble.name_taken, self.named_elsewhere = False, True
            self.add(name, {"com.docker.compose.project": "neighbour"}).state = "running"
        if refusal := self._refusal("create"):
            return refusal
        if any(box.name == name for box in self.boxes.values()):
            return _said(409, {"message": f'Conflict. The container name "/{name}" is already in use'})
        environment = dict(line.partition("=")[::2] for line in body.get("Env", ()))
        box = self.add(name, labels, image=body.get("Image", ""), env=environment)
        box.unasked = self._late
        return _said(201, {"Id": box.id})

    def _start(self, box: Box) -> Answer:
        if box.state == "created":
            self.begin(box)
        return Answer(204, b"")

    def _signal(self, box: Box, *, hard: bool) -> Answer:
        if not box.runs or box.worker is None:
            return _said(409, {"message": f"container {box.id} is not running"})
        box.told = box.told or not hard
        if hard:
            box.worker.sigkill("we killed its worker")
        else:
            box.worker.sigterm()
        return Answer(204, b"")

    def _remove(self, box: Box, *, force: bool) -> Answer:
        if box.runs and not force:
            return _said(409, {"message": "cannot remove a running container"})
        self.drop(box, "we removed its worker while it ran")
        return Answer(204, b"")

    def _change(self, kind: str, box: Box, by: Process) -> Answer | None:
        self.watch(Change(self._machine.now, kind, box.name, box, by, box.labels, self._late))
        if kind == "stop":
            box.asked_at = self._machine.now
        return self._refusal(kind)

    def _refusal(self, kind: str) -> Answer | None:
        refused = self.trouble.refuses.get(kind)
        return _said(refused[0], {"message": refused[1]}) if refused else None


class Engine:
    """Satisfies what `DockerFleet` needs of its engine; one for each daemon."""

    docker: Docker
    machine: Machine
    gate: Callable[[str], None]

    def __init__(self, host: str, timeout_seconds: float) -> None:
        self.host = host
        self._timeout = timeout_seconds

    def ask(self, question: Question) -> Answer:
        """One request and its answer, late, or never."""
        assert self.machine.current, "only a thread of the daemon asks the engine"
        process, trouble = self.machine.current.process, self.docker.trouble
        seconds, changes = question.seconds or self._timeout, question.method != "GET"
        self.gate(f"the engine is asked: {question.method} {question.path}")
        if trouble.down:
            raise FleetUnreachable("the Docker engine refuses connections: is it running?")
        if trouble.hangs or (changes and trouble.late is not None):
            if changes and trouble.late is not None:
                self.machine.later(trouble.late, partial(self.docker.do, question, process, late=True))
            self.machine.sleep(seconds + trouble.stuck)
            raise FleetUnreachable("the Docker engine did not answer in time")
        answer = self.docker.do(question, process)
        pause = trouble.latency + (0.0 if changes else trouble.list_latency)
        if pause:
            self.machine.sleep(min(pause, seconds))
        if pause > seconds:
            raise FleetUnreachable("the Docker engine did not answer in time")
        if question.path == "/containers/json" and answer.status == 200:
            self.docker.listed_at = self.machine.now
        self.gate(f"the engine has answered: {question.method} {question.path}")
        return answer

    def api_at_least(self, version: str) -> bool:
        """It speaks every version."""
        return True

    def credentials(self, repository: str) -> dict[str, str]:
        """Nobody needs any."""
        return {}


def _said(status: int, value: Any) -> Answer:
    return Answer(status, json.dumps(value).encode())


def _listed(box: Box) -> dict[str, Any]:
    status = {"created": "Created", "running": "Up 2 seconds"}.get(box.state, f"Exited ({box.exit_code}) 1 second ago")
    networks = {"bridge": {"IPAddress": box.address if box.runs else ""}}
    return {
        "Id": box.id,
        "Names": [f"/{box.name}"],
        "Image": f"sha256:{box.id}" if box.moved else box.image,
        "ImageID": f"sha256:{box.id}",
        "State": box.state,
        "Status": status,
        "Created": box.created,
        "Labels": dict(box.labels),
        "NetworkSettings": {"Networks": networks},
        "HostConfig": {"NetworkMode": "bridge"},
    }


def _inspected(box: Box) -> dict[str, Any]:
    state = {"Status": box.state, "Running": box.runs, "ExitCode": box.exit_code, "OOMKilled": box.oom}
    return {"Id": box.id, "Name": f"/{box.name}", "State": state, "Config": {"Labels": dict(box.labels)}}
