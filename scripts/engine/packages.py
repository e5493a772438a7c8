"""Docker out of Debian packages, without installing anything: downloaded by apt with a private configuration and unpacked.

The machine's package lists and installed packages are neither read nor changed; only the address of its mirror and its
proxies are. `binaries(cache)` gives a folder with `bin/` and `cli-plugins/`; it is made once and then found again.
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

SUITES = ("sid", "trixie")
"""Tried in this order; an engine of the first suite whose programs run here is kept. ENGINE_SUITE names another."""
PROGRAMS = ("dockerd", "docker", "docker-proxy", "containerd", "containerd-shim-runc-v2", "runc")
PACKAGES = ("docker.io", "docker-cli", "containerd", "runc", "docker-compose", "docker-buildx")
FIREWALL = ("iptables", "libxtables12", "libnftnl11", "libmnl0")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def binaries(cache: Path) -> Path:
    """The folder of the unpacked engine below `cache`, fetched when it is not there yet."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        home = cache / "unpacked"
        if not (home / "suite").exists():
            _fetch_first(home)
        if not shutil.which("iptables") and not (home / "bin/iptables").exists():
            _fetch_firewall(home)
        return home


def _fetch_first(home: Path) -> None:
    named = os.environ.get("ENGINE_SUITE")
    for suite in (named,) if named else SUITES:
        partial = home.with_name("partial")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            _fetch(suite, partial)
        except subprocess.CalledProcessError as error:
            sys.stderr.write(f"no engine from Debian {suite}: {(error.stderr or str(error)).strip()[-500:]}\n")
            continue
        (partial / "suite").write_text(suite)
        partial.rename(home)
        return
    sys.exit("no Docker engine could be unpacked: start one on this machine, or set DOCKER_HOST to one")


def _fetch(suite: str, home: Path) -> None:
    """Fill `home` with the programs of one suite, each tried once: some need a newer C library than this machine has."""
    root = home / "root"
    apt = _Apt(suite, home / "apt")
    apt.unpack(root, *PACKAGES)
    # `docker run --init` copies this program into the container: the static build runs in every image.
    apt.unpack(root, "tini-static" if apt.has("tini-static") else "tini")
    _collect(root, home / "bin", home / "cli-plugins")
    if subprocess.run([home / "bin/runc", "--version"], capture_output=True, check=False).returncode:
        older = home / "older"
        _Apt(_own_suite(), home / "apt-older").unpack(older, "runc")
        _move(older, "runc", home / "bin/runc")
    for program in ("dockerd", "containerd", "runc", "docker"):
        subprocess.run([home / "bin" / program, "--version"], check=True, capture_output=True, text=True)
    for leftover in ("root", "older", "apt", "apt-older"):
        shutil.rmtree(home / leftover, ignore_errors=True)


def _fetch_firewall(home: Path) -> None:
    """iptables for a machine that has none: an engine needs it even to give containers each other's names."""
    _Apt(_own_suite(), home / "apt").unpack(home / "firewall", *FIREWALL)
    shutil.rmtree(home / "apt")
    libraries = next((home / "firewall/usr/lib").glob("*-linux-gnu")).relative_to(home)
    for name in ("ip6tables", "iptables"):
        (home / "bin" / name).write_text(
            f'#!/bin/sh\nhome=${{0%/*}}/..\nexport LD_LIBRARY_PATH="$home/{libraries}" XTABLES_LIBDIR="$home/{libraries}/xtables"\n'
            f'exec "$home/firewall/usr/sbin/xtables-nft-multi" {name} "$@"\n'
        )
        (home / "bin" / name).chmod(0o755)


def _own_suite() -> str:
    return platform.freedesktop_os_release()["VERSION_CODENAME"]


def _collect(root: Path, programs: Path, plugins: Path) -> None:
    programs.mkdir()
    for name in PROGRAMS:
        _move(root, name, programs / name)
    static = root / "usr/bin/tini-static"
    shutil.move(static if static.exists() else root / "usr/bin/tini", programs / "docker-init")
    shutil.move(root / "usr/libexec/docker/cli-plugins", plugins)


def _move(root: Path, name: str, target: Path) -> None:
    target.unlink(missing_ok=True)
    shutil.move(next(p for p in (root / "usr/sbin" / name, root / "usr/bin" / name) if p.exists()), target)


class _Apt:
    """apt for one suite, with lists, cache and status of its own in `folder`."""

    def __init__(self, suite: str, folder: Path) -> None:
        for part in ("lists/partial", "archives/partial", "debs"):
            (folder / part).mkdir(parents=True)
        self._folder = folder
        (folder / "status").touch()
        (folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {_mirror()} {suite} main\n")
        proxies = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True, check=True).stdout
        (folder / "apt.conf").write_text(
            proxies + f'Dir::Etc "{folder}";\nDir::Etc::sourcelist "{folder}/sources.list";\nDir::Etc::sourceparts "-";\n'
            f'Dir::State "{folder}";\nDir::State::status "{folder}/status";\nDir::Cache "{folder}";\n'
            'APT::Sandbox::User "root";\nAcquire::Languages "none";\n'
            # The list of a frozen mirror may be older than its own date of expiry; the signature is still verified.
            'Acquire::Check-Valid-Until "false";\n'
        )
        self._run("apt-get", "-qq", "update")

    def has(self, package: str) -> bool:
        """Whether the suite has this package."""
        return bool(self._run("apt-cache", "-q", "search", "--names-only", f"^{re.escape(package)}$").strip())

    def unpack(self, root: Path, *packages: str) -> None:
        """Download these and unpack them below `root`; nothing of them is run or configured."""
        self._run("apt-get", "-qq", "download", *packages)
        for archive in (self._folder / "debs").glob("*.deb"):
            subprocess.run(["dpkg", "-x", archive, root], check=True, capture_output=True, text=True)
            archive.unlink()

    def _run(self, *command: str) -> str:
        environment = {**os.environ, "APT_CONFIG": str(self._folder / "apt.conf")}
        cwd = self._folder / "debs"
        return subprocess.run(command, env=environment, cwd=cwd, check=True, capture_output=True, text=True).stdout


def _mirror() -> str:
    """The address of the Debian mirror that this machine is set up with."""
    folder = Path("/etc/apt")
    for file in (folder / "sources.list", *sorted(folder.glob("sources.list.d/*.sources")), *sorted(folder.glob("sources.list.d/*.list"))):
        text = file.read_text() if file.exists() else ""
        found = re.search(r"^(?:deb\b.*?|URIs:)\s(https?://\S+/debian/?)(?:\s|$)", text, re.MULTILINE)
        if found:
            return found[1]
    sys.exit("this machine has no Debian mirror to take an engine from: start Docker on it, or set DOCKER_HOST to an engine")
