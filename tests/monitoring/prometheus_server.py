"""A real Prometheus with the shipped configuration: other addresses, a faster pace, and alerts that do not wait.

`programs()` finds prometheus and promtool; `a_prometheus` runs one and gives a window to ask it through.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from live import ROOT, free_port, until

HOME = ROOT / "prometheus"
PACE = "1s"


def programs() -> Path:
    """The folder that holds prometheus and promtool; skips the test where there is none."""
    found = shutil.which("promtool")
    folders = (os.environ.get("AUTOSCALER_TEST_PROMETHEUS"), found and str(Path(found).parent), str(ROOT / ".cache/prometheus/usr/bin"))
    for folder in map(Path, filter(None, folders)):
        if (folder / "prometheus").exists() and (folder / "promtool").exists():
            return folder
    pytest.skip("no Prometheus on this machine: scripts/prometheus says how to get one")


def promtool(*words: str | Path) -> str:
    """What promtool says; fails the test when it complains."""
    said = subprocess.run([programs() / "promtool", *words], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


@dataclass
class Prometheus:
    """Asks a running Prometheus."""

    url: str

    def get(self, path: str, **question: Any) -> Any:
        """The data of one answer; an error is a failure, with its words."""
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=question, timeout=10, trust_env=False).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """The series of an expression now."""
        return self.get("query", query=expression)["result"]

    def curve(self, expression: str, start: float, end: float, step: float = 1.0) -> list[dict[str, Any]]:
        """The series of an expression over time."""
        return self.get("query_range", query=expression, start=start, end=end, step=step)["result"]

    def alerts(self, state: str = "firing") -> set[str]:
        """Names of the alerts in this state."""
        return {alert["labels"]["alertname"] for alert in self.get("alerts")["alerts"] if alert["state"] == state}


@contextmanager
def a_prometheus(folder: Path, autoscaler: str) -> Iterator[Prometheus]:
    """One that follows the autoscaler at this `host:port` for as long as the block lasts."""
    config = _config(folder, autoscaler)
    port = free_port()
    place = [f"--web.listen-address=127.0.0.1:{port}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    with (folder / "prometheus.log").open("wb") as log:
        command = [str(programs() / "prometheus"), f"--config.file={config}", *place]
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        until(lambda: _is_ready(port) or server.poll() is not None, 30)
        assert server.poll() is None, (folder / "prometheus.log").read_text()[-3000:]
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        server.terminate()
        server.wait(20)


def _config(folder: Path, autoscaler: str) -> Path:
    """The shipped files with nothing changed but addresses and times."""
    shipped = (HOME / "prometheus.yml").read_text()
    assert shipped.count("autoscaler:8090") == 2
    config = yaml.safe_load(shipped.replace("autoscaler:8090", autoscaler))
    config["global"] = dict.fromkeys(config["global"], PACE)
    for job in config["scrape_configs"]:
        job["scrape_interval"] = PACE
        for discovery in job.get("http_sd_configs", ()):
            discovery["refresh_interval"] = PACE
    (folder / "rules").mkdir(parents=True)
    for file in (HOME / "rules").glob("*.yml"):
        rules = yaml.safe_load(file.read_text())
        for rule in [rule for group in rules["groups"] for rule in group["rules"] if "for" in rule]:
            rule["for"] = PACE
        (folder / "rules" / file.name).write_text(yaml.safe_dump(rules))
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    return folder / "prometheus.yml"


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/-/ready", timeout=1, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
