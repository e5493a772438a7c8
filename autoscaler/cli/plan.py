"""`autoscaler plan`: one look, one decision, nothing done."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import click

from autoscaler.assemble import build_fleet, build_sources
from autoscaler.config.load import load
from autoscaler.desk import FILE as ORDERS_FILE
from autoscaler.desk import read as read_orders
from autoscaler.model import Decision, Memory, Observation
from autoscaler.policy.decide import decide
from autoscaler.policy.memory import resume
from autoscaler.report.journal import Journal
from autoscaler.report.plain import to_plain
from autoscaler.report.sentence import waterfall, why
from autoscaler.sources.eyes import Eyes


def plan_once(config: Path, *, as_json: bool) -> bool:
    """Print what would be done now; True when something would change."""
    settings = load(config, os.environ)
    now = time.time()
    policies = settings.policies(now)
    fleet = build_fleet(settings, dry_run=True)
    eyes = Eyes(
        fleet.containers,
        build_sources(settings),
        depth_from=settings.depths,
        max_age_seconds=settings.flower.max_age,
        patience_seconds=settings.flower.timeout,
    )
    eyes.watch_host(fleet.host)
    try:
        seen = replace(eyes.look(policies, now), orders=read_orders(Path(settings.state) / ORDERS_FILE) or {})
    finally:
        eyes.close()
    decision = decide(policies, seen, _memory(Path(settings.state)), now)
    if as_json:
        click.echo(json.dumps(to_plain(decision), indent=2))
    else:
        _tell(seen, decision, now)
    return bool(decision.actions)


def _memory(state: Path) -> Memory:
    """What a daemon on this state folder remembers, so that windows and drains count; read only."""
    if not (state / "journal.sqlite3").exists():
        return Memory()
    journal = Journal(state / "journal.sqlite3")
    try:
        kept = journal.load_memory()
    finally:
        journal.close()
    return resume(kept[0]) if kept else Memory()


def _tell(seen: Observation, decision: Decision, now: float) -> None:
    for source in seen.sources:
        if not source.up:
            click.echo(f"cannot see {source.name}: {source.detail}", err=True)
    for pool in decision.pools:
        click.echo(why(pool, now))
        for line in waterfall(pool):
            click.echo(f"    {line}")
        for action in pool.actions:
            click.echo(f"    would {action.kind} {action.replica}: {action.because}")
    if not decision.actions:
        click.echo("nothing would change")
