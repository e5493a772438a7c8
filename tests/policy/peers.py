"""What the published test cases of other autoscalers are asked with, and how an answer is filed.

Each case is translated into a policy, a look and a memory, and put to `decide`. Nothing is left out silently: a case conforms, differs
for a stated reason (and then really does), or asks for something that is not built, for a stated reason.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from builders import NOW, a_policy, container, policies, pool_of, reading, worker

from autoscaler.model import (
    Container,
    ContainerState,
    Damping,
    Drain,
    Known,
    Memory,
    Observation,
    PoolDecision,
    PoolMemory,
    PoolPolicy,
    QueueSight,
    SourceSight,
)
from autoscaler.policy.decide import decide

DATA = Path(__file__).parent / "data"
(PAGE,) = (Path(__file__).parents[2] / "docs" / "decisions").glob("*-words-of-others.md")
NO_DAMPING = Damping(stabilization_seconds=0.0)
LONG_AGO = ((NOW - 86000.0, 0),)
"""A history that no window reaches."""


@dataclass(frozen=True)
class Verdict:
    """Where a case is filed; `row` names the line of the table that says why."""

    kind: str
    row: str = ""


CONFORMS = Verdict("conforms")


def differs(row: str) -> Verdict:
    """We mean to answer otherwise."""
    return Verdict("differs", row)


def not_built(row: str) -> Verdict:
    """We have nothing to ask."""
    return Verdict("is not built", row)


def cases(name: str) -> list[dict]:
    """All cases of one file."""
    return json.loads((DATA / name).read_text())["cases"]


def unlimited(**changes) -> PoolPolicy:
    """A pool that no damping and no bound holds back."""
    given = {"replicas_max": 100_000, "scale_up": NO_DAMPING, "scale_down": NO_DAMPING}
    return a_policy(**{**given, **changes})


def look(current: int, waiting: int | None, *, busy: int = 0, unseen_queue: bool = False, gone: tuple[Container, ...] = ()) -> Observation:
    """So many ready replicas, the first of them busy, so many waiting (None: it cannot be seen), and what is on its way out."""
    names = [f"r{i}" for i in range(current)]
    depths = {"p": waiting} | ({"q": None} if unseen_queue else {})
    return Observation(
        at=NOW,
        queues={q: QueueSight(q, reading(n)) for q, n in depths.items()},
        workers={f"celery@{n}": worker(n, int(i < busy)) for i, n in enumerate(names)},
        containers=Known((*[container(n) for n in names], *gone), NOW, "fleet"),
        sources=(SourceSight("flower", True, "", 0.01, NOW),),
    )


def asked_for(current: int, desired: int) -> Observation:
    """A look at which the demand is just this: running tasks for those that stay, waiting ones for those to come."""
    return look(current, max(0, desired - current), busy=min(current, desired))


def answer(policy: PoolPolicy, seen: Observation, memory: PoolMemory | None = None) -> PoolDecision:
    """What we decide."""
    kept = memory or PoolMemory(recommendations=LONG_AGO)
    return pool_of(decide(policies(policy, max_replicas=1_000_000), seen, Memory({"p": kept}), NOW))


def ended(name: str) -> Container:
    """A container that has exited."""
    return container(name, state=ContainerState.EXITED, exit_code=1)


def leaving(*names: str) -> tuple[Drain, ...]:
    """Drains under way."""
    return tuple(Drain(name, NOW - 5.0, "x") for name in names)


def filed(verdicts: list[Verdict]) -> dict[str, int]:
    """How many cases of each kind, and of each row."""
    return dict(Counter(v.kind for v in verdicts) + Counter(v.row for v in verdicts if v.row))


def rows_on_page(heading: str) -> dict[str, int]:
    """The tables below a heading of the decision: first column -> cases."""
    section = PAGE.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return {row: int(count) for row, count in re.findall(r"^\| ([^|]+?) \| (\d+) \|", section, re.MULTILINE)}
