"""How running workers are set up, as their own pages tell, and what of it costs their broker commands or puts tasks at risk.

A command line shows only flags, and only where it is no script; a worker itself knows its kombu and its transport options, too.
Asked by `check` alone, one worker of each pool: all of a pool are set up alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.parser import text_string_to_metric_families

from autoscaler.config import command
from autoscaler.config.pools import PoolSettings
from autoscaler.config.units import duration_text
from autoscaler.errors import SightError
from autoscaler.model import Container
from autoscaler.sources.fetch import fetch, new_client

TIMEOUT_SECONDS, PAGE_BYTES = 2.0, 64_000
USUAL_VISIBILITY_SECONDS = 3600.0
"""kombu's own, where nobody set another."""
LISTENS = (5, 6)
"""The first kombu whose polling_interval reaches the command that an idle worker waits in."""

Setup = Mapping[str, str]


async def setups(containers: Iterable[Container]) -> dict[str, tuple[str, Setup]]:
    """pool -> the name and the setup of the first of its workers whose page tells it; silent pages are passed over."""
    found: dict[str, tuple[str, Setup]] = {}
    client = new_client(connect_seconds=TIMEOUT_SECONDS)
    try:
        for container in containers:
            if container.metrics is None or container.pool in found:
                continue
            try:
                page = await fetch(client, f"http://{container.metrics}/metrics", deadline_seconds=TIMEOUT_SECONDS, limit_bytes=PAGE_BYTES)
                told = told_by(page.text)
            except (SightError, ValueError):
                continue
            if told:
                found[container.pool] = (container.name, told)
    finally:
        await client.aclose()
    return found


def told_by(page: str) -> Setup:
    """The setup on a worker's page, empty where it tells none; raises ValueError for what is no such page."""
    lines = "\n".join(line for line in page.splitlines() if line.startswith("autoscaler_worker_setup_info"))
    samples = [sample for family in text_string_to_metric_families(lines + "\n") for sample in family.samples]
    return samples[0].labels if samples else {}


def warnings(told: Setup, pool: PoolSettings, *, billed: bool) -> Iterator[str]:
    """What this setup costs or risks, each with what to change; flags that the pool's own command shows are told of with the file."""
    yield from _polling(told, pool, billed=billed)
    if command.celery_options(pool.worker) is None:
        yield from _talk(told, billed=billed)
    if billed and told.get("remote_control") == "on":
        yield "answers remote control, 13,000 commands a day on a broker that bills them: set worker_enable_remote_control = False"
    seen, longest = _seconds(told, "visibility_timeout") or USUAL_VISIBILITY_SECONDS, max(pool.drain.timeout, pool.worker.stop_grace_period)
    if seen < longest:
        yield (
            f"may take {duration_text(longest)} to leave, and after {duration_text(seen)} Redis gives its unacknowledged tasks to a second "
            "worker: raise visibility_timeout in broker_transport_options"
        )


def _polling(told: Setup, pool: PoolSettings, *, billed: bool) -> Iterator[str]:
    interval, kombu = _seconds(told, "polling_interval"), told.get("kombu", "")
    is_deaf = bool(kombu) and tuple(int(part) for part in re.findall(r"\d+", kombu)[:2]) < LISTENS
    if is_deaf and (billed or interval):
        yield f"runs kombu {kombu}, where polling_interval has no effect and an idle worker asks each second: install celery[redis]>=5.6"
    elif billed and not interval:
        yield "asks each second while idle, 86,400 commands a day on a broker that bills them: set polling_interval 30 for workers"
    elif interval and interval >= pool.worker.stop_grace_period:
        grace = duration_text(pool.worker.stop_grace_period)
        yield f"takes up to {interval:g} s to leave while idle (polling_interval), and worker.stop_grace_period is {grace}: allow more"


def _talk(told: Setup, *, billed: bool) -> Iterator[str]:
    talk = [f"--without-{name}" for name in ("gossip", "mingle") if told.get(name) == "on"]
    if talk:
        yield f"greets other workers, which makes each start a second longer and is of no use here: start it with {' '.join(talk)}"
    if billed and told.get("heartbeat") == "on":
        yield "sends a heartbeat, 43,200 commands a day on a broker that bills them: start it with --without-heartbeat"


def _seconds(told: Setup, key: str) -> float | None:
    text = told.get(key, "")
    return float(text) if re.fullmatch(r"\d{1,9}(\.\d+)?", text) else None
