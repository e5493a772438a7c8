"""The command line as a person meets it: exit codes, words, and where answers come from."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ORDER = {
    "kind": "pause", "pool": "mail", "at": 1_790_000_000.0, "by": "anna", "why": "the move", "until": None, "direction": "up",
    "replicas": 0, "worker": "", "tasks": 0,
}  # fmt: skip
POOL = {
    "pool": "mail", "backlog": None, "oldest_wait_seconds": 4.0, "busy": None, "slots": 4, "current": 1, "desired": 2, "min": 0, "max": 9,
    "why": "mail 1 -> 2: x", "replicas": {"ready": 1, "starting": 2, "draining": 1, "lost": 0, "stopping": 0, "foreign": 0},
    "steps": [
        {"rule": "demand", "before": 1, "after": 3, "reason": "Demand", "because": "9 waiting"},
        {"rule": "bounds", "before": 3, "after": 2, "reason": "TooManyReplicas", "because": "replicas.max is 2"},
    ],
    "foresight": {"words": "up at 3 waiting"}, "orders": [ORDER],
    "actions": [{"kind": "start", "replica": "a-mail-2", "because": "9 waiting"}],
    "workers": [{"name": "a-mail-1", "phase": "ready", "age_seconds": 5.0, "running": None, "slots": 4}],
}  # fmt: skip
TOTALS = {"replicas": 1, "max_replicas": 20, "backlog": None, "busy": 3, "slots": 4}
STATUS = {
    "version": "0.1.0", "now": 1_790_000_060.0, "started_at": 1_790_000_000.0, "last_tick_at": 1_790_000_058.0, "dry_run": False,
    "trouble": ["flower: it is away"], "totals": TOTALS, "pools": [POOL],
}  # fmt: skip
DECISION = {"id": 1, "at": 1_790_000_000.0, "pool": "mail", "why": "mail 1 -> 2: x"}
CURVE = [{"at": at, "backlog": backlog, "ready": 1, "starting": at} for at, backlog in enumerate((0, None, 7))]
ANSWERS = {
    "/api/v1/status": STATUS,
    "/api/v1/pools/mail": POOL,
    "/api/v1/pools/mail/decisions": {"pool": "mail", "decisions": [DECISION]},
    "/api/v1/orders": {"standing": [ORDER], "given": [{"id": 1, "told": "paused (up) by anna: the move", **ORDER, "at": 1_790_000_001.0}]},
    "/api/v1/history": {"since": 0.0, "step": 60.0, "pools": {"mail": CURVE}},
    "/healthz": {"alive": True},
}


class Answering(BaseHTTPRequestHandler):
    """A daemon that says the same every time."""

    def do_GET(self) -> None:
        """Answer from ANSWERS, or 404."""
        body = ANSWERS.get(self.path.partition("?")[0])
        text = json.dumps(body or {"error": "there is no pool like that"}).encode()
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def daemon() -> Iterator[int]:
    """The port of a daemon that answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """`autoscaler ...` as a process of its own."""
    return subprocess.run([sys.executable, "-m", "autoscaler", *words], capture_output=True, text=True, timeout=30, check=False)


def a_config(folder: Path, text: str) -> str:
    """A configuration file with this text."""
    (folder / "config.yaml").write_text(text)
    return str(folder / "config.yaml")


def test_status_shows_unknown_as_a_question(daemon: int) -> None:
    """What nobody could see is ?, never 0; trouble stands above the table."""
    shown = run("status", "--url", f"http://127.0.0.1:{daemon}")

    assert shown.returncode == 0
    assert "autoscaler 0.1.0, up 1m, last tick 2s ago: 1 of 20 replicas, ? waiting, 3 of 4 slots busy" in " ".join(shown.stdout.split())
    assert "! flower: it is away" in shown.stdout
    assert "?/4" in shown.stdout
    assert "█▒▒░" in shown.stdout
    assert "mail: paused (up) by anna: the move" in shown.stdout


