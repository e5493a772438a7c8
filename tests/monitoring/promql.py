"""PromQL taken apart: which series an expression asks for, and which the daemon and its workers have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import promql_parser
from prometheus_client import CollectorRegistry, generate_latest

from autoscaler.contrib.celery.worker_page import WorkerPage
from autoscaler.report.metrics import Metrics

RATES = ("rate", "increase", "irate")
STANDS_FOR = {"$__rate_interval": "1m", "$__range": "1h", "$price": "0.20"}
"""What Grafana puts in for variables that stand where only a number may, near enough for parsing."""
FROM_PROMETHEUS = {"up": "gauge"}
"""What Prometheus itself adds to every target."""


def parsed(expression: str) -> Any:
    """The expression as Prometheus gets it."""
    for variable, value in STANDS_FOR.items():
        expression = expression.replace(variable, value)
    return promql_parser.parse(expression)


def selectors(node: Any, around: str = "") -> Iterator[tuple[Any, str]]:
    """Every vector selector, with the function that is applied to it."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node, around
    elif isinstance(node, promql_parser.MatrixSelector):
        yield node.vector_selector, around
    elif isinstance(node, promql_parser.Call):
        for argument in node.args:
            yield from selectors(argument, node.func.name)
    else:
        for part in ("expr", "lhs", "rhs", "param"):
            if (inner := getattr(node, part, None)) is not None:
                yield from selectors(inner, around)


def kinds(page: str) -> dict[str, str]:
    """Type by name of every series on a /metrics page; the parts of a histogram are counters."""
    found: dict[str, str] = {}
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE):
        for suffix in ("_bucket", "_sum", "_count") if kind == "histogram" else ("",):
            found[name + suffix] = "counter" if kind == "histogram" else kind
    return found


def daemon_page() -> str:
    """Every family that the daemon has."""
    return Metrics(lambda: None).render("")[0].decode()


def worker_page() -> str:
    """Every family that a worker with `autoscaler.contrib.celery` has."""
    page = WorkerPage(port=0)
    app = SimpleNamespace(conf=SimpleNamespace(broker_transport_options={}))
    pool, consumer = SimpleNamespace(num_processes=1), SimpleNamespace(steps=[object()])
    page.open(SimpleNamespace(hostname="celery@w", app=app, pool=pool, consumer=consumer))
    registry = CollectorRegistry()
    registry.register(page)
    return generate_latest(registry).decode()
