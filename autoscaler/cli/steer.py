"""`pause`, `resume`, `scale`, `drain`, `wake`, `reload`: tell the running daemon, and show what it made of it."""

from __future__ import annotations

import getpass
import json
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import click
import httpx

from autoscaler.cli.ask import answered, ask
from autoscaler.errors import AutoscalerError, SourceUnreachable

SECONDS = 15.0
"""Longer than the daemon waits for its disk."""


class Refused(AutoscalerError):
    """The daemon did not take an order; its words say why."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """Whom to tell, with what token, and how to show the answer."""

    url: str
    token: str
    form: str

    def order(self, pool: str, action: str, **body: Any) -> None:
        """Give an order about a pool; what is None is left to the daemon."""
        self._tell(f"/api/v1/pools/{quote(pool, safe='')}/{action}", {key: value for key, value in body.items() if value is not None})

    def drain(self, target: str, why: str, period: str | None) -> None:
        """Send home a pool, or the worker of that name wherever it is."""
        pool = _pool_of(self.url, target)
        if pool == target:
            self.order(pool, "drain", why=why, **{"for": period})
        else:
            self.order(pool, "drain", worker=target, why=why, **{"for": period})

    def reload(self, why: str) -> None:
        """Have config.yaml read."""
        self._tell("/-/reload", {"why": why})

    def _tell(self, path: str, body: dict[str, Any]) -> None:
        headers = {"authorization": f"Bearer {self.token}"}
        address = self.url.rstrip("/") + path
        try:
            answer = httpx.post(address, json={"by": _who(), **body}, headers=headers, timeout=SECONDS, trust_env=False)
        except httpx.HTTPError as error:
            raise SourceUnreachable(f"no daemon answers at {self.url} ({error}): is it running, and is --url right?") from error
        told = answered(address, answer)
        if answer.status_code >= 300 or not isinstance(told, dict):
            raise Refused(str(told.get("error", told)) if isinstance(told, dict) else str(told))
        self._show(told)

    def _show(self, told: dict[str, Any]) -> None:
        if self.form == "json":
            click.echo(json.dumps(told, indent=2))
            return
        click.echo(told["detail"])
        for note in told.get("notes", ()):
            click.echo(f"note: {note}")


def _pool_of(url: str, target: str) -> str:
    """The pool of this name, or that of the worker of this name."""
    pools = ask(url, "/api/v1/status")["pools"]
    names = [pool["pool"] for pool in pools]
    home = [pool["pool"] for pool in pools for worker in pool["workers"] if worker["name"] == target.removeprefix("celery@")]
    if target in names or home:
        return target if target in names else str(home[0])
    raise Refused(f"there is neither a pool nor a worker {target!r}; pools are: {', '.join(names)}")


def _who() -> str:
    """Who sits at this terminal, as far as the machine knows."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"[:80]
    except (KeyError, OSError):
        return socket.gethostname()[:80]
