"""What a file of observations may look like, and what is said about one that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.errors import TraceUnusable
from autoscaler.report.ticks import PoolTick
from autoscaler.sim.observations import epoch_of, load_observations, parse

HEADER = "t_s,backlog,busy,ready,started,finished"


def ticks(*lines: str, boot: float = 0.0) -> list[PoolTick]:
    """The pool in each look."""
    return [look.pools["p"] for look in parse(lines, "o.csv", "p", boot)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{HEADER}\n0,9,4,2,10,6\n2.5,8,,2,11,7", id="header"),
        pytest.param("ready,finished,t_s,note,started,busy,backlog\n2,6,0,x,10,4,9\n2,7,2.5,y,11,,8", id="any order, and others"),
        pytest.param(f"# from a dashboard\n\n{HEADER}\n 0, 9 ,4.0,2,10,6\n\n# gap\n2.5,8,,2,11,7\n", id="comments"),
        pytest.param(f"\ufeff{HEADER.upper()}\r\n0,9,4,2,10,6\r\n2.5,8,,2,11,7\r\n", id="from a spreadsheet"),
    ],
)
def test_observations_are_read(tmp_path: Path, text: str):
    """Order of columns is free; an empty field is what nobody could see."""
    (tmp_path / "o.csv").write_text(text, encoding="utf-8")
    first, second = (look.pools["p"] for look in load_observations(tmp_path / "o.csv", "p", 3.0))

    assert (first.at, first.backlog, first.busy, first.ready, first.started, first.finished) == (0.0, 9, 4, 2, 10, 6)
    assert (second.at, second.busy, second.beyond_settings) == (2.5, None, "not everything could be seen")


def test_workers_start_before_they_are_ready():
    """Two are ready at 10 s and take 4 s to start: they were ordered at 6 s, and a worker less is wanted where it is gone next."""
    found = ticks(HEADER, *(f"{t},0,0,{ready},0,0" for t, ready in ((4, 0), (6, 0), (8, 0), (10, 2), (12, 2), (14, 1))), boot=4.0)

    assert [tick.starting for tick in found] == [0, 0, 2, 0, 0, 0]
    assert [tick.desired for tick in found] == [0, 2, 2, 2, 1, 1]
    assert [(tick.rare.up, tick.rare.down) for tick in found] == [(0, 0), (2, 0), (0, 0), (0, 0), (0, 1), (0, 0)]


def test_what_the_file_says_is_not_guessed():
    """Columns for starting and wanted workers are taken as they are."""
    found = ticks(f"{HEADER},starting,desired,draining", "0,0,0,1,0,0,0,4,2", "2,0,0,1,0,0,3,4,0")

    assert [(tick.starting, tick.desired, tick.draining) for tick in found] == [(0, 4, 2), (3, 4, 0)]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["0,0,0,0,0,0"], "o.csv:1: the header has no column t_s and no column backlog"),
        (["t_s,backlog,busy,ready,started"], "o.csv:1: the header has no column finished: name the columns t_s,backlog"),
        ([HEADER, "0,few,0,1,0,0"], "o.csv:2: backlog is 'few': write a whole number, or nothing where nobody could see it"),
        ([HEADER, "0,0,1.5,1,0,0"], "o.csv:2: busy is 1.5: write a whole number from 0 on"),
        ([HEADER, "0,0,0,,0,0"], "o.csv:2: ready is '': write a whole number"),
        ([HEADER, "0,0,0,-1,0,0"], "o.csv:2: ready is -1: write a whole number from 0 on"),
        ([HEADER, "soon,0,0,1,0,0"], "o.csv:2: t_s is 'soon': write seconds like 12 or 0.5"),
        ([HEADER, "nan,0,0,1,0,0"], "o.csv:2: t_s is nan: write seconds from 0 on, or seconds since 1970"),
        ([HEADER, "5,0,0,1,0,0", "5,0,0,1,0,0"], "o.csv:3: t_s is 5, not later than the 5 of the line before"),
        ([HEADER, "0,0,0,1,0"], "o.csv:2: has 5 of the columns, it needs 6: t_s,backlog,busy,ready,started,finished"),
        ([HEADER], "o.csv: holds no observations: write lines of t_s,backlog,busy,ready,started,finished"),
        ([], "o.csv: holds no observations"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(lines: list[str], message: str):
    """The file, the line, what stands there and what to write."""
    with pytest.raises(TraceUnusable) as caught:
        ticks(*lines)

    assert str(caught.value).startswith(message)


def test_everything_wrong_is_told_at_once():
    """All lines, and all fields of a line."""
    with pytest.raises(TraceUnusable) as caught:
        ticks(HEADER, "x,y,0,1,0,0", "1,0,0,1,0,0", "1,0,0,z,0,0")
    first, second = str(caught.value).splitlines()

    assert first.startswith("o.csv:2: t_s is 'x'")
    assert "backlog is 'y'" in first
    assert second.startswith("o.csv:4: t_s is 1, not later")
    assert "ready is 'z'" in second


def test_times_count_from_1970_or_from_a_monday():
    """For pools with schedules the weekday matters."""
    small, large = (parse([HEADER, f"{t},0,0,1,0,0"], "o.csv", "p", 0.0) for t in (60, 1_800_000_000))

    assert (epoch_of(small), epoch_of(large)) == (1704067200.0, 0.0)
