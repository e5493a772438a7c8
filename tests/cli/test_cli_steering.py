"""The commands that change something: what they send, with which token, and how refusals are told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from autoscaler.cli.commands import cli

STATUS = {"pools": [{"pool": "mail", "workers": [{"name": "a-mail-1"}]}, {"pool": "web", "workers": []}]}


class Listening(ThreadingHTTPServer):
    """A daemon that writes down what it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.tokens: list[str] = []
        self.answer: tuple[int, Any] = (202, {"accepted": True, "detail": "mail paused", "notes": ["replicas.max is 2"]})

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answering(BaseHTTPRequestHandler):
    """Its voice."""

    server: Listening

    def do_GET(self) -> None:
        """The status, whatever is asked."""
        self._say(200, STATUS)

    def do_POST(self) -> None:
        """Note it."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.told.append((self.path, body))
        self.server.tokens.append(self.headers["authorization"])
        self._say(*self.server.answer)

    def _say(self, code: int, body: Any) -> None:
        text = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def daemon() -> Iterator[Listening]:
    """A listening daemon."""
    server = Listening()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """A file with two tokens, of which the first is used."""
    file = tmp_path / "token"
    file.write_text("the-token\nthe-old-token\n")
    return file


def run(*words: object, env: dict[str, str | None] | None = None) -> Result:
    """`autoscaler ...` in this process, without this machine's variables."""
    clean = {"AUTOSCALER_URL": None, "AUTOSCALER_CONFIG": None, "AUTOSCALER_TOKEN_FILE": None, **(env or {})}
    return CliRunner().invoke(cli, [str(word) for word in words], env=clean, prog_name="autoscaler")


@pytest.mark.parametrize(
    ("words", "path", "body"),
    [
        ("pause mail", "pools/mail/pause", {"direction": "both", "why": ""}),
        ("pause mail --for 1h --direction up --why move", "pools/mail/pause", {"direction": "up", "for": "1h", "why": "move"}),
        ("resume mail", "pools/mail/resume", {"why": ""}),
        ("scale mail 3 --for 30m", "pools/mail/scale", {"replicas": 3, "for": "30m", "why": ""}),
        ("drain web", "pools/web/drain", {"why": ""}),
        ("drain a-mail-1 --why leaks", "pools/mail/drain", {"worker": "a-mail-1", "why": "leaks"}),
        ("wake mail --count 12", "pools/mail/wake", {"count": 12, "why": ""}),
        ("wake a/b", "pools/a%2Fb/wake", {"count": 0, "why": ""}),
    ],
)
def test_commands_become_requests(daemon: Listening, token: Path, words: str, path: str, body: dict[str, Any]) -> None:
    """With the first token of the file, and who sits at the terminal."""
    shown = run(*words.split(), "--url", daemon.url, "--token-file", token)

    assert (shown.exit_code, shown.stdout) == (0, "mail paused\nnote: replicas.max is 2\n")
    ((asked, said),) = daemon.told
    assert "@" in said.pop("by")
    assert (asked, said) == (f"/api/v1/{path}", body)
    assert daemon.tokens == ["Bearer the-token"]


def test_reload_is_asked_for(daemon: Listening, token: Path) -> None:
    """By its own address."""
    assert run("reload", "--why", "limits", "--url", daemon.url, "--token-file", token).exit_code == 0
    assert [(path, body["why"]) for path, body in daemon.told] == [("/-/reload", "limits")]


def test_json_is_the_answer_itself(daemon: Listening, token: Path) -> None:
    """For scripts."""
    shown = run("pause", "mail", "--format", "json", "--url", daemon.url, "--token-file", token)

    assert json.loads(shown.stdout) == daemon.answer[1]


