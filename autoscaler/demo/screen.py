"""Shows the demo: a live picture on a terminal, a line per change anywhere else.

`play.py` hands in a `Scene` a few times per second and a sentence where something begins.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from autoscaler.demo.scene import PoolScene, Scene

NEWS_KEPT = 8
LINE_EVERY_SECONDS = 5.0
BAR = 30
BLOCKS = (("ready", "green", "■"), ("starting", "yellow", "◧"), ("draining", "blue", "□"), ("stopping", "blue", "□"), ("lost", "red", "?"))


class Screen(Protocol):
    """Where the demo is shown."""

    def say(self, text: str) -> None:
        """Tell that something begins."""

    def show(self, scene: Scene) -> None:
        """Show how things are now."""

    def close(self) -> None:
        """Leave the last picture standing."""


def open_screen(out: TextIO) -> Screen:
    """A live picture where `out` is a terminal, lines where it is a file or a pipe."""
    console = Console(file=out, highlight=False)
    return Picture(console) if console.is_terminal and not console.is_dumb_terminal else Lines(out)


class News:
    """What each pool decided, told once per change."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}

    def of(self, scene: Scene) -> list[PoolScene]:
        """The pools whose workers, or wish for workers, have changed since the last scene."""
        changed = [pool for pool in scene.pools if self._last.get(pool.name, (0, 0)) != (pool.workers, pool.desired)]
        self._last |= {pool.name: (pool.workers, pool.desired) for pool in scene.pools}
        return changed


class Lines:
    """One line per change, and one every few seconds while nothing changes."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._news = News()
        self._told = 0.0

    def say(self, text: str) -> None:
        """Tell that something begins."""
        print(text, file=self._out, flush=True)

    def show(self, scene: Scene) -> None:
        """Tell what has changed."""
        pools = self._news.of(scene)
        if not pools and scene.seconds - self._told >= LINE_EVERY_SECONDS:
            pools = [pool for pool in scene.pools if pool.sent]
        for pool in pools:
            self._told = scene.seconds
            self.say(f"{scene.seconds:6.1f} s  {_line(pool)}")

    def close(self) -> None:
        """Nothing is left open."""


class Picture:
    """Queues, workers and progress side by side, with the daemon's latest reasons below."""

    def __init__(self, console: Console) -> None:
        self._news = News()
        self._said: deque[str] = deque(maxlen=NEWS_KEPT)
        self._scene: Scene | None = None
        self._live = Live(console=console, auto_refresh=False)
        self._live.start()

    def say(self, text: str) -> None:
        """Tell that something begins, in the story below the picture."""
        self._said.append(f"[bold]{escape(text)}[/bold]")
        self._draw()

    def show(self, scene: Scene) -> None:
        """Redraw the picture."""
        self._scene = scene
        self._said.extend(f"[dim]{scene.seconds:5.1f} s[/dim]  {escape(pool.why)}" for pool in self._news.of(scene))
        self._draw()

    def close(self) -> None:
        """Leave the last picture standing."""
        self._live.stop()

    def _draw(self) -> None:
        picture: list[RenderableType] = [_table(self._scene), ""] if self._scene else []
        trouble = [f"[red]{escape(text)}[/red]" for text in self._scene.trouble] if self._scene else []
        lines = [Text.from_markup(text, overflow="ellipsis") for text in (*self._said, *trouble)]
        for line in lines:
            line.no_wrap = True
        self._live.update(Group(*picture, *lines), refresh=True)


def _table(scene: Scene) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", title=f"{scene.seconds:.0f} s", title_justify="left")
    for heading in ("pool", "waiting", "", "workers", "busy", "done"):
        table.add_column(heading, justify="right" if heading in ("waiting", "busy") else "left")
    for pool in scene.pools:
        table.add_row(
            f"[bold]{pool.name}[/bold]",
            _count(pool.waiting),
            _bar(pool.waiting or 0, max(pool.sent, 1), "red"),
            _blocks(pool),
            f"{_count(pool.busy)}/{_count(pool.slots)}",
            f"{_bar(pool.done, max(pool.sent, 1), 'green')} {pool.done}/{pool.sent}",
        )
    return table


def _bar(part: int, whole: int, colour: str) -> str:
    length = min(BAR, -(-BAR * part // whole))
    return f"[{colour}]{'━' * length}[/{colour}]{' ' * (BAR - length)}"


def _blocks(pool: PoolScene) -> str:
    """One sign per worker: full when it works, half while it boots, hollow while it leaves, a dot where there could be one."""
    signs = "".join(f"[{colour}]{sign * pool.phases[phase]}[/{colour}]" for phase, colour, sign in BLOCKS if pool.phases[phase])
    return signs + f"[dim]{'·' * max(0, pool.replicas_max - pool.workers)}[/dim]"


def _line(pool: PoolScene) -> str:
    workers = ", ".join(f"{count} {phase}" for phase, count in pool.phases.items() if count) or "none"
    return f"{pool.name}: {_count(pool.waiting)} waiting, {pool.done}/{pool.sent} done, workers: {workers} | {pool.why}"


def _count(number: int | None) -> str:
    return "?" if number is None else str(number)
