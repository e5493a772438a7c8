"""Workers as local processes: they outlive the daemon, and the next one finds each of them exactly once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from live import ROOT, until

from autoscaler.config.worker import WorkerSpec
from autoscaler.errors import ActError, ContainerGone, FleetUnreachable, StartRefused
from autoscaler.fleet import process_keeper
from autoscaler.fleet.process import ProcessFleet
from autoscaler.model import ContainerState

OBEYS = WorkerSpec(command=("sleep", "300"))
STUBBORN = WorkerSpec(command=("sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.05; done"))


def processes(mark: str) -> list[int]:
    """Every process of this machine that carries this in its environment, whoever knows of it."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state folder; whatever was started from it is killed in the end, keepers first."""
    yield tmp_path
    mark = f"TEST_STATE={tmp_path}"
    while left := processes(mark):
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


@pytest.fixture
def start(state: Path) -> Callable[..., ProcessFleet]:
    """Starts one worker of this state folder and gives the fleet that did it."""

    def begin(name: str, worker: WorkerSpec = OBEYS, fleet: ProcessFleet | None = None) -> ProcessFleet:
        fleet = fleet or ProcessFleet(state, "one")
        fleet.start(name, "pool", worker, {"TEST_STATE": str(state), "AUTOSCALER_REPLICA": name})
        return fleet

    return begin


def states(fleet: ProcessFleet) -> dict[str, ContainerState]:
    return {c.name: c.state for c in fleet.containers()}


def listed(fleet: ProcessFleet) -> list[str]:
    return sorted(name for name, state in states(fleet).items() if state is ContainerState.RUNNING)


def ended(fleet: ProcessFleet, name: str) -> Callable[[], bool]:
    return lambda: states(fleet)[name] is ContainerState.EXITED


def folder(state: Path, name: str) -> Path:
    return state / "processes" / "one" / name


def workers_of(state: Path) -> list[str]:
    """The names of the sleeping workers that really run, one entry for each process."""
    return sorted(_variable(pid, "AUTOSCALER_REPLICA") for pid in processes(f"TEST_STATE={state}") if _words(pid)[:1] == ["sleep"])


def late_keeper(folder: Path) -> str:
    """What a keeper answers that comes up only now, because the daemon that ran it was killed meanwhile."""
    line = [sys.executable, "-I", "-S", process_keeper.__file__, str(folder), "/", "sleep", "300"]
    return subprocess.run(line, capture_output=True, text=True, check=False).stdout


