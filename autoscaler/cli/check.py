"""`autoscaler check`: the file first, then every neighbour for real, each finding in words that say what to do."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from autoscaler.assemble import build_fleet, build_sources, worker_specs
from autoscaler.config.advice import warnings
from autoscaler.config.costly import bills_commands
from autoscaler.config.in_force import not_in_force
from autoscaler.config.load import load
from autoscaler.config.models import Settings
from autoscaler.errors import FleetUnreachable, SightError
from autoscaler.fleet.contract import Fleet
from autoscaler.model import Container, ContainerState
from autoscaler.policy.room import size
from autoscaler.report.notify import problems
from autoscaler.sources import worker_setup
from autoscaler.sources.broker_trial import can_be_tried, trials
from autoscaler.sources.sight import Sight, Source, Wanted

SIGNS = {"ok": "ok  ", "warning": "warn", "failed": "FAIL"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    about: str
    verdict: str
    """ok, warning or failed."""
    text: str


def check_all(config: Path, *, offline: bool, as_json: bool) -> int:
    """Print the findings; 0 when nothing failed, else 1. An invalid file raises ConfigError."""
    settings = load(config, os.environ)
    findings = [Finding("config", "ok", f"{config}: {len(settings.pools)} pools, hash {settings.hash}")]
    findings += [Finding("config", "warning", text) for text in (*not_in_force(settings), *warnings(settings))]
    findings += [Finding("notify", "failed", text) for text in problems(settings.notify)]
    if not offline:
        found, running = _fleet(settings)
        findings += [*found, *asyncio.run(workers_found(settings, running))]
        findings += asyncio.run(_sources(settings))
    if as_json:
        click.echo(json.dumps([{"about": f.about, "verdict": f.verdict, "text": f.text} for f in findings], indent=2))
    else:
        for finding in findings:
            click.echo(f"{SIGNS[finding.verdict]}  {finding.about}: {finding.text}")
    return 1 if any(f.verdict == "failed" for f in findings) else 0


def _fleet(settings: Settings) -> tuple[list[Finding], list[Container]]:
    """What is found about the engine, and the workers that run on it."""
    fleet = build_fleet(settings, dry_run=False)
    try:
        there = fleet.containers()
    except FleetUnreachable as error:
        return [Finding("fleet", "failed", str(error))], []
    found = [Finding("fleet", "ok", f"{settings.fleet.type}: {len(there)} workers of instance {settings.instance!r}")]
    found += _room(fleet, settings)
    if examine := getattr(fleet, "check", None):
        found += [Finding("fleet", "failed", text) for text in examine(worker_specs(settings))]
    return found, [container for container in there if container.state is ContainerState.RUNNING]


def _room(fleet: Fleet, settings: Settings) -> Iterator[Finding]:
    """How much the host has for workers, and which pools could never be as large as they may."""
    try:
        host = fleet.host()
    except FleetUnreachable as error:
        yield Finding("host", "warning", f"nobody tells how much room it has, so only counts limit the workers: {error}")
        return
    if host is None:
        return
    others = f", {size(host.others_bytes)} of it promised to containers of others" if host.others_bytes else ""
    yield Finding("host", "ok", f"{size(host.memory_bytes)} of memory{others}, {host.cpus:g} CPUs")
    for name, pool in settings.pools.items():
        need, most = pool.worker.deploy.resources.need, pool.replicas.max
        memory, cpus = need.memory_bytes * most, need.cpus * most
        if memory > host.memory_bytes - host.others_bytes or cpus > host.cpus:
            wants = " and ".join([size(memory)] * bool(memory) + [f"{cpus:g} CPUs"] * bool(cpus))
            text = f"pools.{name}.replicas.max: {most} workers may take {wants}, more than there is: lower max, or its deploy.resources"
            yield Finding("host", "warning", text)


async def workers_found(settings: Settings, running: list[Container]) -> list[Finding]:
    """What running workers cost or risk by the way they are set up, as far as their own pages tell."""
    billed = any(map(bills_commands, settings.usable_brokers))
    heard = {name: told for name, told in (await worker_setup.setups(running)).items() if name in settings.pools}
    return [
        Finding(f"pools.{pool}", "warning", f"worker {worker} {text}")
        for pool, (worker, told) in heard.items()
        for text in worker_setup.warnings(told, settings.pools[pool], billed=billed)
    ]


async def _sources(settings: Settings) -> list[Finding]:
    queues = tuple(dict.fromkeys(q for pool in settings.pools.values() for q in pool.queues))
    containers: tuple[Container, ...] = ()
    sights: dict[str, Sight] = {}
    findings: list[Finding] = []
    for broker in filter(can_be_tried, settings.usable_brokers):
        findings += [Finding(f"broker:{broker.name}", each.verdict, f"{each.step}: {each.text}") async for each in trials(broker)]
    failed = {finding.about for finding in findings if finding.verdict == "failed"}
    for source in build_sources(settings):
        if source.name == "workers" or source.name in failed:
            continue
        finding, sight = await _look(source, Wanted(time.time(), queues, containers))
        findings.append(finding)
        findings += [Finding(source.name, "warning", note) for note in (sight.notes if sight else ())]
        if sight:
            sights[source.name] = sight
    return findings + _coverage(queues, sights, brokers=settings.home_broker is not None)


async def _look(source: Source, wanted: Wanted) -> tuple[Finding, Sight | None]:
    try:
        sight = await source.look(wanted)
    except SightError as error:
        return Finding(source.name, "failed", str(error)), None
    finally:
        await source.close()
    return Finding(source.name, "ok", f"answers: {len(sight.queues)} queues, {len(sight.voices)} workers"), sight


def _coverage(queues: tuple[str, ...], sights: dict[str, Sight], *, brokers: bool) -> list[Finding]:
    """Which configured queues nobody can see: those pools would be blind, and could not start from zero."""
    seen = {queue for sight in sights.values() for queue in sight.queues}
    remedy = (
        "the broker did not answer" if brokers
        else "Flower lists a queue only while a worker that it has inspected consumes it: give the broker under `brokers:`"
    )  # fmt: skip
    unseen = [queue for queue in queues if queue not in seen]
    return [Finding("queues", "failed", f"{queue!r} cannot be seen, so its pool is blind: {remedy}") for queue in unseen]
