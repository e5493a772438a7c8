"""Set-ups that cost the broker more commands than they need, each with the flag to change; `advice.py` tells of them with the rest.

What is cheap anywhere is left alone on a broker that bills nothing; figures are measured (`docs/broker-cost.md`, `examples/worker`).
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from autoscaler.config import command
from autoscaler.config.models import BrokerSettings, PoolSettings, Settings

BILLING_HOSTS = (".upstash.io",)
"""Whose free plans count commands."""
MANY_STEPS = 10


def bills_commands(broker: BrokerSettings) -> bool:
    """Whether every command to this broker is counted by somebody: it has a budget, or its host is known for it."""
    return broker.budget is not None or (urlsplit(broker.url.get_secret_value()).hostname or "").endswith(BILLING_HOSTS)


def costs(settings: Settings) -> Iterator[str]:
    """What is dearer than it need be, each with the key, what it costs, and the flag."""
    billed = any(map(bills_commands, settings.usable_brokers))
    for index, broker in enumerate(settings.brokers):
        if len(broker.priority_steps) >= MANY_STEPS:
            yield (
                f"brokers[{index}].priority_steps: {len(broker.priority_steps)} lists for each queue, and Flower asks for each of them: "
                "write [0, 3, 6, 9], or [0] without priorities, here and in broker_transport_options"
            )
    if billed and settings.flower.enabled:
        yield (
            "flower.url: Flower alone sends 22,464 commands a day and 110 more at each refresh=1, on a broker that bills them: "
            "start it with --enable-events=False (5,184 a day), or do without it and write enabled: false"
        )
    for name, pool in settings.pools.items():
        yield from _worker(f"pools.{name}.worker", pool, billed=billed)


def _worker(at: str, pool: PoolSettings, *, billed: bool) -> Iterator[str]:
    options = command.celery_options(pool.worker)
    if options is None:
        return
    talk = [flag for flag in ("--without-gossip", "--without-mingle") if flag not in options]
    if talk:
        yield f"{at}.command: workers greet each other, which makes each start a second longer and is of no use here: add {' '.join(talk)}"
    if not billed:
        return
    if "--without-heartbeat" not in options:
        page = "" if pool.worker.metrics_port else ", with a metrics_port instead, because Flower no longer sees it then"
        yield f"{at}.command: its heartbeat costs 43,200 commands a day on a broker that bills them: add --without-heartbeat{page}"
    loud = next((flag for flag in options if flag in ("-E", "--task-events", "--events")), None)
    if loud:
        yield f"{at}.command: {loud} costs three commands for each task on a broker that bills them: leave it out"