class TestStart:
    """What a worker gets."""

    def test_environment_by_precedence(self, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The worker's own variables win over the broker's address, never over its name; the daemon's own stay with it."""
        monkeypatch.setenv("FROM_OUTSIDE", "yes")
        monkeypatch.setenv("AUTOSCALER_SECRET", "no")
        fleet, spec = ProcessFleet(state, "one"), {"REDIS_URL": "own", "AUTOSCALER_REPLICA": "forged", "LOG": "{name}.log"}
        worker = WorkerSpec(command="env", environment=spec)

        fleet.start("r1", "pool", worker, {"REDIS_URL": "given", "CELERY_BROKER_URL": "given", "AUTOSCALER_REPLICA": "r1"})
        until(ended(fleet, "r1"))
        got = dict(line.partition("=")[::2] for line in (folder(state, "r1") / "log").read_text().splitlines())

        assert got["FROM_OUTSIDE"] == "yes"
        assert (got["REDIS_URL"], got["CELERY_BROKER_URL"], got["LOG"], got["AUTOSCALER_REPLICA"]) == ("own", "given", "r1.log", "r1")
        assert "AUTOSCALER_SECRET" not in got

    def test_name_and_folder_in_the_command(self, state: Path, start: Callable[..., ProcessFleet]) -> None:
        """A command line is split into words without a shell, `{name}` is filled in, and it runs in its working_dir."""
        fleet = start("r1", WorkerSpec(command="sh -c 'echo $0 in $PWD' {name}", working_dir="/usr"))
        until(ended(fleet, "r1"))

        assert fleet.remove("r1").log_tail == ("r1 in /usr",)

    def test_metrics_port_of_its_own(self, start: Callable[..., ProcessFleet]) -> None:
        """Each worker is told a loopback port that no other was promised, and the list shows it."""
        worker = WorkerSpec(command=("sh", "-c", "echo $AUTOSCALER_METRICS_HOST:$AUTOSCALER_METRICS_PORT; sleep 300"), metrics_port=9100)
        fleet = start("r1", worker)
        for n in range(2, 9):
            start(f"r{n}", worker, fleet)

        addresses = {c.name: c.metrics for c in fleet.containers()}
        assert len(set(addresses.values())) == 8
        fleet.stop("r3", kill=True)
        until(ended(fleet, "r3"))
        assert fleet.remove("r3").log_tail == (addresses["r3"],)

    def test_no_port_unless_wanted(self, start: Callable[..., ProcessFleet]) -> None:
        """A worker without `metrics_port` has no page."""
        assert start("r1").containers()[0].metrics is None

    def test_fresh_signal_dispositions(self, state: Path, start: Callable[..., ProcessFleet]) -> None:
        """Signals that the daemon ignores reach the worker all the same."""
        before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        try:
            fleet = start("r1")
        finally:
            signal.signal(signal.SIGTERM, before)

        fleet.stop("r1")
        until(ended(fleet, "r1"))
        assert fleet.remove("r1").code == 143

    @pytest.mark.parametrize(
        ("worker", "words"),
        [
            pytest.param(WorkerSpec(command="/no/such/program"), "/no/such/program could not be started: No such file", id="no program"),
            pytest.param(WorkerSpec(command="/etc/passwd"), "Permission denied", id="not a program"),
            pytest.param(WorkerSpec(command="sleep 1", working_dir="/no/such"), "No such file or directory: /no/such", id="no folder"),
            pytest.param(WorkerSpec(command="sleep 'x"), "cannot be split into words", id="open quote"),
            pytest.param(WorkerSpec(), "worker.command is missing", id="nothing to run"),
            pytest.param(WorkerSpec(command="sleep 1", stop_signal="SIGNONE"), "SIGNONE is no signal", id="no such signal"),
        ],
    )
    def test_refusals_say_why_and_leave_nothing(
        self, state: Path, start: Callable[..., ProcessFleet], worker: WorkerSpec, words: str
    ) -> None:
        """What cannot be started is refused in the operator's words, with no trace in the state folder."""
        with pytest.raises(StartRefused, match=words):
            start("r1", worker)

        assert list((state / "processes" / "one").iterdir()) == []

    def test_no_path_out_of_the_state_folder(self, state: Path, start: Callable[..., ProcessFleet]) -> None:
        """A name or id is never a path."""
        with pytest.raises(StartRefused):
            start("../r1")
        with pytest.raises(ContainerGone):
            ProcessFleet(state, "one").stop("../two/r1")

    def test_fifty_starts_are_fast(self, start: Callable[..., ProcessFleet]) -> None:
        """Fifty workers run within ten seconds on a busy machine (1.6 s on two idle cores)."""
        fleet, began = start("r"), time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: start(f"r{n}", fleet=fleet), range(49)))

        assert time.monotonic() - began < 10
        assert set(states(fleet).values()) == {ContainerState.RUNNING}

    def test_no_password_on_disk(self, state: Path) -> None:
        """The state folder never holds a worker's environment."""
        fleet = ProcessFleet(state, "one")
        fleet.start("r1", "pool", WorkerSpec(command="true", environment={"A": "hidden-a"}), {"B": "hidden-b"})
        until(ended(fleet, "r1"))

        assert not any(b"hidden" in file.read_bytes() for file in state.rglob("*") if file.is_file())


class TestStop:
    """How a worker is asked to leave, and made to."""

    def test_signal_reaches_the_main_process_only(self, state: Path, start: Callable[..., ProcessFleet]) -> None:
        """The children of a worker, which run its tasks, get no signal; it tells them itself."""
        script = "trap 'wait; exit 0' TERM; sh -c 'trap \"echo disturbed\" TERM; sleep 0.3; echo finished' & echo up; wait"
        fleet = start("r1", WorkerSpec(command=("sh", "-c", script)))
        until(lambda: (folder(state, "r1") / "log").read_text() == "up\n")

        fleet.stop("r1")
        until(ended(fleet, "r1"))

        end = fleet.remove("r1")
        assert (end.code, end.log_tail) == (0, ("up", "finished"))

    def test_kill_takes_the_children_along(self, state: Path, start: Callable[..., ProcessFleet]) -> None:
        """A kill ends a stubborn worker with everything it has started."""
        fleet = start("r1", WorkerSpec(command=("sh", "-c", "trap '' TERM; sleep 300 & sleep 300 & echo up; wait")))
        until(lambda: (folder(state, "r1") / "log").read_text() == "up\n")
        fleet.stop("r1")
        assert states(fleet) == {"r1": ContainerState.RUNNING}

        fleet.stop("r1", kill=True)
        until(ended(fleet, "r1"))

        assert fleet.remove("r1").code == 137
        until(lambda: processes(f"TEST_STATE={state}") == [])

    def test_nothing_outlives_its_worker(self, state: Path, start: Callable[..., ProcessFleet]) -> None:
        """Children that a worker leaves behind end with it, as in a container."""
        fleet = start("r1", WorkerSpec(command=("sh", "-c", "sleep 300 & exit 4")))
        until(ended(fleet, "r1"))

        assert fleet.remove("r1").code == 4
        until(lambda: processes(f"TEST_STATE={state}") == [])

    def test_own_stop_signal(self, state: Path, start: Callable[..., ProcessFleet]) -> None:
        """`stop_signal` is what is sent."""
        script = "trap 'exit 5' USR1; echo up; while :; do sleep 0.02; done"
        fleet = start("r1", WorkerSpec(command=("sh", "-c", script), stop_signal="USR1"))
        until(lambda: (folder(state, "r1") / "log").read_text() == "up\n")

        fleet.stop("r1")
        until(ended(fleet, "r1"))

        assert fleet.remove("r1").code == 5