@pytest.mark.parametrize("by", ["-c", "AUTOSCALER_CONFIG"])
def test_the_configuration_has_address_and_token(daemon: Listening, token: Path, by: str) -> None:
    """Beside the daemon nothing needs to be said: its own file names both; a variable names the token only."""
    config = token.with_name("config.yaml")
    config.write_text(
        f"flower: {{url: http://f}}\napi: {{listen: '{daemon.url[7:]}', token_file: token}}\n"
        "pools: {mail: {queues: [mail], replicas: {max: 1}, worker: {image: x}}}\n"
    )
    words = ["-c", config] if by == "-c" else ["--url", daemon.url]

    assert run("pause", "mail", *words, env={} if by == "-c" else {by: str(config)}).exit_code == 0
    assert daemon.tokens == ["Bearer the-token"]


def test_a_refusal_is_told_in_the_daemons_words(daemon: Listening, token: Path) -> None:
    """Exit code 1, one line, no traceback and no token."""
    daemon.answer = (401, {"error": "the token is not the right one"})
    shown = run("pause", "mail", "--url", daemon.url, "--token-file", token)

    assert (shown.exit_code, shown.stderr) == (1, "failed: the token is not the right one\n")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("pause mail --url http://127.0.0.1:1", 1, "is it running"),
        ("pause mail --direction left", 2, "left"),
        ("scale mail many", 2, "is not a valid integer"),
        ("scale mail -- -1", 2, "is not in the range"),
        ("pause", 2, "Missing argument 'POOL'"),
    ],
)
def test_mistakes_are_usage_errors(token: Path, words: str, code: int, said: str) -> None:
    """2 for what was not understood, 1 for what could not be done."""
    shown = run(*words.split()[:1], "--token-file", token, *words.split()[1:])

    assert shown.exit_code == code
    assert said in shown.stderr


def test_without_a_token_nothing_is_sent(daemon: Listening, tmp_path: Path) -> None:
    """It says where a token may come from."""
    shown = run("pause", "mail", "--url", daemon.url)

    assert shown.exit_code == 2
    assert "--token-file or AUTOSCALER_TOKEN_FILE" in shown.stderr
    assert run("pause", "mail", "--url", daemon.url, "--token-file", tmp_path / "gone").exit_code == 2
    assert daemon.told == []


def test_who_is_to_leave_must_exist(daemon: Listening, token: Path) -> None:
    """Neither a pool nor a worker: the pools are named."""
    shown = run("drain", "nobody", "--url", daemon.url, "--token-file", token)

    assert (shown.exit_code, shown.stderr) == (1, "failed: there is neither a pool nor a worker 'nobody'; pools are: mail, web\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_their_completion(shell: str) -> None:
    """The script asks this very program."""
    assert f"_AUTOSCALER_COMPLETE={shell}_complete" in run("completion", shell).stdout


def test_a_real_shell_completes(tmp_path: Path) -> None:
    """Bash, with the script in force and this program under its name, finds commands, options and their choices."""
    program = tmp_path / "autoscaler"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m autoscaler "$@"\n')
    program.chmod(0o755)
    script = run("completion", "bash").stdout
    ask = 'COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _autoscaler_completion autoscaler; echo "${COMPREPLY[@]}"'
    lines = [("autoscaler", "pau"), ("autoscaler", "pause", "mail", "--dir"), ("autoscaler", "pause", "mail", "--direction", "d")]
    env = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}

    bash = ["bash", "--norc", "-c", f"{script}\n{ask}", "bash"]

    found = [subprocess.run([*bash, *words], capture_output=True, text=True, env=env, check=True).stdout for words in lines]

    assert found == ["pause\n", "--direction\n", "down\n"]


def test_pools_of_the_running_daemon_are_completed(daemon: Listening) -> None:
    """And nothing at all where nobody answers."""
    asked = {"_AUTOSCALER_COMPLETE": "bash_complete", "COMP_WORDS": "autoscaler pause m", "COMP_CWORD": "2"}

    assert run(env={**asked, "AUTOSCALER_URL": daemon.url}).stdout == "plain,mail\n"
    assert run(env={**asked, "AUTOSCALER_URL": "http://127.0.0.1:1"}).stdout.strip() == ""
