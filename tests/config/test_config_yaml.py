"""What may not be in the file before anybody asks what it means: caps, encodings, duplicates, YAML's own traps."""

from __future__ import annotations

import time

import pytest
from config_desk import SMALLEST, Desk

from autoscaler.config.yaml_marks import MAX_BYTES, parse


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"", "the file is empty: it needs at least flower and pools", id="empty"),
        pytest.param(b"# all\n# commented out\n", "the file is empty: it needs at least flower and pools", id="only comments"),
        pytest.param(b"---\n", "the file is empty: it needs at least flower and pools", id="an empty document"),
        pytest.param(b"- a\n", "1:1: the file must be a mapping: write flower: and pools: at its beginning", id="a list"),
        pytest.param(b"hello", "1:1: the file must be a mapping: write flower: and pools: at its beginning", id="text"),
        pytest.param(b"\xef\xbb\xbfa: 1", "1:1: the file begins with a byte order mark: save it as UTF-8 without BOM", id="BOM"),
        pytest.param("a: 1".encode("utf-16"), "1:1: the file begins with a byte order mark: save it as UTF-8 without BOM", id="UTF-16"),
        pytest.param(b"a: 1\nb: \x00", "2:1: the file contains a NUL byte: is this the right file?", id="NUL"),
        pytest.param(b"a: 1\nb: \xff", "2:1: the file is not UTF-8: save it as UTF-8", id="latin 1"),
        pytest.param(b"a" * (MAX_BYTES + 1), "cannot read the file: larger than 1024 KiB", id="too large"),
        pytest.param(b"a: 1\n---\nb: 1\n", "2:1: a second document begins here: keep one, without a line of ---", id="two documents"),
        pytest.param(b"a: *b\n", "1:4: an alias to no anchor: put the text in quotes if the * belongs to it", id="dangling alias"),
        pytest.param(b"a: &a [*a]\n", "1:8: an alias to no anchor: put the text in quotes if the * belongs to it", id="alias in itself"),
        pytest.param(
            b"a: !!python/object/apply:os.system [ls]\n",
            "1:4: tags (words that begin with !) have no meaning here: remove it, or put the text in quotes", id="tag",
        ),
        pytest.param(b"[a]: 1\n", "1:1: a key must be text", id="list as key"),
        pytest.param(b"a: {<<: b}\n", "1:9: << merges mappings only: write << with an alias to a mapping", id="merge of text"),
        pytest.param(b"a: " + b"[" * 60 + b"]" * 60, "1:53: nested deeper than 50 levels", id="too deep"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(desk: Desk, content: bytes, problem: str) -> None:
    """The first thing that makes the file unreadable is told, with its place where it has one."""
    assert desk.problems(content) == [problem]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"a: 'b\n", id="open quote"),
        pytest.param(b"a: [1, 2\n", id="open bracket"),
        pytest.param(b"a: b: c\n", id="two colons"),
        pytest.param(b"a:\n\t- b\n", id="tab"),
        pytest.param(b"a: @b\n", id="reserved sign"),
        pytest.param(b"a: \x01\n", id="control character"),
    ],
)
def test_broken_yaml_is_refused(desk: Desk, content: bytes) -> None:
    """Syntax errors are one problem that says so."""
    (problem,) = desk.problems(content)

    assert "not valid YAML: " in problem


def test_an_alias_bomb_is_refused_at_once() -> None:
    """Nine lines that would unfold to a thousand million values are refused while they are read."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

    started = time.perf_counter()
    root, (problem,) = parse("\n".join(lines).encode())

    assert root is None
    assert problem.message == "more than 50000 values, with every alias written out"
    assert time.perf_counter() - started < 1


def test_aliases_cannot_nest_beyond_the_depth_either() -> None:
    """A chain of aliases, each a little deeper, is as deep as it would be written out."""
    lines = ["a0: &a0 " + "[" * 20 + "]" * 20, "a1: &a1 " + "[" * 20 + "*a0" + "]" * 20, "a2: &a2 " + "[" * 20 + "*a1" + "]" * 20]

    _, (problem,) = parse("\n".join(lines).encode())

    assert problem.message == "nested deeper than 50 levels"


@pytest.mark.parametrize("content", [b"[" * MAX_BYTES, b"{" * MAX_BYTES, b"- " * (MAX_BYTES // 2), b"a: &a 1\n" * (MAX_BYTES // 8)])
def test_hostile_text_is_read_in_little_time(content: bytes) -> None:
    """A megabyte of brackets or anchors takes no noticeable part of a tick."""
    started = time.perf_counter()

    root, problems = parse(content)

    assert problems
    assert root is None or problems
    assert time.perf_counter() - started < 5


def test_duplicate_keys_name_both_lines(desk: Desk) -> None:
    """Of two equal keys YAML would silently keep one; here both lines are told, and other problems too."""
    assert desk.problems(SMALLEST + "interval: 2s\nmax_replicas: x\ninterval: 3s\n") == [
        "4:15: max_replicas: 'x' is not a whole number: write one like 4",
        "5:1: interval: given twice, first in line 3: keep one of them",
    ]


def test_anchors_and_merges_work_as_in_compose(desk: Desk) -> None:
    """Workers share keys by `<<`, own keys win, and `x-` keys hold what is shared."""
    settings = desk.load("""\
x-worker: &worker {image: app, init: true, user: me}
flower: {url: http://f}
pools:
  a: {queues: [a], replicas: {max: 1}, worker: *worker}
  b:
    queues: [b]
    replicas: {max: 1}
    worker:
      <<: *worker
      user: you
""")

    assert (settings.pools["a"].worker.image, settings.pools["b"].worker.image) == ("app", "app")
    assert (settings.pools["a"].worker.user, settings.pools["b"].worker.user) == ("me", "you")


def test_a_mistake_behind_an_alias_is_told_where_it_stands(desk: Desk) -> None:
    """The line is that of the shared text, and each user of it is named."""
    problems = desk.problems("""\
x-worker: &worker {image: app, init: maybe}
flower: {url: http://f}
pools:
  a: {queues: [a], replicas: {max: 1}, worker: *worker}
  b: {queues: [b], replicas: {max: 1}, worker: {<<: *worker}}
""")

    assert [problem.split(": ")[:2] for problem in problems] == [["1:38", "pools.a.worker.init"], ["1:38", "pools.b.worker.init"]]


def test_commented_out_children_leave_the_defaults(desk: Desk) -> None:
    """A key with nothing behind it is as if it were not there."""
    settings = desk.load(SMALLEST + "brokers:\nlog:\n  # level: debug\n")

    assert (settings.brokers, settings.log.level) == ((), "info")
