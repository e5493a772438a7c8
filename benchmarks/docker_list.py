"""What one look at the workers costs: the fleet's list against the SDK's own, on the same engine in the same run.

    python benchmarks/docker_list.py [CONTAINERS] [ROUNDS]

Makes that many labelled containers (500; created, not started, which a list does not care about), lists them ROUNDS times
each way, in turn, and removes them again. The engine is the one at DOCKER_HOST; scripts/engine/up gives one for it:

    DOCKER_HOST=$(scripts/engine/up /tmp/bench) python benchmarks/docker_list.py; scripts/engine/down /tmp/bench
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker

from autoscaler.fleet.docker import DockerFleet

IMAGE = "autoscaler-test/tools:1"
HOST = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


def measure(rounds: int, ways: dict[str, Callable[[], Sequence[object]]], expected: int) -> dict[str, tuple[float, float]]:
    """Median wall time and CPU time of this process per call, in milliseconds; the ways take turns, so that noise hits all alike."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(rounds):
        # Each way follows each other one equally often: what comes after the slowest finds a cold engine.
        for name, call in sorted(ways.items(), reverse=bool(turn % 2)):
            wall, cpu = time.perf_counter(), time.process_time()
            found = len(call())
            taken[name].append(((time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3))
            assert found == expected, f"{name}: {found} of {expected}"
    return {name: (statistics.median(w for w, _ in both), statistics.median(c for _, c in both)) for name, both in taken.items()}


def main(count: int, rounds: int) -> None:
    """Make the containers, measure, print, clean up."""
    instance = f"bench-{uuid.uuid4().hex[:6]}"
    image_script = Path(__file__).parents[1] / "scripts" / "engine" / "image"
    subprocess.run([image_script, "tools", IMAGE], env={**os.environ, "DOCKER_HOST": HOST}, check=True, stdout=subprocess.DEVNULL)
    api = docker.APIClient(HOST, max_pool_size=8)
    sdk = docker.DockerClient(HOST)
    fleet = DockerFleet(HOST, instance, timeout_seconds=60)
    labels = {"autoscaler.instance": instance, "autoscaler.pool": "bench", "autoscaler.spec": "0" * 12}
    ours = {"label": f"autoscaler.instance={instance}"}
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: api.create_container(IMAGE, ["true"], name=f"{instance}-{n}", labels=labels)["Id"], range(count)))
        try:
            ways: dict[str, Callable[[], Sequence[object]]] = {
                "fleet.containers()": fleet.containers,
                "SDK list(sparse=True)": lambda: sdk.containers.list(all=True, filters=ours, sparse=True),
                "SDK containers.list()": lambda: sdk.containers.list(all=True, filters=ours),
            }
            measure(1, ways, count)  # connections and caches
            results = measure(rounds, ways, count)
        finally:
            list(pool.map(lambda container: api.remove_container(container, force=True), made))
    print(f"{count} containers, {rounds} rounds, engine {sdk.version()['Version']}, medians per call")
    print(f"{'':24}{'wall ms':>10}{'client CPU ms':>16}{'wall, fleet = 1':>18}{'CPU, fleet = 1':>17}")
    wall, cpu = results["fleet.containers()"]
    for name, (own_wall, own_cpu) in results.items():
        print(f"{name:24}{own_wall:10.1f}{own_cpu:16.1f}{own_wall / wall:18.1f}{own_cpu / cpu:17.1f}")


if __name__ == "__main__":
    main(*map(int, (sys.argv[1:] + ["500", "15"][len(sys.argv) - 1 :])[:2]))
