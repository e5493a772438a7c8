"""docs/metrics.md on the page that a worker has."""

from __future__ import annotations

import re

from live import ROOT
from promql import worker_page

SECTION = (ROOT / "docs" / "metrics.md").read_text().partition("## A worker's own page")[2]


def test_docs_list_every_family_of_a_worker() -> None:
    """With its type, and no other."""
    told = dict(re.findall(r"^\| `(\w+)` \| (\w+)", SECTION, re.MULTILINE))

    assert told == dict(re.findall(r"^# TYPE (\S+) (\S+)$", worker_page(), re.MULTILINE))
