"""What a trace may look like, and what is said about one that cannot be used."""

import pytest

from autoscaler.errors import TraceUnusable
from autoscaler.sim.arrivals import load_trace, parse


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("0,5\n1.5,2", id="bare"),
        pytest.param("arrival_s,runtime_s\n0,5\n1.5,2", id="header"),
        pytest.param("# a comment\n\narrival_s, runtime_s\n# more\n 0 , 5\n\n1.5,2\n", id="comments and spaces"),
        pytest.param("1.5,2\n0,5", id="not in order"),
        pytest.param("task,runtime_s,arrival_s\na,5,0\nb,2,1.5", id="columns by name"),
        pytest.param("\ufeffarrival_s,runtime_s\r\n0,5\r\n1.5,2\r\n", id="from a spreadsheet"),
    ],
)
def test_a_trace_is_read(tmp_path, text):
    """Header, comments, order of columns and of lines are free."""
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    trace = load_trace(path)
    assert (list(trace.arrivals), list(trace.runtimes)) == ([0.0, 1.5], [5.0, 2.0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arrival_s,runtime_s\n0,5\n1,soon", "t.csv:3: runtime_s is 'soon': write seconds like 12 or 0.5"),
        ("0,5\n-1,2", "t.csv:2: arrival_s is -1: write seconds from 0 to ten years, counted from the beginning of the trace"),
        ("1700000000,2", "t.csv:1: arrival_s is 1700000000: write seconds from 0 to ten years, counted from the beginning"),
        ("0,nan", "t.csv:1: runtime_s is nan: write seconds from 0 to ten years"),
        ("0,5\n7", "t.csv:2: has 1 of the columns, it needs 2: arrival_s,runtime_s"),
        ("when,how_long\n0,5", "t.csv:1: the header has no column arrival_s and no column runtime_s"),
        ("# nothing", "t.csv: holds no tasks: write lines of arrival_s,runtime_s"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text, message):
    """The file, the line, what stands there and what to write."""
    with pytest.raises(TraceUnusable) as caught:
        parse(text.split("\n"), "t.csv")
    assert str(caught.value).startswith(message)


def test_all_bad_lines_are_told_at_once():
    """But not a thousand of them."""
    with pytest.raises(TraceUnusable) as caught:
        parse(["0,5", *["x,y"] * 1000], "t.csv")
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "... and 980 more lines"


def test_a_missing_file_is_said(tmp_path):
    """In words, not as a traceback."""
    with pytest.raises(TraceUnusable, match="cannot be read"):
        load_trace(tmp_path / "none.csv")
