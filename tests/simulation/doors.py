"""Puts the machine and the world in the place of the operating system and the network, and everything back afterwards.

Not one line of the daemon knows that it is simulated: its modules find other things under the names that they import. What is
replaced is listed once, in `stand_ins`; everything else, from `Daemon` to the journal's SQLite, is the real thing.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog

import autoscaler.daemon
import autoscaler.fleet.docker
import autoscaler.loop
import autoscaler.report.shelf
import autoscaler.sources.broker_redis
import autoscaler.sources.fetch
from autoscaler.lock import StateLock
from autoscaler.report.redact import redactor
from autoscaler.web.server import Server

from .broker import Line
from .engine import Engine
from .flower import make_fetch
from .machine import Killed
from .modules import asyncio_of, threading_of, time_of

if TYPE_CHECKING:
    from .world import World


@contextmanager
def installed(world: World) -> Iterator[None]:
    """The daemon's modules see this world, and nothing else."""
    before = _replace(stand_ins(world))
    configuration = structlog.get_config()
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
        structlog.configure(**configuration)


def stand_ins(world: World) -> Mapping[Any, Any]:
    """What the daemon's modules import -> what they get instead."""
    machine = world.machine
    return {
        # the operating system
        time: time_of(machine),
        threading: threading_of(machine),
        asyncio: asyncio_of(machine),
        concurrent.futures.wait: machine.wait_for_futures,
        StateLock: _lock_of(world),
        # the network
        autoscaler.sources.fetch.fetch: make_fetch(world.flower, world.docker, world.gate),
        autoscaler.sources.broker_redis.RedisLine: type("SimLine", (Line,), {"brokers": world.brokers, "gate": staticmethod(world.gate)}),
        autoscaler.fleet.docker.Engine: type(
            "SimEngine", (Engine,), {"docker": world.docker, "machine": machine, "gate": staticmethod(world.gate)}
        ),
        Server: Silent,
        autoscaler.daemon.configure_logging: _logging_of(world),
        # the same, watched
        autoscaler.daemon.build_app: world.watched_app(autoscaler.daemon.build_app),
        autoscaler.report.shelf.write: world.watched_write(autoscaler.report.shelf.write),
        autoscaler.daemon.tick: world.watched_tick(autoscaler.daemon.tick),
        autoscaler.loop.decide: world.watched_decide(autoscaler.loop.decide),
    }


def _replace(stand_ins: Mapping[Any, Any]) -> list[tuple[Any, str, Any]]:
    """Put them into every module of the autoscaler; what stood there before."""
    wanted = {id(real): stand_in for real, stand_in in stand_ins.items()}
    before = []
    for name, module in list(sys.modules.items()):
        if name == "autoscaler" or name.startswith("autoscaler."):
            found = [(attribute, value) for attribute, value in vars(module).items() if id(value) in wanted]
            for attribute, value in found:
                before.append((module, attribute, value))
                setattr(module, attribute, wanted[id(value)])
    return before


class Silent:
    """A web server that nobody can reach; the world goes through the daemon's doors behind it."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """There is no socket."""

    def start(self) -> None:
        """Nobody listens."""

    def stop(self) -> None:
        """Nobody did."""


def _lock_of(world: World) -> type[StateLock]:
    class Lock(StateLock):
        """The real lock on the real file; the kernel lets go of it when its process dies."""

        def __init__(self, state: Any) -> None:
            world.gate("the lock is taken")
            super().__init__(state)
            world.dying.setdefault(world.process, []).append(self.release)

    return Lock


def _logging_of(world: World) -> Callable[..., None]:
    def configure(_settings: object, secrets: Any = (), **_: object) -> None:
        redactor.learn(secrets)
        structlog.configure(
            processors=[structlog.processors.add_log_level, _note],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO if world.tell else logging.WARNING),
            logger_factory=structlog.PrintLoggerFactory(),
            cache_logger_on_first_use=False,
        )

    def _note(_logger: object, method: str, event: Any) -> Any:
        if not world.process.dead:
            world.log(method, dict(redactor(event)))
        raise structlog.DropEvent

    return configure


__all__ = ["Killed", "installed"]
