"""A run as one SVG that needs nothing else: what waited, how many workers there were, and how long tasks waited, over time.

It is read in daylight and in the dark (`prefers-color-scheme`), has a title and a description for those who hear it, and is the
same to the byte for the same run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from autoscaler.sim.bounds import zero_wait
from autoscaler.sim.chart import span
from autoscaler.sim.columns import Columns, held, labels, needed, round_steps, round_times
from autoscaler.sim.score import Score
from autoscaler.sim.simulate import Simulation
from autoscaler.sim.world import STOP_SECONDS

COLUMNS = 440
_COLUMN = 2
LEFT, TOP, RIGHT = 64, 92, 16
PANEL, HEAD, GAP = 120, 26, 22
WIDTH = LEFT + COLUMNS * _COLUMN + RIGHT
HEIGHT = TOP + 3 * (HEAD + PANEL) + 2 * GAP + 34

_STYLE = """
svg { color-scheme: light dark; --ground: #ffffff; --ink: #15201f; --muted: #55625f; --line: #dde2df;
  --waiting: #7a4fb5; --ours: #0a6e6a; --needed: #c3ccc9; --longest: #f0cdb5; --half: #b05a2b; --target: #b3203c; }
@media (prefers-color-scheme: dark) { svg { --ground: #0c1013; --ink: #e6ecea; --muted: #93a3a1; --line: #263037;
  --waiting: #b494f2; --ours: #5ad1c2; --needed: #3c4a50; --longest: #5e3d2a; --half: #e39a6a; --target: #ff7a8c; } }
text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; fill: var(--muted); }
.title { font-size: 17px; font-weight: 650; fill: var(--ink); }
.said { font-size: 13px; fill: var(--ink); }
.head { font-size: 13px; font-weight: 600; fill: var(--ink); }
.grid { stroke: var(--line); stroke-width: 1; fill: none; }
.key { white-space: pre; }
.end { text-anchor: end; }
.middle { text-anchor: middle; }
"""
_Points = Sequence[float]


@dataclass(frozen=True, slots=True)
class _Curve:
    """Workers over time."""

    means: _Points
    """In each column."""
    paid: float
    """Worker-seconds of the whole run."""


def plot(result: Simulation, pool: str, trace_name: str, boot_seconds: float) -> str:
    """The drawing of our own policy's run, as text."""
    world, course, score = result.run.world, result.run.course, result.scores[0]
    plan = zero_wait(world.trace, world.slots, boot_seconds + STOP_SECONDS)
    time = Columns(max(course.at[-1], 1.0), COLUMNS)
    waiting = time.highest(held(course, course.waiting))
    ours = _Curve(time.means(held(course, course.replicas)), score.worker_seconds)
    clairvoyant = _Curve(time.means(needed(plan, STOP_SECONDS)), plan.worker_seconds)
    panels = (
        _waiting_panel(_Panel(0, max(waiting)), waiting),
        _workers_panel(_Panel(1, max(*ours.means, *clairvoyant.means)), ours, clairvoyant),
        _waits_panel(_Panel(2, 1.02 * max(*world.waits, score.slo_target_s)), time.waits(world.trace, world.waits), score.slo_target_s),
    )
    parts = [*_frame(score, pool, trace_name, time), *(part for panel in panels for part in panel), *_times(time), "</svg>"]
    return "\n".join(parts) + "\n"


# ---------------------------------------------------------------- panels


class _Panel:
    """One of the three coordinate systems that share their time."""

    def __init__(self, number: int, most: float) -> None:
        self.top = TOP + number * (HEAD + PANEL + GAP) + HEAD
        self.bottom = self.top + PANEL
        self.steps = round_steps(most)

    def y(self, value: float) -> str:
        """Where a value stands."""
        return f"{self.bottom - min(value / self.steps[-1], 1.0) * PANEL:.1f}".removesuffix(".0")

    def scale(self, name: str, unit: str = "") -> Iterator[str]:
        """Name, lines and numbers."""
        yield f'<text class="head" x="{LEFT}" y="{self.top - 10}">{escape(name)}</text>'
        yield _path("".join(f"M{LEFT} {self.y(step)}h{COLUMNS * _COLUMN}" for step in self.steps), 'class="grid"')
        for step in self.steps:
            yield f'<text class="end" x="{LEFT - 8}" y="{float(self.y(step)) + 4:g}">{step:g}{unit}</text>'

    def key(self, *entries: tuple[str, str, str]) -> str:
        """What the colours mean: (sign, colour, words)."""
        told = "   ".join(f'<tspan fill="var(--{colour})">{sign}</tspan> {escape(words)}' for sign, colour, words in entries)
        return f'<text class="end key" x="{WIDTH - RIGHT}" y="{self.top - 10}">{told}</text>'

    def outline(self, values: _Points) -> str:
        """The upper edge of a column chart, as a path."""
        path, before = [f"M{LEFT} {self.y(values[0])}"], values[0]
        for column, value in enumerate(values):
            if value != before:
                path.append(f"H{LEFT + column * _COLUMN}V{self.y(value)}")
                before = value
        return "".join(path) + f"H{LEFT + len(values) * _COLUMN}"

    def area(self, values: _Points, colour: str, opacity: float = 1.0) -> str:
        """The same, filled down to zero."""
        return _path(f"{self.outline(values)}V{self.bottom}H{LEFT}Z", f'fill="var(--{colour})" fill-opacity="{opacity:g}"')

    def line(self, values: _Points, colour: str) -> str:
        """The same as a line."""
        return _path(self.outline(values), f'fill="none" stroke="var(--{colour})" stroke-width="1.5"')

    def bars(self, values: Iterable[float | None], colour: str) -> str:
        """A bar in each column that has a value; a short one shows, too."""
        drawn = (
            f"M{LEFT + column * _COLUMN + 1} {self.bottom}V{min(float(self.y(value)), self.bottom - 1):g}"
            for column, value in enumerate(values)
            if value is not None
        )
        return _path("".join(drawn), f'fill="none" stroke="var(--{colour})" stroke-width="{_COLUMN}"')


def _waiting_panel(panel: _Panel, waiting: _Points) -> Iterator[str]:
    yield from panel.scale("Tasks waiting, at most")
    yield panel.area(waiting, "waiting", 0.25)
    yield panel.line(waiting, "waiting")


def _workers_panel(panel: _Panel, ours: _Curve, clairvoyant: _Curve) -> Iterator[str]:
    yield from panel.scale("Workers, on average")
    yield panel.key(
        ("━", "ours", f"this pool: {_hours(ours.paid)}"),
        ("■", "needed", f"clairvoyant plan in which nobody waits: {_hours(clairvoyant.paid)}"),
    )
    yield panel.area(clairvoyant.means, "needed")
    yield panel.line(ours.means, "ours")


def _waits_panel(panel: _Panel, groups: Sequence[tuple[float, float] | None], target: float) -> Iterator[str]:
    yield from panel.scale("Wait until the start", " s")
    yield panel.key(("■", "half", "half waited less"), ("■", "longest", "the longest"), ("╍╍", "target", f"target: {target:g} s"))
    yield panel.bars((group and group[1] for group in groups), "longest")
    yield panel.bars((group and group[0] for group in groups), "half")
    line = f"M{LEFT} {panel.y(target)}h{COLUMNS * _COLUMN}"
    yield _path(line, 'fill="none" stroke="var(--target)" stroke-width="1.5" stroke-dasharray="6 4"')


def _hours(worker_seconds: float) -> str:
    return f"{worker_seconds / 3600:.1f} worker-hours"


# ---------------------------------------------------------------- around them


def _frame(score: Score, pool: str, trace_name: str, time: Columns) -> Iterator[str]:
    title = f"{pool} on {trace_name}"
    said = _said(score, time.end)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-labelledby="title desc">'
    )
    yield f'<title id="title">{escape(title)}</title>'
    yield f'<desc id="desc">{escape(" ".join(said))} Three charts over time: tasks waiting, workers, waits.</desc>'
    yield f"<style>{_STYLE}</style>"
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="var(--ground)"/>'
    yield f'<text class="title" x="{LEFT}" y="32">{escape(title)}</text>'
    for number, line in enumerate(said):
        yield f'<text class="said" x="{LEFT}" y="{54 + 18 * number}">{escape(line)}</text>'


def _said(score: Score, end: float) -> tuple[str, str]:
    """The run in two lines."""
    undone = f", {score.tasks - score.done} not done" if score.done < score.tasks else ""
    met = f"{score.slo_met * 100:.4g} %" if score.slo_met is not None else "-"
    return (
        f"{score.tasks:,} tasks in {span(end)}{undone}, {score.interrupted or 'none'} interrupted; "
        f"{met} started within {score.slo_target_s:g} s, the longest wait was {score.wait_max_s:.1f} s.",
        f"{score.worker_seconds / 3600:.1f} worker-hours, busy {score.busy_ratio:.0%} of the time; "
        f"{score.starts:,} starts, at most {score.peak} workers.",
    )


def _times(time: Columns) -> Iterator[str]:
    """The axis that all three share."""
    moments = round_times(time.end)
    for at, label in zip(moments, labels(moments), strict=True):
        x = LEFT + at / time.end * COLUMNS * _COLUMN
        yield _path(f"M{x:.1f} {HEIGHT - 34}v5", 'class="grid"')
        yield f'<text class="middle" x="{x:.1f}" y="{HEIGHT - 14}">{label}</text>'


def _path(d: str, rest: str) -> str:
    return f'<path d="{d}" {rest}/>'
