"""`autoscaler explain`: one pool's last decision as a waterfall with its numbers, and what would change it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import click

from autoscaler.cli.ask import ask
from autoscaler.cli.marks import change, order, shown
from autoscaler.report.sentence import seconds


def show_explanation(url: str, pool: str, *, as_json: bool) -> None:
    """Ask for one pool and print it."""
    told = ask(url, f"/api/v1/pools/{quote(pool, safe='')}")
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    for line in explanation(told):
        click.echo(line)


def explanation(told: dict[str, Any]) -> Iterator[str]:
    """The pool in lines: why, the numbers, the steps, what comes next, who works."""
    yield told["why"]
    yield f"  {_numbers(told)}"
    yield from _waterfall(told["steps"])
    if told["foresight"]:
        yield f"  then: {told['foresight']['words']}"
    for standing in told["orders"]:
        yield f"  ordered: {order(standing)}"
    for action in told["actions"]:
        yield f"  doing: {action['kind']} {action['replica']}: {action['because']}"
    for worker in told["workers"]:
        tasks = f"running {shown(worker['running'])}/{worker['slots']}"
        yield f"  {worker['name']}  {worker['phase']:<9} {seconds(worker['age_seconds']):>6}  {tasks}"


def _numbers(told: dict[str, Any]) -> str:
    wait = told["oldest_wait_seconds"]
    oldest = f", the oldest for {seconds(wait)}" if told["backlog"] and wait is not None else ""
    return (
        f"{shown(told['backlog'])} waiting{oldest}; {shown(told['busy'])} of {shown(told['slots'])} slots busy; "
        f"{shown(told['current'])} replicas, {shown(told['desired'])} wanted, from {told['min']} to {told['max']}"
    )


def _waterfall(steps: list[dict[str, Any]]) -> Iterator[str]:
    if not steps:
        return
    most = max(max(step["before"], step["after"]) for step in steps)
    rules, reasons = (max(len(step[key]) for step in steps) for key in ("rule", "reason"))
    digits = len(str(most))
    for step in steps:
        count = f"{step['before']:>{digits}} -> {step['after']:<{digits}}"
        bar = change(step["before"], step["after"], most)
        yield f"  {step['rule']:<{rules}}  {count}  {bar}  {step['reason']:<{reasons}}  {step['because']}"