def test_watch_draws_anew_and_fits(daemon: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the same table is drawn again in its place, never longer than the screen: the pools where most goes on."""
    many = [POOL | {"pool": f"pool-{i:02d}", "backlog": i % 7, "orders": []} for i in range(60)]
    monkeypatch.setitem(ANSWERS, "/api/v1/status", STATUS | {"pools": many})
    screen, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 100, 0, 0))
    command = [sys.executable, "-m", "autoscaler", "status", "--watch", "--url", f"http://127.0.0.1:{daemon}"]
    env = {key: value for key, value in os.environ.items() if key not in ("LINES", "COLUMNS")} | {"TERM": "xterm-256color"}
    with subprocess.Popen(command, stdout=terminal, stderr=terminal, env=env) as watching:
        os.close(terminal)
        seen = ""
        while seen.count("last tick") < 2:
            seen += os.read(screen, 65_536).decode()
        watching.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # the terminal ends with its last user
            while os.read(screen, 65_536):
                pass
    os.close(screen)
    first = seen.split("last tick")[1]

    assert watching.returncode == 0
    assert first.count("\n") < 20
    assert "pool-06" in first
    assert "pool-07" not in first
    assert re.search(r"and 4\d more, where less goes on", first)


def test_explain_ends_with_what_would_change_it(daemon: int) -> None:
    """The steps, then the foresight, then the workers."""
    lines = run("explain", "mail", "--url", f"http://127.0.0.1:{daemon}").stdout.splitlines()

    assert lines[0] == "mail 1 -> 2: x"
    assert "  ? waiting; ? of 4 slots busy; 1 replicas, 2 wanted, from 0 to 9" in lines
    assert "  demand  1 -> 3  █▓▓  Demand           9 waiting" in lines
    assert "  bounds  3 -> 2  ██░  TooManyReplicas  replicas.max is 2" in lines
    assert "  ordered: paused (up) by anna: the move" in lines
    assert "  doing: start a-mail-2: 9 waiting" in lines
    assert "  then: up at 3 waiting" in lines
    assert "running ?/4" in lines[-1]


def test_history_as_json(daemon: int) -> None:
    """The rows as the daemon has them, decisions and orders in the order of time."""
    rows = json.loads(run("history", "--format", "json", "--url", f"http://127.0.0.1:{daemon}").stdout)

    assert [row["type"] for row in rows] == ["decision", "order"]
    assert rows[0] == {"type": "decision", **DECISION}


def test_history_begins_with_the_last_hour(daemon: int) -> None:
    """What waited and how many replicas there were, as curves; then what was decided and ordered."""
    lines = run("history", "mail", "--url", f"http://127.0.0.1:{daemon}").stdout.splitlines()

    assert lines[0] == "mail             waiting  ▁ █  at most 7, now 7"
    assert lines[1] == "mail             replicas ▃▆█  at most 3, now 3"
    assert [line[21:] for line in lines[2:]] == ["mail 1 -> 2: x", "mail paused (up) by anna: the move"]


def test_an_unknown_pool_is_said_in_words(daemon: int) -> None:
    """Exit code 1 and one line on stderr, no traceback."""
    shown = run("explain", "nobody", "--url", f"http://127.0.0.1:{daemon}")

    assert (1, "failed: there is no pool like that\n") == (shown.returncode, shown.stderr)


def test_c_names_the_daemon_by_its_file(daemon: int, tmp_path: Path) -> None:
    """With -c the daemon is asked at the address that this file makes it listen on."""
    config = a_config(
        tmp_path,
        f"flower: {{url: http://f}}\napi: {{listen: '0.0.0.0:{daemon}'}}\n"
        "pools: {mail: {queues: [mail], replicas: {max: 1}, worker: {image: x}}}\n",
    )

    assert "mail" in run("status", "-c", config).stdout


def test_no_daemon_is_said_in_words() -> None:
    """Nobody listens: exit code 1 and what to look at."""
    shown = run("status", "--url", "http://127.0.0.1:1")

    assert shown.returncode == 1
    assert "is it running" in shown.stderr


@pytest.mark.parametrize("command", [["check", "--offline"], ["plan"], ["run"]], ids=" ".join)
def test_invalid_configuration_is_exit_78(tmp_path: Path, command: list[str]) -> None:
    """Every problem with its place, and the agreed exit code."""
    shown = run(*command, "-c", a_config(tmp_path, "flower: {url: http://f}\npoolz: {}\n"))

    assert shown.returncode == 78
    assert "config.yaml:2:1: poolz: unknown key - did you mean 'pools'?" in shown.stderr


def test_plan_exits_3_when_something_would_change(tmp_path: Path) -> None:
    """Also blindly, a pool below its minimum would be raised."""
    text = f"flower: {{url: 'http://127.0.0.1:1'}}\nfleet: {{type: process}}\nstate: {tmp_path}/state\n"
    config = a_config(tmp_path, text + "pools: {p: {queues: [p], replicas: {min: 1, max: 1}, worker: {command: sleep 9}}}\n")
    shown = run("plan", "-c", config)

    assert shown.returncode == 3
    assert "would start autoscaler-p-" in shown.stdout


@pytest.mark.parametrize(("port", "code"), [("daemon", 0), (1, 1)])
def test_healthcheck(daemon: int, port: object, code: int) -> None:
    """0 while the loop is alive, 1 with a line of words when nobody answers."""
    shown = run("healthcheck", "--url", f"http://127.0.0.1:{daemon if port == 'daemon' else port}")

    assert shown.returncode == code
    assert bool(shown.stderr) == bool(code)


def test_healthcheck_loads_nothing_heavy() -> None:
    """It runs every few seconds in a container: the standard library only."""
    code = "import sys; from autoscaler.cli.healthcheck import healthcheck; print({'click','httpx','yaml','pydantic'} & set(sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"


def test_version_and_schema() -> None:
    """Data on stdout."""
    assert run("version").stdout.strip() == "0.1.0"
    assert json.loads(run("schema").stdout)["type"] == "object"
