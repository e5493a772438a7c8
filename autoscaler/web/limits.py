"""How often somebody may do something: a bucket of permits for each address, refilled at a steady rate.

`tokens.py` counts wrong tokens with it, `orders.py` wakes. Bounded: the addresses that were quiet the longest are forgotten first.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_ADDRESSES = 1000


class Limit:
    """So many at once, then so many per second."""

    def __init__(self, burst: float, per_second: float, clock: Callable[[], float] | None = None) -> None:
        self._burst, self._rate, self._clock = burst, per_second, clock or time.monotonic
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """address -> permits left, and when that was."""

    def wait(self, address: str) -> float:
        """Seconds until this address has a permit, 0 where it has one now."""
        return max(0.0, (1.0 - self._permits(address)) / self._rate)

    def take(self, address: str) -> None:
        """Use a permit up."""
        left = self._permits(address) - 1.0
        self._left[address] = (max(left, 0.0), self._clock())
        self._left.move_to_end(address)
        while len(self._left) > MOST_ADDRESSES:
            self._left.popitem(last=False)

    def _permits(self, address: str) -> float:
        left, at = self._left.get(address, (self._burst, self._clock()))
        return min(self._burst, left + (self._clock() - at) * self._rate)


def neighbourhood(address: str) -> str:
    """Who shares a bucket: one IPv4 address, or one /64 of IPv6, because its owner has all of it.

    >>> neighbourhood("192.0.2.7"), neighbourhood("2001:db8:1:2:3::4"), neighbourhood("::ffff:192.0.2.7"), neighbourhood("")
    ('192.0.2.7', '2001:db8:1:2::', '192.0.2.7', 'unknown')
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False).network_address)
    return str(found)
