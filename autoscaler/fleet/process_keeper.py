"""Runs one worker process and outlives the daemon: what a container's shim is to Docker.

The process fleet runs this file as a program of its own, without the rest of the house and without site-packages, so that
it starts in 20 ms: `python -I -S process_keeper.py FOLDER DIRECTORY COMMAND...`.

    daemon --runs--> launcher --forks--> keeper (own session) --forks--> worker (own session, own group)

The launcher leaves at once, so the daemon has no children that could die with it or become zombies. The keeper waits for the
worker, keeps its log small, writes down how it ended, and ends whatever the worker left behind, as the end of a container does.

The rule of the file: the worker's identity is linked into FOLDER before its program runs, and a link can be made only once.
So no worker ever runs unseen, and no folder ever gets two workers, wherever a `kill -9` strikes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys

PROCESS, EXIT, LOG, OLD_LOG = "process", "exit", "log", "log.1"
LOG_BYTES = 1 << 20
LOOK_SECONDS = 2.0
"""How often the size of the log is looked at while the worker runs."""
NEVER = "never"
"""Stands in `process` for a worker that must not be started any more."""


class Life:
    """A process that cannot be mistaken for another: pids are reused, starts of the same pid in the same boot are not.

    `started` is in clock ticks since that boot. (No dataclass: importing `typing` alone would make each start 13 ms longer.)
    """

    def __init__(self, pid: int, started: int, boot: str) -> None:
        self.pid = pid
        self.started = started
        self.boot = boot

    @property
    def is_running(self) -> bool:
        """True while this very process runs; a zombie has ended."""
        seen = look(self.pid)
        return seen is not None and seen[0] not in "ZX" and seen[1] == self.started and boot_id() == self.boot


def look(pid: int) -> tuple[str, int] | None:
    """State letter and start time of whatever process has this pid now, None when none has."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0].decode(), int(fields[19])


def boot_id() -> str:
    """The kernel's own name for the time between two boots."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def myself() -> Life:
    """The calling process."""
    seen = look(os.getpid())
    assert seen is not None
    return Life(os.getpid(), seen[1], boot_id())


def publish(folder: str, name: str, text: str) -> bool:
    """Write a whole file that must be new; False when it already exists, so of two writers one wins."""
    draft = f"{folder}/.{name}.{os.getpid()}"
    with open(draft, "w") as file:
        file.write(text)
    try:
        os.link(draft, f"{folder}/{name}")
    except FileExistsError:
        return False
    finally:
        os.unlink(draft)
    return True


def keep(folder: str, directory: str, command: list[str]) -> None:
    """Start the worker, answer on stdout how that went, and stay until it has ended."""
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    hearing, telling = os.pipe()
    me = myself()
    worker = os.fork()
    if worker == 0:
        _become_worker(folder, directory, command, me, telling)
    os.close(telling)
    with os.fdopen(hearing) as pipe:
        refusal = pipe.read()
    _answer(refusal or "started")
    if not refusal:
        _wait(folder, worker)


def _become_worker(folder: str, directory: str, command: list[str], keeper: Life, telling: int) -> None:
    """Replace this process by the worker's program; a failure goes through the pipe, which closes when the program runs."""
    try:
        os.setsid()
        _reset_signals()
        log = os.open(f"{folder}/{LOG}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        me = myself()
        if publish(folder, PROCESS, f"{me.pid} {me.started} {keeper.pid} {keeper.started} {me.boot}"):
            _run(folder, directory, command, log)
        os.write(telling, b"this name has had its worker")
    except OSError as error:
        os.write(telling, f"{error.strerror}: {error.filename}".encode())
    finally:
        os._exit(127)


def _run(folder: str, directory: str, command: list[str], log: int) -> None:
    """Become the operator's command; returns only by raising, with the exit already written down."""
    try:
        os.chdir(directory)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.execvp(command[0], command)  # noqa: S606  # no shell: it would swallow the signal that asks the worker to leave
    except OSError:
        publish(folder, EXIT, "127")
        raise


def _reset_signals() -> None:
    """Give the worker the dispositions of a fresh process, whatever the daemon ignores or blocks."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) not in (signal.SIG_DFL, None):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _answer(text: str) -> None:
    """Tell the daemon, if it still lives, and let go of everything that was its own."""
    with contextlib.suppress(OSError):  # the daemon may have died meanwhile; the next one reads the folder
        os.write(1, text.encode())
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.chdir("/")


def _wait(folder: str, worker: int) -> None:
    """Look after the worker until it ends, then write down how."""
    while not os.waitid(os.P_PID, worker, os.WEXITED | os.WNOWAIT | os.WNOHANG):
        signal.sigtimedwait({signal.SIGCHLD}, LOOK_SECONDS)
        _shorten(folder)
    # Not reaped yet, so the number of its group cannot belong to anybody else.
    os.killpg(worker, signal.SIGKILL)
    publish(folder, EXIT, str(_reap(worker)))


def _reap(worker: int) -> int:
    """The exit code, and 128 + signal for a process that was ended by one, as shells and Docker count."""
    code = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
    return code if code >= 0 else 128 - code


def _shorten(folder: str) -> None:
    """Move a log that has grown too long aside; the worker appends, so its next line starts the new one."""
    with contextlib.suppress(OSError):  # a full disk must not cost us the exit code
        if os.path.getsize(f"{folder}/{LOG}") < LOG_BYTES:
            return
        with open(f"{folder}/{LOG}", "r+b") as log, open(f"{folder}/{OLD_LOG}", "wb") as old:
            log.seek(-LOG_BYTES, os.SEEK_END)
            old.write(log.read(LOG_BYTES))
            log.truncate(0)


def main() -> None:
    """Let the daemon's child go and stay behind as the keeper."""
    folder, directory, *command = sys.argv[1:]
    if os.fork() == 0:
        keep(folder, directory, command)
    os._exit(0)


if __name__ == "__main__":
    main()
