"""A Docker engine of its own for tests: started, entered and stopped without another engine noticing.

    up DIR [--private]    prints DOCKER_HOST; the machine's own engine is used where one answers
    exec DIR COMMAND...   runs a command inside the engine's network
    down DIR              stops what `up DIR` started and deletes DIR

The engine runs in network, mount and process namespaces of its own, with its own containerd, socket, storage and control
group. So its bridges and firewall rules cannot meet another engine's, and what it mounts ends with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

from packages import binaries
from talk import answers, machine_engine, read, request

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "engine"
START_SECONDS = 60.0
STOP_SECONDS = 20.0

# Runs inside the new namespaces, in front of the engine: loopback up, and no containerd of the machine in sight.
ENTRY = """
import fcntl, os, socket, struct, subprocess, sys
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH14x", b"lo", 1))   # SIOCSIFFLAGS, IFF_UP
if os.path.isdir("/run/containerd"):
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run/containerd"], check=True)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Engine:
    """The private engine of one folder, running or not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        # A socket's path may have 107 characters at most, so what must be short does not live in the folder.
        self.name = f"autoscaler-engine-{zlib.crc32(bytes(self.folder)):08x}"
        self.run = Path("/run") / self.name
        self.host = f"unix://{self.run}/docker.sock"
        self.network = self.run / "network"
        self.pid_file = self.run / "outer.pid"
        self.log = self.folder / "dockerd.log"

    def process(self) -> int | None:
        """The process that holds the engine's namespaces, None when it does not run."""
        with contextlib.suppress(OSError, ValueError):
            pid = int(self.pid_file.read_text())
            if str(self.run).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        return None

    def up(self) -> None:
        """Start it unless it runs, and return when it answers."""
        if self.process() and answers(self.host):
            return
        home = binaries(CACHE)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.run.mkdir(mode=0o700, exist_ok=True)
        with (self.run / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.process():
                self._start(home)
        self._await_answer()

    def _start(self, home: Path) -> None:
        self._leave_network()
        self.network.touch()
        (self.run / "dockerd.pid").unlink(missing_ok=True)
        shutil.rmtree(self.run / "exec", ignore_errors=True)
        environment = {**os.environ, "PATH": f"{home / 'bin'}:{os.environ.get('PATH', '')}"}
        command = [
            "unshare", f"--net={self.network}", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
            sys.executable, "-c", ENTRY, str(home / "bin/docker-init"), "--", "dockerd",
            "--data-root", str(self.folder / "data"), "--exec-root", str(self.run / "exec"),
            "--pidfile", str(self.run / "dockerd.pid"), "--host", self.host,
            "--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", f"/{self.name}", *_firewall(environment),
        ]  # fmt: skip
        if driver := os.environ.get("ENGINE_STORAGE_DRIVER"):
            command += ["--storage-driver", driver]
        with self.log.open("a") as log:
            outer = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.pid_file.write_text(str(outer.pid))
        while outer.poll() is None and not self.process():
            time.sleep(0.01)  # a program that is just being loaded has no command line yet

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process():
            if answers(self.host):
                return
            time.sleep(0.05)
        last = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
        self._stop_processes()
        sys.exit(f"the engine did not start; it needs unconfined root and writable cgroups. The last lines of its log:\n{last}")

    def down(self) -> None:
        """Stop it with its containers and delete what it wrote; nothing happens where nothing runs."""
        if self.process():
            self._kill_containers()
        self._stop_processes()
        self._leave_network()
        for group in [*Path("/sys/fs/cgroup").glob(self.name), *Path("/sys/fs/cgroup").glob(f"*/{self.name}")]:
            for folder, _, _ in os.walk(group, topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
        shutil.rmtree(self.run, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _kill_containers(self) -> None:
        """An engine that is told to stop waits ten seconds for each container that does not obey; so none is left to wait for."""
        with contextlib.suppress(OSError):
            for container in read(self.host, "/containers/json") or ():
                request(self.host, "POST", f"/containers/{container['Id']}/kill", timeout=10)

    def _stop_processes(self) -> None:
        outer = self.process()
        if outer is None:
            return
        children = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
        for init in map(int, children):
            _signal(init, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self.process() and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in (*map(int, children), outer) if self.process() else ():
            _signal(pid, signal.SIGKILL)  # the end of a namespace's first process is the end of all in it
        self.pid_file.unlink(missing_ok=True)

    def _leave_network(self) -> None:
        subprocess.run(["umount", "--quiet", "--lazy", self.network], check=False, capture_output=True)


def _firewall(environment: dict[str, str]) -> list[str]:
    """Options for a kernel that knows no iptables: containers run then, but do not find each other by name."""
    probe = ["unshare", "--net", "iptables", "--table", "nat", "--list-rules"]
    works = subprocess.run(probe, env=environment, check=False, capture_output=True).returncode == 0
    return [] if works else ["--iptables=false", "--ip6tables=false"]


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def up(folder: str, *options: str) -> None:
    """Print the address of an engine to test on."""
    engine = Engine(Path(folder))
    own = None if engine.process() or "--private" in options else machine_engine()
    if own is None:
        if os.geteuid() != 0:
            sys.exit("no Docker engine answers, and a private one needs root: start Docker, set DOCKER_HOST, or run this as root")
        engine.up()
    sys.stdout.write(f"{own or engine.host}\n")


def down(folder: str) -> None:
    """Stop the private engine of this folder; the machine's own engine stays as it is."""
    Engine(Path(folder)).down()


def execute(folder: str, *command: str) -> None:
    """Become the command, with the engine's address, CLI and network."""
    engine = Engine(Path(folder))
    environment = dict(os.environ)
    inside: tuple[str, ...] = ()
    if engine.process():
        home = binaries(CACHE)
        settings = engine.folder / "config"
        settings.mkdir(exist_ok=True)
        with contextlib.suppress(FileExistsError):
            (settings / "cli-plugins").symlink_to(home / "cli-plugins")
        path = f"{home / 'bin'}:{os.environ.get('PATH', '')}"
        environment |= {"DOCKER_HOST": engine.host, "DOCKER_CONFIG": str(settings), "PATH": path}
        inside = ("nsenter", f"--net={engine.network}", "--")
    elif own := machine_engine():
        environment["DOCKER_HOST"] = own
    else:
        sys.exit(f"no engine runs for {folder}: start one with scripts/engine/up {folder}")
    arguments = [*inside, *command]
    os.execvpe(arguments[0], arguments, environment)


if __name__ == "__main__":
    commands = {"up": up, "down": down, "exec": execute}
    if len(sys.argv) < 3 or sys.argv[1] not in commands or (sys.argv[1] == "exec" and len(sys.argv) < 4):
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
