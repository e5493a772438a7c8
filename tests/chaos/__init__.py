"""Chaos on real parts: a real Redis, Flower, Celery workers and the daemon, and a nemesis that kills, hangs and starves them.

    parts.py     the house: parts that can be killed, hung and started again
    docker_parts.py   the same with workers in containers of a Docker engine, which is one more part
    nemesis.py   what it does to them, as data
    judge.py     what must be true afterwards
    report.py    the figures, and their place in docs/reliability.md

`make chaos DURATION=240` runs it; a short one is a test.
"""

import sys
from pathlib import Path

_TESTS = Path(__file__).parent.parent
sys.path[:0] = [place for place in (str(_TESTS), str(_TESTS / "real")) if place not in sys.path]  # live.py and house.py are there
