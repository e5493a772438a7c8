"""`autoscaler status`: everything at this moment as a table, once or live."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from autoscaler.cli.ask import ask
from autoscaler.cli.marks import order, phases, shown
from autoscaler.errors import AutoscalerError
from autoscaler.report.sentence import seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

WATCH_SECONDS = 2.0
PIPE_WIDTH = 400
PATH = "/api/v1/status"
BRIEF = f"{PATH}?workers=false"
"""All that the table shows: a list of a thousand workers is left where it is."""


def show_status(url: str, *, as_json: bool, watch: bool) -> None:
    """One look at everything, or one every two seconds until interrupted; as JSON one line for each look."""
    if watch:
        _watch(url, as_json=as_json)
    elif as_json:
        click.echo(json.dumps(ask(url, PATH), indent=2))
    else:
        from rich.console import Console

        # A pipe has no width: one line per pool is what programs that read text can use.
        Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(view(ask(url, BRIEF)))


def _watch(url: str, *, as_json: bool) -> None:
    """Until interrupted; a daemon that is away for a while is waited for, in words."""
    from rich.live import Live

    try:
        if as_json:
            while True:
                click.echo(json.dumps(ask(url, PATH)))
                time.sleep(WATCH_SECONDS)
        with Live(auto_refresh=False, vertical_overflow="crop") as live:
            while True:
                live.update(_look(url, live.console.height), refresh=True)
                time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        return


def _look(url: str, height: int) -> RenderableType:
    from rich.text import Text

    try:
        return view(ask(url, BRIEF), height)
    except AutoscalerError as error:
        return Text(f"! {error}", style="red")


def view(status: dict[str, Any], height: int | None = None) -> RenderableType:
    """The status: what all is about in one line, what is wrong, the pools, what was ordered, and what the brokers cost.

    With a `height` in lines, what tells most of it: a table that is drawn again and again must not be longer than the screen.
    """
    from rich.console import Group
    from rich.text import Text

    wrap: Any = {} if height is None else {"no_wrap": True, "overflow": "ellipsis"}
    lines = [Text(headline(status), style="bold", **wrap)]
    lines += [Text("dry run: nothing is changed", style="yellow")] if status["dry_run"] else []
    lines += [Text(status["standby"], style="yellow", **wrap)] if status.get("standby") else []
    lines += [Text(f"! {text}", style="red", **wrap) for text in status["trouble"]]
    pools, now = status["pools"], status["now"]
    below = [Text(f"{pool['pool']}: {order(told, now)}", style="cyan", **wrap) for pool in pools for told in pool["orders"]]
    below += [Text(words, style="dim", **wrap) for broker in status.get("brokers", []) for words in broker["words"]]
    if height is not None:
        lines, below = lines[: height // 3], below[: height // 3]
        pools = busiest(pools, height - len(lines) - len(below) - 3)
    if left := len(status["pools"]) - len(pools):
        below = [Text(f"and {left} more, where less goes on: autoscaler status", style="dim"), *below]
    return Group(*lines, _table(pools, **wrap), *below)


def busiest(pools: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """At most so many, in the order of the file: those that cannot be seen or have work or workers first.

    >>> idle, busy = {"backlog": 0, "current": 0}, {"backlog": 9, "current": 0}
    >>> busiest([idle, busy, idle], 1) == [busy]
    True
    """
    unseen = float("inf")

    def weight(i: int) -> tuple[float, float, int]:
        waiting, current = pools[i]["backlog"], pools[i]["current"]
        return (-(unseen if waiting is None else waiting), -(unseen if current is None else current), i)

    return [pools[i] for i in sorted(sorted(range(len(pools)), key=weight)[: max(1, most)])]


def headline(status: dict[str, Any]) -> str:
    """The whole daemon in one line."""
    totals, last = status["totals"], status["last_tick_at"]
    ago = "no tick yet" if last is None else f"last tick {seconds(status['now'] - last)} ago"
    return (
        f"autoscaler {status['version']}, up {seconds(status['now'] - status['started_at'])}, {ago}: "
        f"{shown(totals['replicas'])} of {totals['max_replicas']} replicas, {shown(totals['backlog'])} waiting, "
        f"{shown(totals['busy'])} of {shown(totals['slots'])} slots busy"
    )


def _table(pools: list[dict[str, Any]], **why: Any) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, right in (("pool", 0), ("waiting", 1), ("wait", 1), ("busy", 1), ("now", 1), ("want", 1), ("min-max", 1), ("replicas", 0)):
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    table.add_column("why", **why)
    for pool in pools:
        wait = pool["oldest_wait_seconds"]
        busy, bounds = f"{shown(pool['busy'])}/{shown(pool['slots'])}", f"{pool['min']}-{pool['max']}"
        told = [
            shown(pool["backlog"]),
            "?" if wait is None else seconds(wait),
            busy,
            shown(pool["current"]),
            shown(pool["desired"]),
            bounds,
        ]
        table.add_row(Text(pool["pool"]), *told, phases(pool["replicas"]), Text(pool["why"]))
    return table
