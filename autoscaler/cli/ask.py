"""`status`, `explain`, `history`: ask the running daemon over HTTP and show the answer to a person, or as JSON."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import click
import httpx

from autoscaler.errors import SourceUnreachable

WATCH_SECONDS = 2.0


def ask(url: str, path: str) -> Any:
    """The JSON answer of the daemon at `url`; raises SourceUnreachable in words."""
    try:
        answer = httpx.get(url.rstrip("/") + path, timeout=5.0, trust_env=False)
    except httpx.HTTPError as error:
        raise SourceUnreachable(f"no daemon answers at {url} ({error}): is it running, and is --url right?") from error
    try:
        body = answer.json()
    except ValueError as error:
        raise SourceUnreachable(f"{url}{path} answered {answer.status_code} without JSON: is this the autoscaler?") from error
    if answer.status_code == 404:
        raise SourceUnreachable(str(body.get("error", "not found")))
    if answer.status_code >= 500 or not isinstance(body, (dict, list)):
        raise SourceUnreachable(f"{url}{path} answered {answer.status_code}: {body}")
    return body


def show_status(url: str, *, as_json: bool, watch: bool) -> None:
    """One look at everything, or one every two seconds until interrupted."""
    from rich.console import Console
    from rich.live import Live

    if as_json:
        click.echo(json.dumps(ask(url, "/api/v1/status"), indent=2))
        return
    if not watch:
        Console().print(status_view(ask(url, "/api/v1/status")))
        return
    with Live(auto_refresh=False) as live:
        while True:
            live.update(status_view(ask(url, "/api/v1/status")), refresh=True)
            time.sleep(WATCH_SECONDS)


def status_view(status: dict[str, Any]) -> Any:
    """The status as a table, with everything that is wrong above it, in words."""
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, right in (("pool", False), ("waiting", True), ("busy", True), ("now", True), ("want", True), ("min-max", True)):
        table.add_column(name, justify="right" if right else "left")
    table.add_column("why")
    for pool in status["pools"]:
        busy, bounds = f"{_shown(pool['busy'])}/{_shown(pool['slots'])}", f"{pool['min']}-{pool['max']}"
        counts = [_shown(pool[key]) for key in ("current", "desired")]
        table.add_row(escape(pool["pool"]), _shown(pool["backlog"]), busy, *counts, bounds, escape(pool["why"]))
    lines = ["[yellow]dry run: nothing is changed[/]"] if status["dry_run"] else []
    lines += [f"[red]! {escape(text)}[/]" for text in status["trouble"]]
    return Group(*lines, table)


def _shown(count: int | None) -> str:
    """A count, or ? where nobody could see it."""
    return "?" if count is None else str(count)


def show_explanation(url: str, pool: str, *, as_json: bool) -> None:
    """The last decision about one pool, as a waterfall."""
    body = ask(url, f"/api/v1/pools/{pool}")
    if as_json:
        click.echo(json.dumps(body, indent=2))
        return
    click.echo(body["why"])
    for step in body["steps"]:
        click.echo(f"  {step['rule']:<14}{step['before']:>4} -> {step['after']:<4}{step['reason']:<24}{step['because']}")
    if body["foresight"]:
        click.echo(f"  then: {body['foresight']['words']}")
    for worker in body["workers"]:
        tasks = f"running {_shown(worker['running'])}/{worker['slots']}"
        click.echo(f"  {worker['name']}  {worker['phase']:<9} {worker['age_seconds']:>7.0f} s  {tasks}")


def show_history(url: str, pool: str | None, limit: int, *, as_json: bool) -> None:
    """The latest decisions, oldest first, so that the newest stands above the prompt."""
    pools = [pool] if pool else [p["pool"] for p in ask(url, "/api/v1/status")["pools"]]
    rows = [row for name in pools for row in _decisions(url, name, limit)]
    rows = sorted(rows, key=lambda row: row["at"])[-limit:]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        when = datetime.fromtimestamp(row["at"], UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        click.echo(f"{when}  {row['why']}")


def _decisions(url: str, pool: str, limit: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = ask(url, f"/api/v1/pools/{pool}/decisions?limit={limit}")["decisions"]
    return rows
