"""The figures of a run, and the parts of `docs/reliability.md` that are written by the code and never by hand.

Each part stands between two comments, `<!-- name -->` and `<!-- end of name -->`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from .faults import FAULTS
from .invariants import INVARIANTS
from .mutations import MUTATIONS
from .run import Verdict


@dataclass(slots=True)
class Run:
    """Many stories, added up."""

    stories: int = 0
    failed: list[Verdict] = field(default_factory=list)
    sums: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    longest_calm: float = 0.0

    def add(self, verdict: Verdict) -> None:
        """One more."""
        self.stories += 1
        self.faults.update(verdict.faults)
        self.sums.update(ticks=verdict.ticks, changes=verdict.changes, tasks=verdict.tasks, restarts=verdict.restarts)
        self.sums["seconds"] += round(verdict.seconds)
        if verdict.violations:
            self.failed.append(verdict)
        else:
            self.longest_calm = max(self.longest_calm, verdict.calm_seconds)

    @property
    def sentence(self) -> str:
        """The run in words."""
        told = self.sums
        return (
            f"{self.stories} stories, {len(self.failed)} failed: {told['ticks']:,} ticks of the daemon in {told['seconds'] / 3600:.0f} "
            f"simulated hours, {told['restarts']:,} starts of a daemon beyond the first, {told['tasks']:,} tasks, {told['changes']:,} "
            f"changes at the engine, {sum(self.faults.values()):,} faults; at rest at the latest {self.longest_calm:.0f} s after the last."
        )

    @property
    def table(self) -> str:
        """Every fault of the catalogue, and how often it happened."""
        rows = [f"| {fault.area} | {fault.name} | {self.faults[fault.name]} |" for fault in FAULTS.values()]
        return "\n".join(["| where | fault | times |", "|---|---|--:|", *rows])


def invariants_table() -> str:
    """Every invariant with its promise."""
    rows = [f"| {each.key} | {each.text[:1].upper()}{each.text[1:]}. | {each.promise} |" for each in INVARIANTS]
    return "\n".join(["| | what must hold | promise |", "|---|---|---|", *rows])


def mutations_list() -> str:
    """Every deliberate fault of the product, with the invariants that may catch it."""
    rows = [f"| {each.name} | {', '.join(sorted(each.caught, key=lambda key: int(key[1:])))} |" for each in MUTATIONS]
    return "\n".join(["| deliberate fault | caught by |", "|---|---|", *rows])


def write(page: Path, run: Run) -> None:
    """Put the figures of a run, and what it checked, into the page."""
    text = between(page.read_text(), "run", f"{run.sentence}\n\n{run.table}")
    text = between(text, "invariants", invariants_table())
    page.write_text(between(text, "mutations", mutations_list()))


def between(text: str, name: str, part: str) -> str:
    """The text with this part between its two comments."""
    found = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    assert found.search(text), f"the page has no place called {name}"
    return found.sub(lambda match: f"{match[1]}{part}\n{match[2]}", text)
