"""The same house with a Docker engine of its own: workers are containers, and the engine is one more part that can die and hang.

The containers have no network. Broker and traces reach them as sockets in a mounted folder, and so does the Python of this machine
with the packages of the tests; the image holds the rest.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import sysconfig
from contextlib import closing
from pathlib import Path
from typing import Any

import docker
import requests
from live import HERE, ROOT, until
from private_engine import PrivateEngine, run_script

from .parts import ChaosHouse

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
IMAGE = f"autoscaler-test/python:{VERSION}"
FOREIGN = "foreign"
AWAY = (docker.errors.DockerException, requests.exceptions.RequestException)


class DockerHouse(ChaosHouse):
    """All parts, with workers as containers of a private engine."""

    engine: PrivateEngine

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, by_socket=True)
        self.engine = PrivateEngine(folder / "engine")
        run_script("image", "python", IMAGE, DOCKER_HOST=self.engine.host)
        self._foreign_id = ""

    def begin_foreign(self) -> None:
        """A container that is not ours, which its engine starts again as often as it ends."""
        with self._client() as client:
            always = client.create_host_config(restart_policy={"Name": "always"}, network_mode="none")
            made = client.create_container(IMAGE, ["sleep", "86400"], name=FOREIGN, host_config=always)
            client.start(made)
            self._foreign_id = made["Id"]

    def foreign_lives(self) -> bool:
        """Whether it is the same container, and runs."""
        with self._client() as client:
            found = client.inspect_container(FOREIGN)
            return found["Id"] == self._foreign_id and found["State"]["Running"]

    def pool_of(self, name: str, slots: int) -> dict[str, Any]:
        """One pool whose workers are containers."""
        pool = super().pool_of(name, slots)
        worker, packages = pool["worker"], sysconfig.get_path("purelib")
        folders = [str(self.folder / "broker"), str(self.folder / "traces"), f"{packages}:ro", f"{ROOT}:ro"]
        python = os.pathsep.join([str(HERE / "real"), str(ROOT), packages])
        return pool | {
            "worker": {
                "image": IMAGE,
                "pull_policy": "never",
                "command": ["python3", *worker["command"][1:]],
                "environment": worker["environment"] | {"PYTHONPATH": python},
                "volumes": [f"{folder.partition(':')[0]}:{folder}" for folder in folders],
                "network_mode": "none",
                "stop_grace_period": "60s",
            }
        }

    def write(self, pools: dict[str, Any], **top: Any) -> None:
        """The configuration with the engine in it."""
        super().write(pools, fleet={"type": "docker", "host": self.engine.host, "timeout": "3s"}, **top)

    def workers(self) -> set[str]:
        """Names of our workers that run; none while the engine does not say."""
        with contextlib.suppress(*AWAY), self._client() as client:
            rows = client.containers(filters={"label": "autoscaler.pool"})
            return {row["Names"][0].lstrip("/") for row in rows}
        return set()

    def signal_worker(self, name: str, number: signal.Signals) -> None:
        """Through the engine: it alone knows where the process is."""
        with contextlib.suppress(*AWAY), self._client() as client:
            client.kill(name, int(number))

    def signal_engine(self, number: signal.Signals) -> None:
        """The engine itself, beside its containers."""
        os.kill(self.engine.process, number)

    def kill_engine(self) -> None:
        """With everything in it, and not before it is gone."""
        process = self.engine.process
        os.kill(process, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{process}").exists(), 20)

    def start_engine(self) -> None:
        """Again, on what it left on the disk."""
        run_script("up", self.engine.folder, "--private")

    def close(self) -> None:
        """End everything, the engine last."""
        with contextlib.suppress(AssertionError, ProcessLookupError):
            self.signal_engine(signal.SIGCONT)
        self._keep_words()
        try:
            super().close()
        finally:
            run_script("down", self.engine.folder)

    def _keep_words(self) -> None:
        """What workers that are left have said goes to the folder: they should not be there."""
        with contextlib.suppress(*AWAY), self._client() as client:
            for name in self.workers():
                (self.folder / f"{name}.log").write_bytes(client.logs(name))

    def _client(self) -> closing[docker.APIClient]:
        return closing(docker.APIClient(self.engine.host, timeout=10))
