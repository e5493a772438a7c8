"""YAML bytes -> a tree of nodes that know where they stand. Nothing is interpreted here: a scalar stays the text that was written.

What a scalar means is decided by the key it stands at (`units`), so YAML 1.1's surprises cannot happen: `on` and `no` are
text, `22:30` is not 1350, `010` is not 8, `1.10` keeps its zero. Anchors, aliases and `<<` work as in a Compose file.
The tree is built from the parser's events with a stack of its own, and within caps, so no file can exhaust memory or recursion.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import yaml

from autoscaler.errors import Problem

MAX_BYTES = 1 << 20
MAX_DEPTH = 50
MAX_VALUES = 50_000
"""Values in the whole tree, with every alias written out: what stops an alias bomb."""

KeyPath = tuple[str | int, ...]
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = ("", "~", "null", "Null", "NULL")


@dataclass(slots=True, eq=False)
class Node:
    """One value in the file and its place (1-based)."""

    line: int
    column: int
    value: str | dict[str, Node] | list[Node] | None
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Where each key of a mapping stands."""
    size: int = 1
    height: int = 0

    def place(self, path: KeyPath, *, of_key: bool = False) -> tuple[int, int]:
        """Line and column of a value (or of its key); of the mapping that lacks it when it is missing."""
        node, place = self, (self.line, self.column)
        for step in path:
            if isinstance(node.value, dict) and step in node.value:
                place, node = node.keys[str(step)], node.value[str(step)]
            elif isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                place = (node.line, node.column)
            else:
                return place
        return place if of_key or not isinstance(node.value, str) else (node.line, node.column)

    def find(self, path: KeyPath) -> Node | None:
        """The node at this path."""
        node: Node | None = self
        for step in path:
            if isinstance(node, Node) and isinstance(node.value, dict):
                node = node.value.get(str(step))
            elif isinstance(node, Node) and isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
            else:
                return None
        return node


def dotted(path: KeyPath) -> str:
    """A path as people write it.

    >>> dotted(("brokers", 0, "url"))
    'brokers[0].url'
    """
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


class _Refused(Exception):
    """The file cannot be read any further."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.problem = Problem("", message, line, column)


def parse(content: bytes) -> tuple[Node | None, tuple[Problem, ...]]:
    """The tree of a file and what is wrong with it; no tree when it cannot be read to its end."""
    builder = _Builder()
    text = ""
    try:
        text = _text(content)
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
        return builder.finished(), tuple(builder.problems)
    except _Refused as refused:
        return None, (*builder.problems, refused.problem)
    except yaml.YAMLError as error:
        return None, (*builder.problems, _syntax(error, text))


def _text(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise _Refused(f"the file is larger than {MAX_BYTES // 1024} KiB: is this the right file?")
    if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise _Refused("the file begins with a byte order mark: save it as UTF-8 without BOM", 1, 1)
    if b"\x00" in content:
        raise _Refused("the file contains a NUL byte: is this the right file?", content[: content.index(0)].count(b"\n") + 1, 1)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise _Refused("the file is not UTF-8: save it as UTF-8", content[: error.start].count(b"\n") + 1, 1) from error


def _syntax(error: yaml.YAMLError, text: str) -> Problem:
    """The parser's complaint without what it quotes: that may be half of a password."""
    mark = getattr(error, "problem_mark", None)
    words = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
    message = "not valid YAML: " + re.sub(r"'[^']{2,}'", "...", str(words))
    if not mark:
        return Problem("", message)
    if "${" in "".join(text.split("\n")[mark.line : mark.line + 1]):
        message += " - a variable inside { } or [ ] needs quotes"
    return Problem("", message, mark.line + 1, mark.column + 1)


@dataclass(slots=True, eq=False)
class _Open:
    """A mapping or list whose end has not come yet."""

    node: Node
    anchor: str | None
    key: str | None = None
    merges: list[Node] = field(default_factory=list)

    def step(self) -> str | int:
        return len(self.node.value) if isinstance(self.node.value, list) else self.key or ""