class TestAdoption:
    """What the next daemon finds."""

    PARENT = """
        import sys
        from concurrent.futures import ThreadPoolExecutor
        from pathlib import Path
        from autoscaler.config.worker import WorkerSpec
        from autoscaler.fleet.process import ProcessFleet

        state, life = sys.argv[1:]
        fleet, worker = ProcessFleet(Path(state), "one"), WorkerSpec(command=("sleep", "300"))

        def start_for_ever(thread):
            for n in range(10_000):
                name = f"{life}-{thread}-{n}"
                fleet.start(name, "pool", worker, {"TEST_STATE": state, "AUTOSCALER_REPLICA": name})

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(start_for_ever, range(3)))
    """

    @pytest.mark.parametrize("enough", [1, 2, 3, 5, 8])
    def test_killed_daemon_loses_no_worker(self, state: Path, enough: int) -> None:
        """`kill -9` while workers are being started: every one that runs is listed, once, and can be stopped and removed."""
        line = [sys.executable, "-c", textwrap.dedent(self.PARENT), str(state), f"life{enough}"]
        with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL) as daemon:
            until(lambda: len(list((state / "processes" / "one").glob("life*/process"))) >= enough)
            daemon.kill()

        fleet = ProcessFleet(state, "one")
        until(lambda: not _is_on_its_way(state) and workers_of(state) == listed(fleet))
        time.sleep(0.2)  # a launch that was cut off and still went on would show by now
        assert workers_of(state) == listed(fleet)
        running = [c for c in fleet.containers() if c.state is ContainerState.RUNNING]
        assert len(running) >= enough
        for container in running:
            fleet.stop(container.id)
        until(lambda: ContainerState.RUNNING not in states(fleet).values())
        assert {fleet.remove(c.id).code for c in fleet.containers()} <= {143, None}
        assert list((state / "processes" / "one").iterdir()) == []

    def test_exit_while_nobody_watched(self, state: Path, start: Callable[..., ProcessFleet]) -> None:
        """A worker that ended while no daemon ran is found with its exit code and its last words."""
        start("r1", WorkerSpec(command=("sh", "-c", "echo bye; exit 3")))

        adopted = ProcessFleet(state, "one")
        until(ended(adopted, "r1"))

        end = adopted.remove("r1")
        assert (end.code, end.log_tail) == (3, ("bye",))

    def test_reused_pid_is_not_ours(self, state: Path, start: Callable[..., ProcessFleet]) -> None:
        """A process that merely has the number of an ended worker is neither listed as running nor signalled."""
        fleet = start("r1")
        file = folder(state, "r1") / "process"
        worker, began, keeper, keeper_began, boot = file.read_text().split()
        file.write_text(f"{worker} {int(began) - 1} {keeper} {int(keeper_began) - 1} {boot}")

        with pytest.raises(ContainerGone):
            fleet.stop("r1", kill=True)
        assert states(fleet) == {"r1": ContainerState.EXITED}
        state_now, began_now = process_keeper.look(int(worker)) or ("", 0)
        assert (state_now in "SRD", began_now) == (True, int(began)), "it lives, and is the same"

    def test_other_boot_is_over(self, state: Path, start: Callable[..., ProcessFleet]) -> None:
        """After a reboot every worker has ended, whatever runs under its number at the same tick."""
        fleet = start("r1")
        file = folder(state, "r1") / "process"
        file.write_text(" ".join([*file.read_text().split()[:4], "another-boot"]))

        assert states(fleet) == {"r1": ContainerState.EXITED}
        assert fleet.remove("r1").code is None

    def test_killed_keeper_costs_the_code_only(self, state: Path, start: Callable[..., ProcessFleet]) -> None:
        """Without its keeper a worker still runs, can be stopped, and ends with an unknown code."""
        fleet = start("r1")
        os.kill(int((folder(state, "r1") / "process").read_text().split()[2]), signal.SIGKILL)
        assert states(fleet) == {"r1": ContainerState.RUNNING}

        fleet.stop("r1")
        until(ended(fleet, "r1"))

        assert fleet.remove("r1").code is None

    def test_start_that_was_cut_off(self, state: Path, start: Callable[..., ProcessFleet]) -> None:
        """An order without a process is listed as created; once removed, its worker cannot come up any more."""
        fleet = start("r0")
        cut = folder(state, "r1")
        cut.mkdir()
        ticket = json.loads((folder(state, "r0") / "replica.json").read_text())
        (cut / "replica.json").write_text(json.dumps(ticket | {"name": "r1"}))
        assert states(fleet)["r1"] is ContainerState.CREATED

        assert fleet.remove("r1").code is None
        assert late_keeper(cut).startswith("No such file or directory")
        assert states(fleet) == {"r0": ContainerState.RUNNING}

    def test_called_off_start_stays_off(self, state: Path, start: Callable[..., ProcessFleet]) -> None:
        """A crash in the middle of such a removal leaves an ended worker, and a keeper that comes too late starts nothing."""
        fleet = start("r0")
        (folder(state, "r0") / "process").rename(state / "kept")
        process_keeper.publish(str(folder(state, "r0")), process_keeper.PROCESS, process_keeper.NEVER)

        assert late_keeper(folder(state, "r0")) == "this name has had its worker"
        assert states(fleet) == {"r0": ContainerState.EXITED}
        assert fleet.remove("r0").code is None

    def test_left_overs_are_swept(self, state: Path) -> None:
        """Folders that a crash left half made or half deleted disappear with the next start, and are never listed."""
        for name in (".new-abc", ".gone-r1"):
            (state / "processes" / "one" / name).mkdir(parents=True)

        fleet = ProcessFleet(state, "one")

        assert list((state / "processes" / "one").iterdir()) == []
        assert fleet.containers() == ()


