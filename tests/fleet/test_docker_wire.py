"""What the Docker fleet asks an engine, and what it makes of every kind of answer."""

from __future__ import annotations

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from scripted_engine import PROXY_PAGE, Reply, Says, ScriptedEngine, breaks_off, drips, floods, hangs, hangs_up

from autoscaler.config.worker import WorkerSpec
from autoscaler.errors import ActError, ContainerGone, FleetUnreachable, Refusal, StartRefused
from autoscaler.fleet.docker import DockerFleet
from autoscaler.fleet.docker_errors import unreachable
from autoscaler.model import Container, ContainerState, Exit

LIST = "GET /containers/json"
CREATE = "POST /containers/create"
NAME = "main-web-1a2b3c"
ID = "f" * 64


def an_entry(**changes: Any) -> dict[str, Any]:
    """A running worker of instance `main` as the engine lists it, with these changes; labels are added to ours."""
    labels = {"autoscaler.instance": "main", "autoscaler.pool": "web", "autoscaler.spec": "abc"} | changes.pop("Labels", {})
    networks = {"Networks": {"backend": {"IPAddress": "172.18.0.3"}}}
    plain = {"Id": ID, "Names": [f"/{NAME}"], "State": "running", "Status": "Up 3 seconds", "Created": 1_795_000_000}
    return plain | {"Labels": labels, "HostConfig": {"NetworkMode": "backend"}, "NetworkSettings": networks} | changes


def a_worker(**keys: Any) -> WorkerSpec:
    return WorkerSpec.model_validate({"image": "app:1", "pull_policy": "never"} | keys)


def inspected(status: str, instance: str = "main", **state: Any) -> Says:
    """What the engine tells about one container."""
    labels = {"autoscaler.instance": instance, "autoscaler.pool": "web", "autoscaler.stop_signal": "SIGUSR1"}
    running = {"Running": status == "running", "Status": status, "ExitCode": 0, "OOMKilled": False}
    return Says(200, {"Id": ID, "Config": {"Labels": labels}, "State": running | state})


