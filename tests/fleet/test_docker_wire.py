"""What the Docker fleet asks an engine to see, and what it makes of every kind of answer."""

from __future__ import annotations

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from scripted_engine import ID, LIST, NAME, PROXY_PAGE, Reply, Says, ScriptedEngine, an_entry, breaks_off, drips, floods, hangs, hangs_up

from autoscaler.config.worker import WorkerSpec
from autoscaler.errors import FleetUnreachable
from autoscaler.fleet.docker import DockerFleet
from autoscaler.fleet.docker_errors import unreachable
from autoscaler.model import Container, ContainerState

CREATE = "POST /containers/create"


def a_worker(**keys: Any) -> WorkerSpec:
    return WorkerSpec.model_validate({"image": "app:1", "pull_policy": "never"} | keys)


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