class TestState:
    """The folder itself."""

    def test_lost_folder_is_not_an_empty_fleet(self, state: Path, start: Callable[..., ProcessFleet]) -> None:
        """When the state folder disappears, nobody may conclude that no worker runs."""
        fleet = start("r1")
        (state / "processes").rename(state / "elsewhere")

        with pytest.raises(FleetUnreachable, match="cannot be read"):
            fleet.containers()

    def test_damaged_ticket_is_said(self, state: Path, start: Callable[..., ProcessFleet]) -> None:
        """A file that cannot be read is named, with what to do."""
        fleet = start("r1")
        (folder(state, "r1") / "replica.json").write_text("{")

        with pytest.raises(FleetUnreachable, match=r"r1/replica\.json cannot be read .* delete the folder"):
            fleet.containers()

    def test_log_is_bounded(self, state: Path, start: Callable[..., ProcessFleet]) -> None:
        """A talkative worker fills at most two files of a megabyte and what it says in two seconds."""
        fleet = start("r1", WorkerSpec(command=("sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last; sleep 300")))
        until((folder(state, "r1") / "log.1").exists)
        until(lambda: (folder(state, "r1") / "log").stat().st_size < process_keeper.LOG_BYTES)

        fleet.stop("r1", kill=True)
        until(ended(fleet, "r1"))

        assert sum(file.stat().st_size for file in folder(state, "r1").glob("log*")) <= 2 * process_keeper.LOG_BYTES
        assert fleet.remove("r1").log_tail[-1] == "last"

    def test_unusable_state_folder(self, tmp_path: Path) -> None:
        """A state folder that is a file is said at once."""
        (tmp_path / "state").write_text("")
        with pytest.raises(FleetUnreachable, match="cannot be used"):
            ProcessFleet(tmp_path / "state", "one")

    def test_only_on_linux(self, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Elsewhere the fleet says so instead of losing workers."""
        monkeypatch.setattr(sys, "platform", "darwin")
        with pytest.raises(FleetUnreachable, match="needs Linux"):
            ProcessFleet(state, "one")

    def test_running_is_not_removed(self, start: Callable[..., ProcessFleet]) -> None:
        """A worker that does not want to leave is not forgotten."""
        fleet = start("r1", STUBBORN)
        fleet.stop("r1")

        with pytest.raises(ActError, match="still runs"):
            fleet.remove("r1")


def _words(pid: int) -> list[str]:
    """The command line of a process, empty when it has gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
    except OSError:
        return []


def _variable(pid: int, name: str) -> str:
    variables = dict(line.partition("=")[::2] for line in Path(f"/proc/{pid}/environ").read_text().split("\0"))
    return variables[name]


def _is_on_its_way(state: Path) -> bool:
    """True while some launcher or keeper has no worker yet, or its worker is not yet what it will be."""
    keepers = [pid for pid in processes(f"TEST_STATE={state}") if process_keeper.__file__ in _words(pid)]
    return len(keepers) != len(workers_of(state))
