"""The locks hold what pyproject.toml asks for, each package with hashes, and nothing that ties them to one place."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
from live import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME = PROJECT["project"]["dependencies"]
BUILD = PROJECT["build-system"]["requires"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
WANTED = {
    "requirements.txt": RUNTIME,
    "requirements-notify.txt": [*RUNTIME, *EXTRAS["notify"]],
    "requirements-build.txt": BUILD,
    "requirements-dev.txt": [*RUNTIME, *BUILD, *EXTRAS["demo"], *EXTRAS["notify"], *PROJECT["dependency-groups"]["dev"]],
}
PINNED = re.compile(r"^([a-z0-9][a-z0-9.-]*)(?:\[[^]]*\])?==([^ ;\\]+)(.*)$", re.MULTILINE)


def locked(name: str) -> dict[str, str]:
    """Version by package."""
    return {canonicalize_name(package): version for package, version, _ in PINNED.findall((ROOT / name).read_text())}


@pytest.mark.parametrize("name", WANTED)
def test_the_lock_holds_what_is_asked_for(name: str) -> None:
    """A requirement that was added or raised without `make lock` shows here."""
    versions = locked(name)
    for text in WANTED[name]:
        wanted = Requirement(text)
        assert versions.get(canonicalize_name(wanted.name)) is not None, f"{wanted.name}: run make lock"
        assert wanted.specifier.contains(versions[canonicalize_name(wanted.name)], prereleases=True), f"{wanted}: run make lock"


@pytest.mark.parametrize("name", WANTED)
def test_every_package_has_hashes_and_no_address(name: str) -> None:
    """A lock is checked against hashes and installs from whatever index its reader has."""
    text = (ROOT / name).read_text()
    blocks = re.split(r"\n(?=[a-z0-9])", text.partition("\n")[2])

    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert not re.search(r"^-|https?://|file:|@ ", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("small", "large"), [("requirements.txt", "requirements-notify.txt"), ("requirements-notify.txt", "requirements-dev.txt")]
)
def test_tests_run_with_what_the_daemon_runs_with(small: str, large: str) -> None:
    """The larger lock has the same version of every package of the smaller."""
    larger = locked(large)

    assert {package: larger.get(package) for package in locked(small)} == locked(small)
