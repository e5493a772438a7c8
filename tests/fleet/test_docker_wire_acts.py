"""What the Docker fleet asks an engine to do, and what it makes of every kind of answer."""

from __future__ import annotations

from typing import Any

import pytest
from scripted_engine import ID, LIST, NAME, Reply, Says, ScriptedEngine, an_entry, breaks_off, floods, hangs

from autoscaler.config.worker import WorkerSpec
from autoscaler.errors import ActError, ContainerGone, FleetUnreachable, Refusal, StartRefused
from autoscaler.fleet.docker import DockerFleet
from autoscaler.model import Exit

CREATE = "POST /containers/create"


def a_worker(**keys: Any) -> WorkerSpec:
    return WorkerSpec.model_validate({"image": "app:1", "pull_policy": "never"} | keys)


def inspected(status: str, instance: str = "main", **state: Any) -> Says:
    """What the engine tells about one container."""
    labels = {"autoscaler.instance": instance, "autoscaler.pool": "web", "autoscaler.stop_signal": "SIGUSR1"}
    running = {"Running": status == "running", "Status": status, "ExitCode": 0, "OOMKilled": False}
    return Says(200, {"Id": ID, "Config": {"Labels": labels}, "State": running | state})


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
            pytest.param(Says(404, {"message": "network x not found"}), "network does not exist", Refusal.NETWORK_MISSING, id="no network"),
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
