"""The image: what goes in, who runs it, and that a build needs nothing but a Python image and pip."""

from __future__ import annotations

import json
import re

import pytest
from live import ROOT
from stack import IMAGES, Host

TEXT = (ROOT / "Dockerfile").read_text()
COPIED = [source for line in re.findall(r"^COPY (?!--from)(.+)$", TEXT, re.MULTILINE) for source in line.split()[:-1]]


def test_packages_come_from_the_locks_with_hashes() -> None:
    """Every `pip` command checks hashes, or takes only what this build has just made."""
    for command in re.findall(r"\bpip (?:--python \S+ )?(?:install|wheel)[^\n]*", TEXT):
        assert "--require-hashes" in command or "--no-deps" in command
        assert "--no-deps" not in command or "--no-index" in command or "--no-build-isolation" in command


def test_it_can_be_built_to_send_messages() -> None:
    """The lock that docs/monitoring.md names is in the build, and only then asked for."""
    assert for_messages() in COPIED
    assert "ARG REQUIREMENTS=requirements.txt\n" in TEXT


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_the_image_for_messages_holds_apprise(images: Host) -> None:
    """Built as docs/monitoring.md says."""
    tag = "autoscaler-test/messages:1"
    images.build(tag, ROOT / "Dockerfile", ROOT, PYTHON_IMAGE=IMAGES["PYTHON_IMAGE"], REQUIREMENTS=for_messages())

    assert images.docker("run", "--rm", "--entrypoint", "python3", tag, "-c", "import apprise; print(apprise)")


def for_messages() -> str:
    """The lock that docs/monitoring.md names."""
    (told,) = re.findall(r"--build-arg REQUIREMENTS=(\S+)", (ROOT / "docs" / "monitoring.md").read_text())
    return str(told)


def test_it_needs_no_frontend_from_a_registry() -> None:
    """A `# syntax=` line would have to be downloaded before the first step."""
    assert "syntax=" not in TEXT
    assert "--mount" not in TEXT


def test_the_build_context_is_what_is_copied_and_no_more() -> None:
    """An allow-list: a secret or cache of a checkout cannot slip into a build."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}

    assert "*" in lines
    assert set(COPIED) <= allowed
    assert all((ROOT / path).exists() for path in allowed)


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_the_image_runs_as_nobody_and_says_what_it_is(images: Host) -> None:
    """User, entry point, health check, stop signal and labels, as the engine has them."""
    arguments = {"PYTHON_IMAGE": IMAGES["PYTHON_IMAGE"], "VERSION": "1.2.3", "REVISION": "abc"}
    images.build("autoscaler-test/labels:1", ROOT / "Dockerfile", ROOT, **arguments)
    config = json.loads(images.docker("inspect", "autoscaler-test/labels:1"))[0]["Config"]

    assert config["User"] == "10001:10001"
    assert (config["Entrypoint"], config["Cmd"]) == (["autoscaler"], ["run"])
    assert config["Healthcheck"]["Test"] == ["CMD", "autoscaler", "healthcheck"]
    assert config["StopSignal"] == "SIGTERM"
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert labels.items() >= {"version": "1.2.3", "revision": "abc", "licenses": "MIT", "base.name": IMAGES["PYTHON_IMAGE"]}.items()
    assert images.docker("run", "--rm", "--read-only", "--network", "none", "autoscaler-test/labels:1", "version")
    assert "pip" not in images.docker("run", "--rm", "--entrypoint", "ls", "autoscaler-test/labels:1", "/opt/autoscaler/bin")
