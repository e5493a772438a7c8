"""`autoscaler history`: the latest decisions that said something new, and what people ordered, below the last hour as curves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import click

from autoscaler.cli.ask import ask
from autoscaler.cli.marks import shown, sparkline

POINTS = 60


def show_history(url: str, pool: str | None, limit: int, *, as_json: bool) -> None:
    """Oldest first, so that the newest stands above the prompt."""
    pools = [pool] if pool else [told["pool"] for told in ask(url, "/api/v1/status?workers=false")["pools"]]
    rows = sorted([*_decisions(url, pools, limit), *_orders(url, pool, limit)], key=lambda row: float(row["at"]))[-limit:]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for name in pools:
        for line in curves(name, ask(url, f"/api/v1/history?pool={quote(name, safe='')}&points={POINTS}")):
            click.echo(line)
    for row in rows:
        when = datetime.fromtimestamp(row["at"], UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        words = row["why"] if row["type"] == "decision" else f"{row['pool']} {row['told']}".strip()
        click.echo(f"{when}  {words}")


def curves(pool: str, told: dict[str, Any]) -> Iterator[str]:
    """What waited and how many replicas there were, as one line each; nothing where nothing was seen."""
    points = told["pools"].get(pool) or []
    if not points:
        return
    replicas = [point["ready"] + point["starting"] for point in points]
    for name, values in (("waiting", [point["backlog"] for point in points]), ("replicas", replicas)):
        known = [value for value in values if value is not None]
        most = shown(max(known, default=None))
        yield f"{pool:<16} {name:<8} {sparkline(values)}  at most {most}, now {shown(values[-1])}"


def _decisions(url: str, pools: list[str], limit: int) -> Iterator[dict[str, Any]]:
    for pool in pools:
        for row in ask(url, f"/api/v1/pools/{quote(pool, safe='')}/decisions?limit={limit}")["decisions"]:
            yield {"type": "decision", **row}


def _orders(url: str, pool: str | None, limit: int) -> Iterator[dict[str, Any]]:
    of_pool = f"&pool={quote(pool, safe='')}" if pool else ""
    for row in ask(url, f"/api/v1/orders?limit={limit}{of_pool}")["given"]:
        yield {"type": "order", **row}
