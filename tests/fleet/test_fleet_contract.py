"""One suite that every fleet has to pass: the loop cannot tell them apart."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from live import until

from autoscaler.config.worker import WorkerSpec
from autoscaler.errors import ActError, ContainerGone, DryRun, StartRefused
from autoscaler.fleet.contract import Fleet, replica_environment
from autoscaler.fleet.dry import DryFleet
from autoscaler.fleet.process import ProcessFleet
from autoscaler.model import Container, ContainerState

TOOLS_IMAGE = "autoscaler-test/tools:1"
"""A small image with a shell, which the `engine` fixture puts in place."""
OBEYS = "trap 'echo leaving; exit 0' TERM; echo up; while :; do sleep 0.05; done"
IGNORES = "trap '' TERM; echo up; while :; do sleep 0.05; done"
ENDS = "for n in 1 2 3; do echo line $n; done; exit 3"


@dataclass
class Bench:
    """One kind of fleet on one engine or state folder, where any number of daemons may come and go."""

    open: Callable[[str], Fleet]
    """A fresh fleet object of an instance, as the next daemon makes it."""
    worker: Callable[[str], WorkerSpec]
    """A worker that runs this shell program."""
    said: Callable[[Container], str]
    """What a worker has written so far."""
    impossible: WorkerSpec
    instance: str
    other_instance: str

    def start(self, fleet: Fleet, name: str, program: str = OBEYS) -> Container:
        """Start one worker of pool `web` and give it as listed."""
        own = replica_environment(self.named(name), "web", "redis://nowhere/0")
        fleet.start(self.named(name), "web", self.worker(program), own, "fallback")
        return self.find(fleet, name)

    def named(self, name: str) -> str:
        return f"{self.instance}-web-{name}"

    def find(self, fleet: Fleet, name: str) -> Container:
        return next(c for c in fleet.containers() if c.name == self.named(name))

    def wait_for_end(self, fleet: Fleet, container: Container) -> Container:
        """The container once it has ended."""
        until(lambda: states(fleet)[container.name] is ContainerState.EXITED, 20)
        return next(c for c in fleet.containers() if c.id == container.id)


def states(fleet: Fleet) -> dict[str, ContainerState]:
    return {c.name: c.state for c in fleet.containers()}


def a_process_bench(request: pytest.FixtureRequest, instances: tuple[str, str]) -> Bench:
    state: Path = request.getfixturevalue("tmp_path")
    return Bench(
        open=partial(ProcessFleet, state),
        worker=lambda program: WorkerSpec(command=("sh", "-c", program)),
        said=lambda container: (state / "processes" / instances[0] / container.id / "log").read_text(),
        impossible=WorkerSpec(command="/no/such/program"),
        instance=instances[0],
        other_instance=instances[1],
    )


def a_docker_bench(request: pytest.FixtureRequest, instances: tuple[str, str]) -> Bench:
    from autoscaler.fleet.docker import DockerFleet

    engine, client = request.getfixturevalue("engine"), request.getfixturevalue("docker_client")
    defaults = {"image": TOOLS_IMAGE, "network_mode": "none", "pull_policy": "never"}
    return Bench(
        open=lambda instance: DockerFleet(engine, instance, timeout_seconds=20),
        worker=lambda program: WorkerSpec.model_validate(defaults | {"command": ["sh", "-c", program]}),
        said=lambda container: client.logs(container.id).decode(),
        # An init process would start and then not find the program: that is a worker that ends at once, not a refused start.
        impossible=WorkerSpec.model_validate(defaults | {"command": ["/no/such/program"], "init": False}),
        instance=instances[0],
        other_instance=instances[1],
    )


BENCHES = {"process": a_process_bench, "docker": a_docker_bench}


@pytest.fixture(params=["process", pytest.param("docker", marks=pytest.mark.engine)])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Each kind of fleet in turn; whatever a test leaves running is killed and removed through the contract itself."""
    instances = (f"one-{uuid.uuid4().hex[:6]}", f"two-{uuid.uuid4().hex[:6]}")
    made = BENCHES[request.param](request, instances)
    yield made
    for instance in instances:
        fleet = made.open(instance)
        for container in fleet.containers():
            if container.state is ContainerState.RUNNING:
                fleet.stop(container.id, kill=True)
                made.wait_for_end(fleet, container)
            fleet.remove(container.id)


