"""What a Redis' certificate, address and `INFO` mean for a Celery that works on it. Pure: what was read in, findings in words out.

`broker_trial.py` reads, `check` shows.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from autoscaler.sources.broker_state import lines_of, number

SOON_DAYS = 14
NEARLY_FULL = 0.8
OLDEST_VERSION = (6, 0)
"""Older ones get no fixes any more, and redis-py drops them one after the other."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What one step of a trial found."""

    step: str
    verdict: Literal["ok", "warning", "failed"]
    text: str


def is_near(host: str) -> bool:
    """Whether a host is this machine or in a network of one's own, as far as its name tells.

    >>> [is_near(host) for host in ("redis", "127.0.0.1", "10.0.3.4", "db.internal", "8.8.8.8", "db.example.com")]
    [True, True, True, True, False, False]
    """
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".localhost"))


def without_tls(host: str) -> list[Trial]:
    """What a plain connection to this host means."""
    if is_near(host):
        return [Trial("tls", "ok", f"none, and {host} is near")]
    return [Trial("tls", "warning", f"none: password and tasks cross the network to {host} readable by all between; use rediss://")]


def certificate(found: Mapping[str, Any] | None, now: float) -> list[Trial]:
    """How long a trusted certificate lasts; without one, that nobody looked at it."""
    if not found:
        words = "ssl_cert_reqs=none in its url: whoever stands between can pass for this broker; give ssl_ca_certs=/path/ca.pem instead"
        return [Trial("certificate", "warning", words)]
    days = int((ssl.cert_time_to_seconds(str(found["notAfter"])) - now) / 86_400)
    if days < SOON_DAYS:
        return [Trial("certificate", "warning", f"trusted, and over in {days} days: have it renewed, or every worker stands still")]
    return [Trial("certificate", "ok", f"trusted, for {days} more days")]


_UNTRUSTED = {
    9: "is not valid yet: look at the clocks of both machines",
    10: "has expired: have it renewed",
    62: "is not for {host}: write the name into the url that it is made for",
    64: "is not for {host}: write the name into the url that it is made for, instead of the address",
}
"""OpenSSL's number of what is wrong -> words; whatever else it is, nobody known here has signed it."""


def untrusted(error: ssl.SSLCertVerificationError, host: str) -> str:
    """Why a certificate is not trusted, and what to do."""
    remedy = "add ?ssl_ca_certs=/path/ca.pem to the url, a file that workers need, too"
    unknown = f"is signed by nobody known here ({error.verify_message}): {remedy}"
    return f"its certificate {_UNTRUSTED.get(error.verify_code, unknown).format(host=host)}"


def judge(info: bytes, *, billed: bool, budget: bool) -> list[Trial]:
    """What the answer to `INFO` says; lines that a host leaves out are no trouble."""
    told = lines_of(info)
    return [*_version(told), *_memory(told), *_eviction(told), *_connections(told), *_quota(told, billed=billed, budget=budget)]


def _version(told: Mapping[str, str]) -> Iterator[Trial]:
    version = told.get("redis_version", "")
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if not parts:
        return
    if parts < OLDEST_VERSION:
        yield Trial("version", "warning", f"Redis {version} gets no fixes any more: use 7 or Valkey 8")
    else:
        yield Trial("version", "ok", f"Redis {version}")


def _memory(told: Mapping[str, str]) -> Iterator[Trial]:
    used, most = number(told, "used_memory"), number(told, "maxmemory")
    if used is None or not most:
        return
    share = used / most
    if share >= NEARLY_FULL:
        yield Trial("memory", "warning", f"{share:.0%} of {_size(most)} used: when it is full, tasks are refused; give it more (maxmemory)")
    else:
        yield Trial("memory", "ok", f"{share:.0%} of {_size(most)} used")


def _eviction(told: Mapping[str, str]) -> Iterator[Trial]:
    policy = told.get("maxmemory_policy", "")
    if not policy:
        return
    if not policy.startswith("allkeys"):
        yield Trial("eviction", "ok", f"{policy}: queues stay")
    elif number(told, "maxmemory"):
        words = f"{policy}: when memory is short whole queues are dropped, tasks and all, silently; set maxmemory-policy noeviction"
        yield Trial("eviction", "failed", words)
    else:
        yield Trial("eviction", "warning", f"{policy} would drop queues as soon as maxmemory is set: set maxmemory-policy noeviction")


def _connections(told: Mapping[str, str]) -> Iterator[Trial]:
    used, most = number(told, "connected_clients"), number(told, "maxclients")
    if used is None or not most:
        return
    verdict: Literal["ok", "warning"] = "warning" if used / most >= NEARLY_FULL else "ok"
    remedy = ": beyond that nobody is let in, workers neither; raise maxclients or the plan" if verdict == "warning" else ""
    yield Trial("connections", verdict, f"{used} of {most}{remedy}")


def _quota(told: Mapping[str, str], *, billed: bool, budget: bool) -> Iterator[Trial]:
    served = number(told, "total_commands_processed")
    counted = f"; {served} commands served since its start" if served is not None else ""
    if billed and not budget:
        words = "this host bills commands, and the daemon may use as many as it likes: add budget: 500000/month, or what your plan has"
        yield Trial("quota", "warning", words + counted)
    elif counted:
        yield Trial("quota", "ok", f"not used up{counted}")


def _size(count_bytes: int) -> str:
    """A size as people write it.

    >>> _size(268435456)
    '256m'
    """
    return f"{count_bytes / 2**30:.1f}g" if count_bytes >= 2**30 else f"{count_bytes / 2**20:.0f}m"
