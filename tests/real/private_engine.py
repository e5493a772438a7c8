"""A Docker engine that no other test needs, so that it may be hung and killed."""

from __future__ import annotations

import sys
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
            words = command.read_bytes().split(b"\0") if command.exists() else []
            if words[0].endswith(b"dockerd") and self.host.encode() in words:
                return int(command.parent.name)
        raise AssertionError("the engine does not run")

    def names(self, *, running: bool = True, **labels: str) -> set[str]:
        """Containers with these labels, as the engine lists them."""
        client = docker.APIClient(self.host, timeout=20)
        try:
            wanted = [f"{label.replace('_', '.')}={value}" for label, value in labels.items()]
            return {row["Names"][0].lstrip("/") for row in client.containers(all=not running, filters={"label": wanted})}
        finally:
            client.close()

    def a_foreign_container(self) -> str:
        """One that nobody may touch."""
        client = docker.APIClient(self.host, timeout=20)
        try:
            made = client.create_container(IMAGE, ["sleep", "600"], name="foreign", labels={"of": "somebody"})
            client.start(made)
            return "foreign"
        finally:
            client.close()


__all__ = ["PrivateEngine", "docker_worker", "run_script"]
