"""The demo's view of itself: what it reads from the status, and when it believes that all is over."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from autoscaler.demo import scene
from autoscaler.demo.burst import Burst
from autoscaler.demo.scene import PoolScene, Scene, compose
from autoscaler.demo.screen import LINE_EVERY_SECONDS, Lines, Picture, open_screen

PHASES = {"starting": 1, "ready": 2, "draining": 0, "stopping": 0, "lost": 0, "foreign": 3}


def a_status(**of_pool: Any) -> dict[str, Any]:
    """What the API says of one pool, mail."""
    pool = {"pool": "mail", "backlog": 7, "busy": 3, "slots": 8, "replicas": PHASES, "max": 4, "desired": 3, "why": "mail 3: 7 waiting"}
    return {"pools": [pool | of_pool], "trouble": []}


def a_pool(*, ready: int = 0, waiting: int | None = 0, desired: int = 0, sent: int = 4, done: int = 4, why: str = "mail 0") -> PoolScene:
    """A pool at rest, unless told otherwise."""
    return PoolScene("mail", waiting, 0, 0, dict.fromkeys(scene.PHASES, 0) | {"ready": ready}, 4, desired, why, sent, done)


def a_scene(*pools: PoolScene, seconds: float = 1.0, trouble: tuple[str, ...] = ()) -> Scene:
    return Scene(seconds, pools, trouble)


class TestScene:
    """One look."""

    def test_both_halves_together(self) -> None:
        """Waiting, workers and reasons come from the daemon, progress from the results; strangers' workers are not ours."""
        burst = Burst(None, "mail", 10, 1.0)
        burst.sent, burst.waits = [*"abcde"], {"a": 0.1}

        (pool,) = compose(a_status(), [burst], 2.5).pools

        assert (pool.waiting, pool.busy, pool.slots, pool.workers, pool.replicas_max) == (7, 3, 8, 3, 4)
        assert (pool.sent, pool.done, pool.why) == (5, 1, "mail 3: 7 waiting")

    def test_before_the_first_tick(self) -> None:
        """What is not known yet is unknown, and nothing breaks."""
        status = a_status(backlog=None, busy=None, slots=None, replicas=None, desired=None)

        (pool,) = compose(status, [Burst(None, "mail", 10, 1.0)], 0.0).pools

        assert (pool.waiting, pool.workers, pool.is_at_rest) == (None, 0, False)

    @pytest.mark.parametrize(
        ("pool", "over"),
        [
            pytest.param(a_pool(), True, id="all done, all gone"),
            pytest.param(a_pool(done=3), False, id="a task is open"),
            pytest.param(a_pool(ready=1), False, id="a worker runs"),
            pytest.param(a_pool(desired=1), False, id="a worker is wanted"),
            pytest.param(a_pool(waiting=None), False, id="the queue cannot be seen"),
        ],
    )
    def test_when_it_is_over(self, pool: PoolScene, over: bool) -> None:
        """It is over when every task is done and every pool is surely at rest."""
        assert a_scene(a_pool(), pool).is_over is over


class TestLines:
    """A file or a pipe."""

    def test_one_line_per_change(self) -> None:
        """A line comes when workers or the wish for them change, and not for every look."""
        out = io.StringIO()
        lines = Lines(out)

        for pool in (a_pool(), a_pool(desired=2, why="mail 0 -> 2"), a_pool(desired=2), a_pool(desired=2, ready=2)):
            lines.show(a_scene(pool))

        told = out.getvalue().splitlines()
        assert len(told) == 2
        assert told[0].endswith("4/4 done, workers: none | mail 0 -> 2")
        assert "workers: 2 ready" in told[1]

    def test_a_sign_of_life(self) -> None:
        """While nothing changes, a line comes every few seconds."""
        out = io.StringIO()
        lines = Lines(out)

        for tenth in range(int(LINE_EVERY_SECONDS * 30)):
            lines.show(a_scene(a_pool(waiting=None), seconds=tenth / 10))

        assert len(out.getvalue().splitlines()) == 2
        assert "? waiting" in out.getvalue()

    def test_no_picture_without_a_terminal(self) -> None:
        """Nothing moves the cursor of a file."""
        assert isinstance(open_screen(io.StringIO()), Lines)


class TestPicture:
    """A terminal."""

    def test_shows_pools_reasons_and_trouble(self) -> None:
        """Numbers, the latest reason and what is wrong are all in the picture, and brackets in them are no markup."""
        out = io.StringIO()
        picture = Picture(Console(file=out, force_terminal=True, width=140, color_system=None))

        picture.say("sending [40] tasks")
        picture.show(a_scene(a_pool(ready=3, waiting=12, sent=40, done=28, why="mail 0 -> 3: [12] waiting"), trouble=("flower: [down]",)))
        picture.close()

        for part in ("■■■·", "12", "28/40", "sending [40] tasks", "mail 0 -> 3: [12] waiting", "flower: [down]"):
            assert part in out.getvalue()