class _Builder:
    """Takes the parser's events one by one and has the tree when the last one has come."""

    def __init__(self) -> None:
        self._root: Node | None = None
        self.problems: list[Problem] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._values = 0

    def finished(self) -> Node:
        """The tree: a mapping, or it is refused."""
        if self._root is None or self._root.value is None:
            raise _Refused("the file is empty: it needs at least flower and pools")
        if not isinstance(self._root.value, dict):
            raise _Refused("the file must be a mapping: write flower: and pools: at its beginning", 1, 1)
        return self._root

    def take(self, event: yaml.Event) -> None:
        """Let one event add to the tree."""
        mark = event.start_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        if getattr(event, "tag", None) not in (None, "!"):
            raise _Refused("tags (words that begin with !) have no meaning here: remove it, or put the text in quotes", line, column)
        match event:
            case yaml.DocumentStartEvent() if self._root is not None:
                raise _Refused("a second document begins here: keep one, without a line of ---", line, column)
            case yaml.ScalarEvent():
                plain = event.style is None or event.style == ""
                value = None if plain and event.value in _NULLS else event.value
                self._add(Node(line, column, value), event.anchor)
            case yaml.AliasEvent():
                self._add_alias(event.anchor or "", line, column)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                if len(self._open) >= MAX_DEPTH:
                    raise _Refused(f"nested deeper than {MAX_DEPTH} levels", line, column)
                empty: dict[str, Node] | list[Node] = {} if isinstance(event, yaml.MappingStartEvent) else []
                self._open.append(_Open(Node(line, column, empty), event.anchor))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close()

    def _add_alias(self, name: str, line: int, column: int) -> None:
        node = self._anchors.get(name)
        if node is None:
            raise _Refused("an alias to no anchor: put the text in quotes if the * belongs to it", line, column)
        if node.height + len(self._open) >= MAX_DEPTH:
            raise _Refused(f"nested deeper than {MAX_DEPTH} levels", line, column)
        self._add(node, None)

    def _add(self, node: Node, anchor: str | None) -> None:
        """Put a finished value where the parser stands: root, list item, key or value of a mapping."""
        if anchor:
            self._anchors[anchor] = node
        self._values += node.size
        if self._values > MAX_VALUES:
            raise _Refused(f"more than {MAX_VALUES} values, with every alias written out", node.line, node.column)
        if not self._open:
            self._root = node
            return
        around = self._open[-1]
        if isinstance(around.node.value, list):
            around.node.value.append(node)
        elif around.key is None:
            self._take_key(around, node)
        else:
            self._take_value(around, node)

    def _take_key(self, around: _Open, node: Node) -> None:
        if isinstance(node.value, (dict, list)):
            raise _Refused("a key must be text", node.line, node.column)
        around.key = node.value or ""
        if around.key in around.node.keys:
            first = around.node.keys[around.key][0]
            path = dotted(tuple(each.step() for each in self._open))
            self.problems.append(Problem(path, f"given twice, first in line {first}: keep one of them", node.line, node.column))
        else:
            around.node.keys[around.key] = (node.line, node.column)

    def _take_value(self, around: _Open, node: Node) -> None:
        key, around.key = around.key or "", None
        assert isinstance(around.node.value, dict)
        if key == "<<":
            around.merges += node.value if isinstance(node.value, list) else [node]
        elif key not in around.node.value:
            around.node.value[key] = node

    def _close(self) -> None:
        done = self._open.pop()
        node = done.node
        for merged in done.merges:
            if not isinstance(merged.value, dict) or not isinstance(node.value, dict):
                raise _Refused("<< merges mappings only: write << with an alias to a mapping", merged.line, merged.column)
            for key in merged.value.keys() - node.value.keys():
                node.value[key], node.keys[key] = merged.value[key], merged.keys[key]
        children = list(node.value.values() if isinstance(node.value, dict) else node.value or ())
        node.size = 1 + sum(child.size for child in children if isinstance(child, Node))
        node.height = 1 + max((child.height for child in children if isinstance(child, Node)), default=0)
        self._values -= node.size - 1  # its children were counted when they were added
        self._add(node, done.anchor)
