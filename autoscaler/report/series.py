"""Counters and histograms that are kept as the text of their lines, and the text of a whole page of them.

A daemon with many pools has tens of thousands of series, and hardly any changes between two scrapes: the counter of every pool,
direction and reason begins at 0 and mostly stays there. Here a line is written anew only where its number changed, so that a
scrape costs what is new in it. `metrics.py` counts, `gauges.py` reads the snapshot; both hand their families to `page`.

Each family is counted by one thread; any thread may ask for its text meanwhile.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

INFINITY = float("inf")


class Family(Protocol):
    """One metric with all its series."""

    @property
    def name(self) -> str:
        """Without `_total`."""

    @property
    def kind(self) -> str:
        """As the format calls it."""

    @property
    def help(self) -> str:
        """In one sentence."""

    def lines(self) -> Iterable[str]:
        """Its samples as text, each line with its end."""


class Child(Protocol):
    """The series of one set of label values."""

    def text(self) -> str:
        """Its lines."""


C = TypeVar("C", bound=Child)


class _Series(Generic[C]):
    """Children by their label values."""

    kind = ""

    def __init__(self, name: str, help: str, labels: Sequence[str] = ()) -> None:  # noqa: A002 - the format's own word
        self.name, self.help, self._labels = name, help, tuple(labels)
        self._children: dict[tuple[str, ...], C] = {}
        if not self._labels:
            self.labels()

    def labels(self, *values: str) -> C:
        """The series of these label values, begun where it is new."""
        found = self._children.get(values)
        if found is None:
            found = self._children[values] = self._begin(values)
        return found

    def remove(self, *values: str) -> None:
        """End a series; nothing where there is none."""
        self._children.pop(values, None)

    def lines(self) -> Iterable[str]:
        """All samples; those that begin or end meanwhile may be missing."""
        return [child.text() for child in tuple(self._children.values())]

    def _begin(self, values: tuple[str, ...]) -> C:
        raise NotImplementedError


class Group:
    """Counters that differ in their last label only, with the text of all of them."""

    __slots__ = ("_text", "_told", "changes", "counts")

    def __init__(self) -> None:
        self.counts: dict[tuple[str, ...], Count] = {}
        self.changes = 0
        """Moves with everything that is counted, begun or ended here."""
        self._told, self._text = -1, ""

    def text(self) -> str:
        """Their lines, from the last time where nothing changed since."""
        changes = self.changes
        if changes != self._told:
            self._text = "".join([count.text() for count in tuple(self.counts.values())])
            self._told = changes
        return self._text


class Count:
    """A number that only grows."""

    __slots__ = ("_group", "_head", "_line", "_told", "_value")

    def __init__(self, head: str, group: Group) -> None:
        self._head, self._group, self._value, self._told, self._line = head, group, 0.0, -1.0, ""

    def inc(self, amount: float = 1.0) -> None:
        """So many more."""
        self._value += amount
        self._group.changes += 1

    def text(self) -> str:
        """Its line, from the last time where nothing was counted since."""
        value = self._value
        if value != self._told:
            self._line = f"{self._head} {number(value)}\n"
            self._told = value
        return self._line


class Counter(_Series[Count]):
    """A family of counters."""

    kind = "counter"

    def __init__(self, name: str, help: str, labels: Sequence[str] = ()) -> None:  # noqa: A002
        self._groups: dict[tuple[str, ...], Group] = {}
        super().__init__(name, help, labels)

    def remove(self, *values: str) -> None:
        """End a series; nothing where there is none."""
        super().remove(*values)
        group = self._groups.get(values[:-1], Group())
        group.counts.pop(values, None)
        group.changes += 1
        if not group.counts:
            self._groups.pop(values[:-1], None)

    def lines(self) -> Iterable[str]:
        """All samples, a group at a time; those that begin or end meanwhile may be missing."""
        return [group.text() for group in tuple(self._groups.values())]

    def _begin(self, values: tuple[str, ...]) -> Count:
        group = self._groups.setdefault(values[:-1], Group())
        made = group.counts[values] = Count(f"{self.name}_total{label_text(self._labels, values)}", group)
        group.changes += 1
        return made


class Spread:
    """How often a number fell at or below each bound, how often at all, and their sum."""

    __slots__ = ("_bounds", "_counts", "_heads", "_lines", "_sum", "_told")

    def __init__(self, bounds: tuple[float, ...], heads: tuple[str, ...]) -> None:
        """`heads` begin the lines: one for each bound, that of the count, that of the sum."""
        self._bounds, self._heads = bounds, heads
        self._counts = [0] * len(bounds)
        self._sum = 0.0
        self._told, self._lines = -1, ""

    def observe(self, value: float) -> None:
        """One more."""
        self._sum += value
        self._counts[bisect_left(self._bounds, value)] += 1

    def text(self) -> str:
        """Its lines, from the last time where nothing was observed since."""
        counts, total = tuple(self._counts), self._sum
        whole = sum(counts)
        if whole != self._told:
            numbers, below = [], 0
            for count in counts:
                below += count
                numbers.append(float(below))
            values = (*numbers, float(whole), total)
            self._lines = "".join(f"{head} {number(value)}\n" for head, value in zip(self._heads, values, strict=True))
            self._told = whole
        return self._lines


class Histogram(_Series[Spread]):
    """A family of histograms with the same bounds."""

    kind = "histogram"

    def __init__(self, name: str, help: str, bounds: Sequence[float], labels: Sequence[str] = ()) -> None:  # noqa: A002
        self._bounds = (*map(float, bounds), INFINITY)
        super().__init__(name, help, labels)

    def _begin(self, values: tuple[str, ...]) -> Spread:
        each = [label_text((*self._labels, "le"), (*values, number(bound))) for bound in self._bounds]
        all_of_them = label_text(self._labels, values)
        heads = (*(f"{self.name}_bucket{labels}" for labels in each), f"{self.name}_count{all_of_them}", f"{self.name}_sum{all_of_them}")
        return Spread(self._bounds, heads)


def page(families: Iterable[Family], *, openmetrics: bool) -> str:
    """These families as they stand on the page; OpenMetrics names a counter without `_total`."""
    parts: list[str] = []
    for family in families:
        name = family.name if openmetrics or family.kind != "counter" else f"{family.name}_total"
        parts.append(f"# HELP {name} {_escaped(family.help, quotes=openmetrics)}\n# TYPE {name} {family.kind}\n")
        parts.extend(family.lines())
    return "".join(parts)


def label_text(names: Sequence[str], values: Sequence[str]) -> str:
    """Labels as they stand behind a name, in the order of their own names.

    >>> print(label_text(("queue", "pool"), ('a"b', "mail")))
    {pool="mail",queue="a\\"b"}
    """
    if not names:
        return ""
    pairs = sorted(zip(names, values, strict=True))
    return "{" + ",".join(f'{name}="{_escaped(str(value), quotes=True)}"' for name, value in pairs) + "}"


def number(value: float) -> str:
    """A number as Prometheus reads it.

    >>> number(3), number(0.25), number(INFINITY)
    ('3.0', '0.25', '+Inf')
    """
    value = float(value)
    if value in (INFINITY, -INFINITY):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if value != value else repr(value)  # noqa: PLR0124 - only NaN differs from itself


def _escaped(text: str, *, quotes: bool) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text