class TestList:
    """One look at all workers."""

    def test_one_request(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """However many workers there are, they are listed with one request, ended ones included, and only ours."""
        scripted.on(LIST, Says(200, [an_entry(Id=f"{n:064x}", Names=[f"/main-web-{n:06x}"]) for n in range(50)]))

        assert len(scripted_fleet.containers()) == 50
        assert scripted.questions == [LIST]
        assert scripted.query_of(LIST) == {"all": "1", "filters": '{"label": ["autoscaler.instance=main"]}'}

    def test_a_whole_container(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """Everything the loop needs to know stands in the list."""
        scripted.on(LIST, Says(200, [an_entry(Labels={"autoscaler.metrics_port": "9100"})]))

        expected = Container(ID, NAME, "web", ContainerState.RUNNING, 1_795_000_000.0, "abc", None, "172.18.0.3:9100")
        assert (expected,) == scripted_fleet.containers()

    @pytest.mark.parametrize(
        ("state", "status", "expected", "code"),
        [
            ("created", "Created", ContainerState.CREATED, None),
            ("running", "Up 2 hours (healthy)", ContainerState.RUNNING, None),
            ("paused", "Up 2 hours (Paused)", ContainerState.RUNNING, None),
            ("restarting", "Restarting (1) 2 seconds ago", ContainerState.RUNNING, None),
            ("exited", "Exited (0) 3 seconds ago", ContainerState.EXITED, 0),
            ("exited", "Exited (137) Less than a second ago", ContainerState.EXITED, 137),
            ("removing", "Removal In Progress", ContainerState.EXITED, None),
            ("dead", "Dead", ContainerState.EXITED, None),
            ("of tomorrow", "", ContainerState.RUNNING, None),
        ],
    )
    def test_states(
        self, scripted: ScriptedEngine, scripted_fleet: DockerFleet, state: str, status: str, expected: ContainerState, code: int | None
    ) -> None:
        """Each of the engine's states is one of ours; what we do not know may hold a task."""
        scripted.on(LIST, Says(200, [an_entry(State=state, Status=status)]))

        (container,) = scripted_fleet.containers()
        assert (expected, code) == (container.state, container.exit_code)

    @pytest.mark.parametrize(
        ("networks", "mode", "expected"),
        [
            pytest.param({"a": "10.0.0.1", "b": "10.0.1.1"}, "b", "10.0.1.1:9100", id="the first configured"),
            pytest.param({"a": "10.0.0.1", "b": ""}, "b", "10.0.0.1:9100", id="another, where the first has none"),
            pytest.param({"host": ""}, "host", None, id="the host's network"),
            pytest.param({}, "none", None, id="no network"),
        ],
    )
    def test_metrics_address(
        self, scripted: ScriptedEngine, scripted_fleet: DockerFleet, networks: dict[str, str], mode: str, expected: str | None
    ) -> None:
        """A worker's page is found in its first network, or in any that gives it an address."""
        addresses = {"Networks": {name: {"IPAddress": address} for name, address in networks.items()}}
        labels = {"autoscaler.metrics_port": "9100"}
        scripted.on(LIST, Says(200, [an_entry(Labels=labels, HostConfig={"NetworkMode": mode}, NetworkSettings=addresses)]))

        assert expected == scripted_fleet.containers()[0].metrics

    def test_foreign_ones_are_left_out(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """What an engine or proxy lists although nobody asked for it is not ours."""
        foreign = [an_entry(Labels={"autoscaler.instance": "other"}), an_entry() | {"Labels": None}, an_entry() | {"Labels": {}}]
        scripted.on(LIST, Says(200, foreign))

        assert scripted_fleet.containers() == ()

    @pytest.mark.parametrize(
        "reply",
        [
            pytest.param(Says(200, b"[{"), id="half JSON"),
            pytest.param(Says(200, {"not": "a list"}), id="no list"),
            pytest.param(Says(200, [{"Labels": {"autoscaler.instance": "main", "autoscaler.pool": "w"}}]), id="entry without id"),
            pytest.param(Says(200, [7]), id="entry of another kind"),
            pytest.param(Says(500, {"message": "database is locked"}), id="engine in trouble"),
            pytest.param(Says(503, b"<html>no server</html>"), id="proxy without engine"),
            pytest.param(Says(302, b""), id="redirect"),
            pytest.param(breaks_off, id="broken off"),
        ],
    )
    def test_unusable_answer_is_not_empty(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet, reply: Reply) -> None:
        """An answer that cannot be read is no sight at all, never a fleet without workers."""
        scripted.on(LIST, reply)

        with pytest.raises(FleetUnreachable):
            scripted_fleet.containers()

    def test_a_broken_connection_is_told_in_words(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """A restarted engine or proxy hangs up: said without the libraries' own wrappings."""
        scripted.on(LIST, hangs_up)

        with pytest.raises(FleetUnreachable, match=r"hung up; what it was asked may still happen$"):
            scripted_fleet.containers()

    @pytest.mark.parametrize("reply", [hangs, drips], ids=["hangs", "drips"])
    def test_slow_answer_ends_in_time(self, scripted: ScriptedEngine, impatient_fleet: DockerFleet, reply: Reply) -> None:
        """An engine that does not answer, or not in one piece, holds nobody longer than the timeout."""
        scripted.on(LIST, reply)
        begun = time.monotonic()

        with pytest.raises(FleetUnreachable, match="did not answer in time"):
            impatient_fleet.containers()

        assert time.monotonic() - begun < 4

    def test_endless_answer_is_cut(self, scripted: ScriptedEngine) -> None:
        """An answer that does not end is given up before it fills the memory."""
        scripted.on(LIST, floods)

        with pytest.raises(FleetUnreachable, match="more than"):
            DockerFleet(scripted.host, "main", timeout_seconds=10).containers()


class TestConnection:
    """Getting to the engine, and back to it."""

    def test_engine_may_come_later(self, tmp_path: Path) -> None:
        """A fleet can be made while its engine is down; the first look says what is missing."""
        fleet = DockerFleet(f"unix://{tmp_path}/docker.sock", "main", timeout_seconds=0.5)

        with pytest.raises(FleetUnreachable, match="there is no Docker socket at"):
            fleet.containers()

    def test_nobody_listens(self, tmp_path: Path) -> None:
        """A socket that was left behind by a dead engine is told from none."""
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(f"{tmp_path}/docker.sock")

        with pytest.raises(FleetUnreachable, match="nobody listens"):
            DockerFleet(f"unix://{tmp_path}/docker.sock", "main", timeout_seconds=0.5).containers()

    def test_no_permission(self, scripted: ScriptedEngine) -> None:
        """Without the socket's group, the message names the group; root, who may run this test, is never refused."""
        refused = requests.ConnectionError("Connection aborted.")
        refused.__context__ = PermissionError(13, "Permission denied")

        assert f'group_add: ["{os.getegid()}"]' in str(unreachable(scripted.host, refused))

    def test_proxy_forbids(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """A socket proxy's page of refusal becomes the names of what to allow."""
        scripted.on(LIST, Says(403, PROXY_PAGE))
        scripted.on(CREATE, Says(403, PROXY_PAGE))

        with pytest.raises(FleetUnreachable, match=r"allow CONTAINERS$"):
            scripted_fleet.containers()
        with pytest.raises(FleetUnreachable, match=r"allow POST and CONTAINERS$"):
            scripted_fleet.start(NAME, "web", a_worker(), {})

    def test_version_is_asked_for_once(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """Requests are made in the engine's own version of the API."""
        scripted.on(LIST, Says(200, []))

        scripted_fleet.containers()
        scripted_fleet.containers()

        assert [asked.version for asked in scripted.asked] == ["1.51", "1.51"]

    def test_older_engine_comes_up(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """When another engine version answers at the same address, the request that it refuses is made again in its words."""
        scripted.on(LIST, Says(200, []))
        scripted_fleet.containers()
        scripted.api_version = "1.44"

        assert scripted_fleet.containers() == ()
        assert [asked.version for asked in scripted.asked] == ["1.51", "1.51", "1.44"]

    def test_works_again_after_trouble(self, scripted: ScriptedEngine, impatient_fleet: DockerFleet) -> None:
        """A look that failed leaves nothing behind that could make the next one fail."""
        scripted.on(LIST, hangs, breaks_off, Says(200, [an_entry()]))

        for _ in range(2):
            with pytest.raises(FleetUnreachable):
                impatient_fleet.containers()

        assert len(impatient_fleet.containers()) == 1

    def test_many_threads(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """Several threads use one fleet at once, from the very first call."""
        scripted.on(LIST, Says(200, [an_entry()]))

        with ThreadPoolExecutor(12) as pool:
            counts = list(pool.map(lambda _: len(scripted_fleet.containers()), range(120)))

        assert counts == [1] * 120

    def test_one_call_in_trouble_disturbs_no_other(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """While some calls break off and the fleet connects anew, those beside them end well."""
        scripted.on(LIST, *[breaks_off if n % 6 == 0 else Says(200, [an_entry()]) for n in range(120)])

        def look(_: int) -> int:
            try:
                return len(scripted_fleet.containers())
            except FleetUnreachable:
                return -1

        with ThreadPoolExecutor(8) as pool:
            counts = list(pool.map(look, range(120)))

        assert (counts.count(1), counts.count(-1)) == (100, 20)


class TestStart:
    """Create, join, start; and nothing left of what was refused."""

    def test_two_requests(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """A worker is created under its name and started."""
        scripted.on(CREATE, Says(201, {"Id": ID}))
        scripted.on(f"POST /containers/{ID}/start", Says(204))

        scripted_fleet.start(NAME, "web", a_worker(), {"AUTOSCALER_POOL": "web"})

        assert scripted.questions == [CREATE, f"POST /containers/{ID}/start"]
        assert scripted.query_of(CREATE) == {"name": NAME}
        assert scripted.body_of(CREATE)["Env"] == ["AUTOSCALER_POOL=web"]

    def test_several_networks_at_once(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """A modern engine joins all networks at the creation."""
        scripted.on(CREATE, Says(201, {"Id": ID}))
        scripted.on(f"POST /containers/{ID}/start", Says(204))

        scripted_fleet.start(NAME, "web", a_worker(networks=["a", "b"]), {})

        assert scripted.body_of(CREATE)["NetworkingConfig"] == {"EndpointsConfig": {"a": {}, "b": {}}}
        assert len(scripted.asked) == 2

    def test_several_networks_on_an_old_engine(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """An engine that takes one network at the creation gets the others before the start."""
        scripted.api_version = "1.41"
        scripted.on(CREATE, Says(201, {"Id": ID}))
        scripted.on("POST /networks/b/connect", Says(200))
        scripted.on(f"POST /containers/{ID}/start", Says(204))

        scripted_fleet.start(NAME, "web", a_worker(networks=["a", "b"]), {})

        assert scripted.questions == [CREATE, "POST /networks/b/connect", f"POST /containers/{ID}/start"]
        assert scripted.body_of(CREATE)["NetworkingConfig"] == {"EndpointsConfig": {"a": {}}}
        assert scripted.body_of("POST /networks/b/connect") == {"Container": ID}

    @pytest.mark.parametrize(
        ("reply", "text", "why"),
        [
            pytest.param(
                Says(404, {"message": "network x not found"}), "network does not exist", Refusal.NETWORK_MISSING, id="no network"
            ),
            pytest.param(Says(400, {"message": "exec: no such file"}), "exec: no such file", Refusal.OTHER, id="bad command"),
            pytest.param(Says(500, {"message": "write: no space left on device"}), "docker system prune", Refusal.NO_ROOM, id="disk full"),
        ],
    )
    def test_refused_start_is_cleaned_up(
        self, scripted: ScriptedEngine, scripted_fleet: DockerFleet, reply: Says, text: str, why: Refusal
    ) -> None:
        """A container that cannot be started is removed, without force, and the refusal says what to do."""
        scripted.on(CREATE, Says(201, {"Id": ID}))
        scripted.on(f"POST /containers/{ID}/start", reply)
        scripted.on(f"DELETE /containers/{ID}", Says(204))

        with pytest.raises(StartRefused, match=text) as refused:
            scripted_fleet.start(NAME, "web", a_worker(networks=["x"]), {})

        assert refused.value.why is why
        assert scripted.questions[-1] == f"DELETE /containers/{ID}"
        assert scripted.query_of(f"DELETE /containers/{ID}") == {"v": "1"}

    def test_lost_answer_to_a_start(self, scripted: ScriptedEngine, impatient_fleet: DockerFleet) -> None:
        """A start without an answer may have worked, so the container is left alone."""
        scripted.on(CREATE, Says(201, {"Id": ID}))
        scripted.on(f"POST /containers/{ID}/start", hangs)

        with pytest.raises(FleetUnreachable, match="may still happen"):
            impatient_fleet.start(NAME, "web", a_worker(), {})

        assert scripted.questions == [CREATE, f"POST /containers/{ID}/start"]

    def test_passwords_are_not_repeated(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """What the engine quotes of the worker's environment loses its password."""
        scripted.on(CREATE, Says(400, {"message": "bad variable redis://user:s3cret@redis/0"}))

        with pytest.raises(StartRefused) as refused:
            scripted_fleet.start(NAME, "web", a_worker(), {})

        assert "s3cret" not in str(refused.value)


class TestTakenName:
    """The engine says that the name is taken."""

    @pytest.fixture(autouse=True)
    def _taken(self, scripted: ScriptedEngine) -> None:
        scripted.on(CREATE, Says(409, {"message": "Conflict. The container name is already in use"}))
        scripted.on(f"POST /containers/{ID}/start", Says(204))

    def test_by_our_running_worker(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """It runs since a call whose answer was lost: nothing is left to do."""
        scripted.on(f"GET /containers/{NAME}/json", inspected("running"))

        scripted_fleet.start(NAME, "web", a_worker(), {})

        assert scripted.questions == [CREATE, f"GET /containers/{NAME}/json"]

    def test_by_our_created_worker(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """It was created and the start was lost: it is started."""
        scripted.on(f"GET /containers/{NAME}/json", inspected("created"))

        scripted_fleet.start(NAME, "web", a_worker(), {})

        assert scripted.questions[-1] == f"POST /containers/{ID}/start"

    def test_just_being_taken(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """The engine takes a name a moment before it shows the container."""
        scripted.on(f"GET /containers/{NAME}/json", Says(404, {"message": "No such container"}), inspected("running"))

        scripted_fleet.start(NAME, "web", a_worker(), {})

        assert scripted.questions.count(f"GET /containers/{NAME}/json") == 2

    @pytest.mark.parametrize(
        ("found", "text"),
        [
            pytest.param(inspected("exited"), "has ended", id="our ended worker"),
            pytest.param(inspected("running", instance="other"), "not a worker of main", id="another instance"),
            pytest.param(Says(200, {"Id": ID, "Config": {"Labels": None}, "State": {"Status": "running"}}), "not a worker", id="anybody"),
        ],
    )
    def test_by_somebody_else(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet, found: Says, text: str) -> None:
        """A name that is not free for us is refused, and its owner is not touched."""
        scripted.on(f"GET /containers/{NAME}/json", found)

        with pytest.raises(StartRefused, match=text) as refused:
            scripted_fleet.start(NAME, "web", a_worker(), {})

        assert refused.value.why is Refusal.NAME_TAKEN
        assert scripted.questions == [CREATE, f"GET /containers/{NAME}/json"]


class TestPull:
    """When an image is fetched, and when not."""

    PULL = "POST /images/create"

    @pytest.fixture(autouse=True)
    def _created(self, scripted: ScriptedEngine) -> None:
        scripted.on(CREATE, Says(404, {"message": "No such image: app:1"}), Says(201, {"Id": ID}))
        scripted.on(f"POST /containers/{ID}/start", Says(204))
        scripted.on(self.PULL, Says(200, b'{"status":"Pulling"}\n{"status":"Downloaded"}\n'))

    def test_missing_image_is_pulled(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """By default an image is fetched only when the engine does not have it."""
        scripted_fleet.start(NAME, "web", a_worker(image="reg.example/team/app:1", pull_policy="missing"), {})

        assert scripted.questions == [CREATE, self.PULL, CREATE, f"POST /containers/{ID}/start"]
        assert scripted.query_of(self.PULL) == {"fromImage": "reg.example/team/app", "tag": "1"}

    def test_always(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """With `always` it is fetched first, and without a tag only the latest."""
        scripted.on(CREATE, Says(201, {"Id": ID}))

        scripted_fleet.start(NAME, "web", a_worker(image="app", pull_policy="always"), {})

        assert scripted.questions == [self.PULL, CREATE, f"POST /containers/{ID}/start"]
        assert scripted.query_of(self.PULL) == {"fromImage": "app", "tag": "latest"}

    def test_never(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """With `never` a missing image is a refusal."""
        with pytest.raises(StartRefused, match="image app:1 is not on the Docker host") as refused:
            scripted_fleet.start(NAME, "web", a_worker(), {})

        assert refused.value.why is Refusal.IMAGE_MISSING
        assert scripted.questions == [CREATE]

    def test_failure_after_a_good_beginning(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """A pull that begins with 200 and ends in an error has failed."""
        scripted.on(self.PULL, Says(200, b'{"status":"Pulling"}\n{"errorDetail":{"message":"denied"},"error":"denied"}\n'))

        with pytest.raises(StartRefused, match=r"cannot be pulled.*denied") as refused:
            scripted_fleet.start(NAME, "web", a_worker(pull_policy="missing"), {})

        assert refused.value.why is Refusal.PULL_FAILED


class TestStop:
    """A signal, to nobody but our own."""

    KILL = f"POST /containers/{ID}/kill"

    def test_listed_worker_gets_its_own_signal(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """One request is enough for a worker that was listed: its label says which signal it wants."""
        scripted.on(LIST, Says(200, [an_entry(Labels={"autoscaler.stop_signal": "SIGUSR1"})]))
        scripted.on(self.KILL, Says(204))
        scripted_fleet.containers()

        scripted_fleet.stop(ID)

        assert scripted.questions == [LIST, self.KILL]
        assert scripted.query_of(self.KILL) == {"signal": "SIGUSR1"}

    def test_kill(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """A kill is a kill, whatever signal the worker wants; one that was not listed is looked at first."""
        scripted.on(f"GET /containers/{ID}/json", inspected("running"))
        scripted.on(self.KILL, Says(204))

        scripted_fleet.stop(ID, kill=True)

        assert scripted.questions == [f"GET /containers/{ID}/json", self.KILL]
        assert scripted.query_of(self.KILL) == {"signal": "SIGKILL"}

    def test_foreign_container_is_not_touched(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """Another instance's worker is as good as gone to us: no signal is sent."""
        scripted.on(f"GET /containers/{ID}/json", inspected("running", instance="other"))

        with pytest.raises(ContainerGone, match="not a worker of main"):
            scripted_fleet.stop(ID)

        assert scripted.questions == [f"GET /containers/{ID}/json"]

    @pytest.mark.parametrize("status", [404, 409])
    def test_gone(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet, status: int) -> None:
        """One that ended in the meantime is what we wanted."""
        scripted.on(LIST, Says(200, [an_entry()]))
        scripted.on(self.KILL, Says(status, {"message": "is not running"}))
        scripted_fleet.containers()

        with pytest.raises(ContainerGone):
            scripted_fleet.stop(ID)

    def test_trouble_is_no_success(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """An engine that fails to signal is reported with its own words."""
        scripted.on(LIST, Says(200, [an_entry()]))
        scripted.on(self.KILL, Says(500, {"message": "cannot kill: permission denied"}))
        scripted_fleet.containers()

        with pytest.raises(ActError, match="permission denied"):
            scripted_fleet.stop(ID)


def frame(text: str, stream: int = 1) -> bytes:
    """A piece of a log as the engine sends it."""
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text.encode()


class TestRemove:
    """Read how it ended, then forget it."""

    INSPECT, LOGS, DELETE = f"GET /containers/{ID}/json", f"GET /containers/{ID}/logs", f"DELETE /containers/{ID}"

    def test_how_it_ended(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """Exit code, whether memory ran out and the last words of both streams are kept, without passwords."""
        scripted.on(self.INSPECT, inspected("exited", ExitCode=137, OOMKilled=True))
        scripted.on(self.LOGS, Says(200, frame("one\ntw") + frame("o\n") + frame("redis://:s3cret@r/0 \x1b[0m refused\n", 2)))
        scripted.on(self.DELETE, Says(204))

        ended = scripted_fleet.remove(ID)

        assert ended == Exit(137, True, ("one", "two", "redis://:***@r/0  [0m refused"))
        assert scripted.questions == [self.INSPECT, self.LOGS, self.DELETE]
        assert (scripted.query_of(self.LOGS)["tail"], scripted.query_of(self.DELETE)) == ("20", {"v": "1"})

    @pytest.mark.parametrize("reply", [hangs, floods, breaks_off, Says(500, {"message": "driver does not support reading"})])
    def test_unreadable_log_does_not_keep_it(self, scripted: ScriptedEngine, impatient_fleet: DockerFleet, reply: Reply) -> None:
        """A log that cannot be read costs the last words, not the removal."""
        scripted.on(self.INSPECT, inspected("exited", ExitCode=1))
        scripted.on(self.LOGS, reply)
        scripted.on(self.DELETE, Says(204))

        assert (impatient_fleet.remove(ID).code, scripted.questions[-1]) == (1, self.DELETE)

    def test_never_started(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """A container that was never started has no exit code, but the engine's reason may stand in it."""
        scripted.on(self.INSPECT, inspected("created", Error="network x not found"))
        scripted.on(self.DELETE, Says(204))

        assert scripted_fleet.remove(ID) == Exit(None, False, ("network x not found",))
        assert self.LOGS not in scripted.questions

    @pytest.mark.parametrize("status", ["running", "paused", "restarting"])
    def test_running_one_is_refused(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet, status: str) -> None:
        """A worker that may hold a task is not removed; the engine is not even asked to."""
        scripted.on(self.INSPECT, inspected(status, Running=True))

        with pytest.raises(ActError, match="still runs"):
            scripted_fleet.remove(ID)

        assert scripted.questions == [self.INSPECT]

    @pytest.mark.parametrize("status", [404, 409])
    def test_removed_by_somebody_else(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet, status: int) -> None:
        """One that somebody else removes at this moment is gone."""
        scripted.on(self.INSPECT, inspected("exited"))
        scripted.on(self.LOGS, Says(200, b""))
        scripted.on(self.DELETE, Says(status, {"message": "removal in progress"}))

        with pytest.raises(ContainerGone):
            scripted_fleet.remove(ID)

    def test_foreign_container_is_not_touched(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """Another instance's ended worker is not ours to clear away."""
        scripted.on(self.INSPECT, inspected("exited", instance="other"))

        with pytest.raises(ContainerGone):
            scripted_fleet.remove(ID)

        assert scripted.questions == [self.INSPECT]


class TestCheck:
    """What `autoscaler check` says before the first worker is needed."""

    @pytest.fixture(autouse=True)
    def _allowed(self, scripted: ScriptedEngine) -> None:
        scripted.on(LIST, Says(200, []))
        scripted.on("GET /images/app:1/json", Says(200, {}))
        scripted.on("GET /networks/backend", Says(200, {}))

    def test_nothing_to_complain_about(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """A worker whose image and network are there has no problems, and nothing was changed."""
        assert scripted_fleet.check({"web": a_worker(networks=["backend"])}) == ()
        assert all(asked.method == "GET" or asked.path.startswith("/containers/autoscaler-check-") for asked in scripted.asked)

    def test_image_and_network_missing(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """Each thing that is missing is named with its pool and what to do."""
        image, network = scripted_fleet.check({"web": a_worker(image="nope:1", networks=["nonet"])})

        assert image == "pool web: image nope:1 is not on the Docker host and pull_policy is never: pull or build it there"
        assert network.startswith("pool web: network nonet does not exist: docker network create nonet")

    def test_missing_image_that_can_be_pulled(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """An image that the registry offers is no problem, unless it must not be pulled."""
        scripted.on("GET /distribution/far:1/json", Says(200, {}))

        assert scripted_fleet.check({"web": a_worker(image="far:1", pull_policy="missing")}) == ()

    def test_missing_image_that_nobody_offers(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """An image that was never built is found before the first start fails."""
        scripted.on("GET /distribution/nope:1/json", Says(500, {"message": "pull access denied for nope"}))

        (text,) = scripted_fleet.check({"web": a_worker(image="nope:1", pull_policy="missing")})

        assert "cannot be pulled" in text
        assert "pull access denied" in text

    def test_proxy_that_forbids_starting(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """A proxy that lets us look and not act is found without acting."""
        scripted.otherwise = Says(403, PROXY_PAGE)

        (text,) = scripted_fleet.check({"web": a_worker()})

        assert "allow POST and CONTAINERS" in text

    def test_proxy_that_hides_images(self, scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
        """What a proxy does not show is not needed for scaling, so it is no problem."""
        scripted.on("GET /images/app:1/json", Says(403, PROXY_PAGE))
        scripted.on("GET /networks/backend", Says(403, PROXY_PAGE))

        assert scripted_fleet.check({"web": a_worker(networks=["backend"])}) == ()

    def test_unreachable(self, tmp_path: Path) -> None:
        """Without an engine there is one problem, however many pools there are."""
        fleet = DockerFleet(f"unix://{tmp_path}/none.sock", "main", timeout_seconds=0.5)

        (text,) = fleet.check({"web": a_worker(), "mail": a_worker()})

        assert "there is no Docker socket" in text
