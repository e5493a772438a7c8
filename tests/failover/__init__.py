"""Failover on real parts: two Redis with TLS and password, one behind a quota, Flower, Celery, the daemon, and a producer that never rests.

    quota_proxy.py   the quota: passes commands on and counts them, then refuses as the provider does
    parts.py         the house: both brokers, and who sends to them
    course.py        the quota ends and is renewed, and how long everything takes
    report.py        the figures, and their place in docs/reliability.md

`make bench-failover` runs it with the times of production; a hasty run is a test.
"""

import sys
from pathlib import Path

_TESTS = Path(__file__).parent.parent
sys.path[:0] = [place for place in (str(_TESTS), str(_TESTS / "real")) if place not in sys.path]  # live.py and house.py are there
