"""A Docker engine that no other test needs, so that it may be hung and killed."""

from __future__ import annotations

import sys
from contextlib import closing, suppress
from pathlib import Path

import docker

sys.path[:0] = [str(Path(__file__).parents[1] / "fleet")]

from engines import IMAGE, docker_worker, run_script  # noqa: E402


class PrivateEngine:
    """An engine that no other test needs, so that it may be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.host = run_script("up", self.folder, "--private")
        run_script("image", "tools", IMAGE, DOCKER_HOST=self.host)

    @property
    def process(self) -> int:
        """The engine itself, by the name of its socket."""
        for command in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):  # gone since it was listed
                words = command.read_bytes().split(b"\0")
                if words[0].endswith(b"dockerd") and self.host.encode() in words:
                    return int(command.parent.name)
        raise AssertionError("the engine does not run")

    def names(self, *, running: bool = True, **labels: str) -> set[str]:
        """Containers with these labels, as the engine lists them."""
        wanted = [f"{label.replace('_', '.')}={value}" for label, value in labels.items()]
        with closing(docker.APIClient(self.host, timeout=20)) as client:
            return {row["Names"][0].lstrip("/") for row in client.containers(all=not running, filters={"label": wanted})}

    def begin(self, name: str, **labels: str) -> None:
        """A container that is nobody's worker."""
        with closing(docker.APIClient(self.host, timeout=20)) as client:
            client.start(client.create_container(IMAGE, ["sleep", "600"], name=name, labels=labels))


__all__ = ["PrivateEngine", "docker_worker", "run_script"]
