"""Under which names this server may be asked: a page of another site cannot point a name of its own here and read along.

That trick (DNS rebinding) needs a name that its author controls, so addresses, `localhost`, names without a dot (of containers,
of machines in one's own network) and the names in `api.allowed_hosts` are let through, and every other name is refused.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

ALWAYS = ("host.docker.internal",)


def is_allowed(host: str, allowed: Iterable[str]) -> bool:
    """Whether a Host header names us; one without a host comes from no browser.

    >>> [is_allowed(host, ["*.example.com"]) for host in ("127.0.0.1:8090", "[::1]:8090", "autoscaler:8090", "a.example.com")]
    [True, True, True, True]
    >>> [is_allowed(host, ["*.example.com"]) for host in ("example.com", "evil.example", "127.0.0.1.evil.example", "a.b:x:y")]
    [False, False, False, False]
    """
    name = _name(host.strip().lower())
    if name is None:
        return False
    if "." not in name or name.endswith(".localhost") or _is_address(name):
        return True
    return any(name == each or (each.startswith("*.") and name.endswith(each[1:])) for each in (*ALWAYS, *map(str.lower, allowed)))


def _name(host: str) -> str | None:
    """The host without its port; None where it is not of that form."""
    if host.startswith("["):
        inner, closed, port = host[1:].partition("]")
        return inner if closed and (not port or port.startswith(":")) else None
    name, _, port = host.partition(":")
    return name.removesuffix(".") if not port or port.isdecimal() else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