@pytest.fixture
def fleet(bench: Bench) -> Fleet:
    """The first daemon's fleet."""
    return bench.open(bench.instance)


class TestStart:
    """A worker comes up."""

    def test_nothing_there(self, fleet: Fleet) -> None:
        """A fleet without workers is empty, not an error."""
        assert fleet.containers() == ()

    def test_started_worker_is_listed(self, bench: Bench, fleet: Fleet) -> None:
        """After a start the worker runs, with the name, pool, broker and spec that it was given."""
        container = bench.start(fleet, "a")

        assert (container.name, container.pool, container.state) == (bench.named("a"), "web", ContainerState.RUNNING)
        assert "fallback" == container.broker
        assert container.spec == bench.worker(OBEYS).hash
        assert container.exit_code is None
        assert container.worker == f"celery@{bench.named('a')}"

    def test_second_start_is_the_same_worker(self, bench: Bench, fleet: Fleet) -> None:
        """Starting a name again, because the first answer was lost, neither fails nor doubles it."""
        first = bench.start(fleet, "a")
        again = bench.start(fleet, "a")

        assert first == again
        assert len(fleet.containers()) == 1

    def test_failed_start_leaves_nothing(self, bench: Bench, fleet: Fleet) -> None:
        """A worker that cannot be started is refused, and there is nothing to clean up."""
        with pytest.raises(StartRefused):
            fleet.start(bench.named("a"), "web", bench.impossible, {})

        assert fleet.containers() == ()

    def test_parallel_starts(self, bench: Bench, fleet: Fleet) -> None:
        """Eight starts at once make eight workers."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(partial(bench.start, fleet), "abcdefgh"))

        assert states(fleet) == {bench.named(name): ContainerState.RUNNING for name in "abcdefgh"}

    def test_racing_starts_of_one_name(self, bench: Bench, fleet: Fleet) -> None:
        """Of several starts of one name at once, one makes the worker, whoever else asks."""
        fleets = [fleet, bench.open(bench.instance)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: bench.start(fleets[n % 2], "a"), range(4)))

        until(lambda: states(fleet) == {bench.named("a"): ContainerState.RUNNING})


class TestStop:
    """A worker leaves."""

    def test_obedient_worker_ends_with_zero(self, bench: Bench, fleet: Fleet) -> None:
        """The stop signal is sent, the worker leaves by itself, and its code and last words are read at removal."""
        container = bench.start(fleet, "a")
        until(lambda: "up" in bench.said(container))

        fleet.stop(container.id)
        bench.wait_for_end(fleet, container)

        end = fleet.remove(container.id)
        assert (end.code, end.oom, end.log_tail) == (0, False, ("up", "leaving"))
        assert fleet.containers() == ()

    def test_stubborn_worker_stays(self, bench: Bench, fleet: Fleet) -> None:
        """Asking twice is harmless, and a worker that does not want to leave keeps running."""
        container = bench.start(fleet, "a", IGNORES)
        until(lambda: "up" in bench.said(container))

        fleet.stop(container.id)
        fleet.stop(container.id)

        assert states(fleet) == {bench.named("a"): ContainerState.RUNNING}

    def test_killed_worker_ends_with_137(self, bench: Bench, fleet: Fleet) -> None:
        """A kill ends even a stubborn worker, with the same code everywhere."""
        container = bench.start(fleet, "a", IGNORES)
        until(lambda: "up" in bench.said(container))

        fleet.stop(container.id, kill=True)

        assert bench.wait_for_end(fleet, container).exit_code == 137
        assert fleet.remove(container.id).code == 137

    def test_gone_is_gone(self, bench: Bench, fleet: Fleet) -> None:
        """Stopping or removing what is no longer there says so, for every way of asking."""
        container = bench.start(fleet, "a", ENDS)
        bench.wait_for_end(fleet, container)
        fleet.remove(container.id)

        for ask in (fleet.stop, partial(fleet.stop, kill=True), fleet.remove):
            with pytest.raises(ContainerGone):
                ask(container.id)

    def test_ended_worker_cannot_be_stopped(self, bench: Bench, fleet: Fleet) -> None:
        """One that has ended by itself counts as gone for a stop, and still waits to be removed."""
        container = bench.start(fleet, "a", ENDS)
        bench.wait_for_end(fleet, container)

        with pytest.raises(ContainerGone):
            fleet.stop(container.id)
        assert states(fleet) == {bench.named("a"): ContainerState.EXITED}


class TestLastWords:
    """What a worker said last."""

    def test_of_a_running_worker(self, bench: Bench, fleet: Fleet) -> None:
        """The log of a worker that hangs is read without touching it."""
        container = bench.start(fleet, "a")
        until(lambda: "up" in bench.said(container))

        assert fleet.last_words(container.id) == ("up",)
        assert states(fleet) == {bench.named("a"): ContainerState.RUNNING}


class TestRemove:
    """A worker is forgotten, and only then."""

    def test_running_worker_is_not_removed(self, bench: Bench, fleet: Fleet) -> None:
        """Removing a running worker is refused, and it runs on."""
        container = bench.start(fleet, "a")

        with pytest.raises(ActError) as refused:
            fleet.remove(container.id)

        assert not isinstance(refused.value, ContainerGone)
        assert states(fleet) == {bench.named("a"): ContainerState.RUNNING}

    def test_exit_code_and_last_words(self, bench: Bench, fleet: Fleet) -> None:
        """A worker that ended at once is listed with its code, and its last lines come with the removal."""
        container = bench.start(fleet, "a", ENDS)

        assert bench.wait_for_end(fleet, container).exit_code == 3
        end = fleet.remove(container.id)
        assert (end.code, end.log_tail) == (3, ("line 1", "line 2", "line 3"))


class TestOwnership:
    """Who may touch what."""

    def test_other_instances_are_out_of_sight(self, bench: Bench, fleet: Fleet) -> None:
        """Another instance's worker is not listed, and cannot be stopped, killed or removed, even by its id."""
        container = bench.start(fleet, "a")
        stranger = bench.open(bench.other_instance)

        assert stranger.containers() == ()
        for ask in (stranger.stop, partial(stranger.stop, kill=True), stranger.remove, stranger.last_words):
            with pytest.raises(ActError):
                ask(container.id)
        assert states(fleet) == {bench.named("a"): ContainerState.RUNNING}

    def test_next_daemon_sees_the_same(self, bench: Bench, fleet: Fleet) -> None:
        """A second daemon on the same engine finds the same workers, and can end them."""
        container = bench.start(fleet, "a")
        bench.start(fleet, "b")

        adopted = bench.open(bench.instance)

        assert set(adopted.containers()) == set(fleet.containers())
        adopted.stop(container.id, kill=True)
        bench.wait_for_end(adopted, container)
        assert adopted.remove(container.id).code == 137


def test_dry_run_changes_nothing(bench: Bench, fleet: Fleet) -> None:
    """Over every fleet, a dry one shows what is there, says what it would do, and does none of it."""
    container, ended = bench.start(fleet, "a"), bench.start(fleet, "b", ENDS)
    bench.wait_for_end(fleet, ended)
    dry, before = DryFleet(fleet), fleet.containers()

    said = []
    for ask in (
        partial(dry.start, bench.named("c"), "web", bench.worker(OBEYS), {}),
        partial(dry.stop, container.id),
        partial(dry.stop, container.id, kill=True),
        partial(dry.remove, ended.id),
    ):
        with pytest.raises(DryRun) as raised:
            ask()
        said.append(str(raised.value).split()[:2])

    assert said == [["would", "start"], ["would", "stop"], ["would", "kill"], ["would", "remove"]]
    assert dry.containers() == before == fleet.containers()

