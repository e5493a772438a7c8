"""The commands of the checkout: each target says what it does, each script can be run, and CI runs what people run."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from live import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
SCRIPTS = sorted(path for path in (ROOT / "scripts").iterdir() if path.is_file())


def test_help_shows_every_target() -> None:
    """`make` alone lists the targets, each with what it does."""
    said = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)

    assert targets
    assert [line.split()[1] for line in said.splitlines()] == targets[1].split()


def test_every_target_runs_a_script_that_is_there() -> None:
    """No recipe names a script that was renamed."""
    for script in re.findall(r"@(scripts/\S+)", MAKEFILE):
        assert os.access(ROOT / script, os.X_OK), script


@pytest.mark.parametrize("script", [*SCRIPTS, ROOT / ".ci" / "run"], ids=lambda path: path.name)
def test_scripts_are_executable_and_parse(script: Path) -> None:
    """Each stops at the first failure, and its own shell can read it."""
    text = script.read_text()
    shell = re.match(r"#!/(?:usr/bin/env |bin/)(sh|bash)\n", text)

    assert os.access(script, os.X_OK)
    assert shell
    assert re.search(r"^set -e", text, re.MULTILINE)
    subprocess.run([shell[1], "-n", script], check=True)


def test_ci_runs_what_people_run() -> None:
    """One command for both; CI only insists that nothing is left out."""
    text = (ROOT / ".ci" / "run").read_text()

    assert "set -euo pipefail" in text
    assert text.rstrip().endswith("make test")
    assert "export CI=true" in text


def test_too_old_a_python_is_named_as_the_reason(tmp_path: Path) -> None:
    """Instead of a syntax error from the middle of an installation."""
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    checkout = tmp_path / "checkout"
    (checkout / "scripts").mkdir(parents=True)
    for name in ("scripts/venv", "requirements-dev.txt", "pyproject.toml"):
        (checkout / name).write_bytes((ROOT / name).read_bytes())

    env = {**os.environ, "PYTHON": str(old)}
    said = subprocess.run(["sh", "scripts/venv"], cwd=checkout, env=env, capture_output=True, text=True, check=False)

    assert said.returncode == 1
    assert said.stderr.startswith("Python 3.11 or newer is needed")
    assert not (checkout / ".venv").exists()
