"""The shapes that dashboards are made of: panels, rows, variables, annotations, and the board that places them.

What is asked, and why, stands in the modules of the boards; how Grafana wants that written stands here, once, as plain dictionaries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from queries import daemon

Json = dict[str, Any]

SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
SCHEMA_VERSION = 39
"""Of Grafana 11; later ones migrate it when they load it."""
COLUMNS = 24
TAG = "autoscaler"

# ---------------------------------------------------------------- panels


@dataclass(frozen=True)
class Panel:
    """One panel: what it shows, what it asks, and how wide it is."""

    kind: str
    title: str
    says: str
    queries: tuple[tuple[str, str], ...]
    """Expression and legend of each."""
    unit: str
    width: int = 12
    height: int = 8
    defaults: Json = field(default_factory=dict)
    options: Json = field(default_factory=dict)
    instant: bool = False

    def json(self, number: int, x: int, y: int) -> Json:
        """As Grafana keeps it."""
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.says,
            "datasource": SOURCE,
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "fieldConfig": {"defaults": {"unit": self.unit, **self.defaults}, "overrides": []},
            "options": self.options,
            "targets": [self._target(chr(ord("A") + i), *query) for i, query in enumerate(self.queries)],
        }

    def _target(self, ref: str, expression: str, legend: str) -> Json:
        shape = {"range": not self.instant, "instant": self.instant}
        return {"refId": ref, "datasource": SOURCE, "expr": expression, "legendFormat": legend, **shape}


Query = tuple[str, str]


def number(title: str, says: str, query: Query, *, unit: str = "short", steps: Sequence[Query] = (), words: Json | None = None) -> Panel:
    """One number, as it is now. `steps` are (colour, from) pairs above plain; `words` replace values: {"0": ("refused", "red")}."""
    defaults = {
        "color": {"mode": "thresholds"},
        "thresholds": _thresholds(steps),
        "mappings": _mappings(words or {}),
        "noValue": "unknown",
    }
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "background" if steps or words else "value",
        "graphMode": "none",
        "textMode": "auto",
    }
    return Panel("stat", title, says, (query,), unit, 4, 4, defaults, options, instant=True)


def curves(
    title: str, says: str, *queries: Query, unit: str = "short", stacked: bool = False, steps: bool = False, wide: bool = False
) -> Panel:
    """Lines over time; `steps` for counts that jump. A gap means that nobody could see it."""
    custom = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 30 if stacked else 8,
        "showPoints": "auto",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "lineInterpolation": "stepAfter" if steps else "linear",
    }
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    defaults = {"custom": custom, "color": {"mode": "palette-classic"}, "min": 0}
    return Panel("timeseries", title, says, queries, unit, COLUMNS if wide else 12, 8, defaults, options)


def states(title: str, says: str, *queries: Query, words: Json) -> Panel:
    """Bars over time, coloured by value: {"1": ("holds", "orange")}."""
    defaults = {
        "color": {"mode": "thresholds"},
        "thresholds": _thresholds((), plain="transparent"),
        "mappings": _mappings(words),
        "custom": {"fillOpacity": 80, "lineWidth": 0},
    }
    options = {
        "mergeValues": True,
        "showValue": "never",
        "alignValue": "left",
        "rowHeight": 0.8,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    return Panel("state-timeline", title, says, queries, "none", 12, 8, defaults, options)


def gauge(title: str, says: str, query: Query, *, steps: Sequence[Query]) -> Panel:
    """A share of something that ends, as a bar for each."""
    defaults = {"color": {"mode": "thresholds"}, "thresholds": _thresholds(steps, plain="green"), "min": 0, "max": 1, "noValue": "none set"}
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "orientation": "horizontal",
        "displayMode": "basic",
        "showUnfilled": True,
    }
    return Panel("bargauge", title, says, (query,), "percentunit", 12, 8, defaults, options, instant=True)


def _thresholds(steps: Sequence[Query], plain: str = "text") -> Json:
    return {"mode": "absolute", "steps": [{"color": plain, "value": None}, *({"color": c, "value": float(v)} for c, v in steps)]}


def _mappings(words: Json) -> list[Json]:
    options = {value: {"text": text, "color": colour, "index": i} for i, (value, (text, colour)) in enumerate(words.items())}
    return [{"type": "value", "options": options}] if options else []


# ---------------------------------------------------------------- what stands around them


def variable(name: str, label: str, asks: str, *, many: bool = True) -> Json:
    """A choice at the top of the board, filled from the labels of a series."""
    everything = {"allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}} if many else {"current": {}}
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "definition": asks,
        "query": {"query": asks, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": many,
        "includeAll": many,
        "hide": 0,
        **everything,
    }


def typed(name: str, label: str, value: str) -> Json:
    """A value that the reader types in."""
    return {"name": name, "label": label, "type": "textbox", "query": value, "current": {"text": value, "value": value}, "hide": 0}


DATASOURCE: Json = {
    "name": "datasource",
    "label": "Data source",
    "type": "datasource",
    "query": "prometheus",
    "current": {},
    "hide": 0,
    "includeAll": False,
    "multi": False,
    "refresh": 1,
}
JOB = variable("job", "Job", "label_values(autoscaler_build_info, job)")
INSTANCE = variable("instance", "Instance", 'label_values(autoscaler_build_info{job=~"$job"}, instance)')
POOLS = variable("pool", "Pool", f"label_values({daemon('replicas_max')}, pool)")
POOL = variable("pool", "Pool", f"label_values({daemon('replicas_max')}, pool)", many=False)
WORKERS = variable("workers", "Job of the workers", "label_values(autoscaler_worker_ready, job)")


def note(name: str, colour: str, expression: str, title: str, text: str) -> Json:
    """Marks on every graph of the board where an expression has a value."""
    return {
        "name": name,
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "datasource": SOURCE,
        "expr": expression,
        "titleFormat": title,
        "textFormat": text,
        "step": "15s",
    }


CONFIG_NOTE = note(
    "Configuration changes",
    "blue",
    f"changes({daemon('config_last_reload_success_timestamp_seconds')}[1m]) > 0",
    "config.yaml",
    "another configuration is in force",
)
BUILT_IN_NOTES: Json = {
    "builtIn": 1,
    "datasource": {"type": "grafana", "uid": "-- Grafana --"},
    "enable": True,
    "hide": True,
    "iconColor": "rgba(0, 211, 255, 1)",
    "name": "Annotations & Alerts",
    "type": "dashboard",
}


@dataclass(frozen=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Board:
    """One dashboard: a file of this name, found in Grafana under its `uid`, which never changes."""

    file: str
    uid: str
    title: str
    says: str
    variables: tuple[Json, ...]
    rows: tuple[Row, ...]
    notes: tuple[Json, ...] = (CONFIG_NOTE,)

    def json(self) -> Json:
        """As Grafana imports it: without a number, and without the name of a data source."""
        return {
            "title": self.title,
            "uid": self.uid,
            "description": self.says,
            "tags": ["celery", TAG],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,
            "refresh": "10s",
            "time": {"from": "now-1h", "to": "now"},
            "timezone": "browser",
            "links": [_LINKS],
            "annotations": {"list": [BUILT_IN_NOTES, *self.notes]},
            "templating": {"list": [DATASOURCE, *self.variables]},
            "panels": list(self._placed()),
        }

    def _placed(self) -> Iterator[Json]:
        """Row by row, each panel beside the one before it while there is room."""
        y = number = 0
        for row in self.rows:
            place = {"h": 1, "w": COLUMNS, "x": 0, "y": y}
            yield {"id": (number := number + 1), "type": "row", "title": row.title, "collapsed": False, "gridPos": place, "panels": []}
            x, y, height = 0, y + 1, 0
            for panel in row.panels:
                if x + panel.width > COLUMNS:
                    x, y, height = 0, y + height, 0
                yield panel.json(number := number + 1, x, y)
                x, height = x + panel.width, max(height, panel.height)
            y += height


_LINKS: Json = {
    "title": "Autoscaler",
    "type": "dashboards",
    "tags": [TAG],
    "asDropdown": False,
    "includeVars": True,
    "keepTime": True,
    "targetBlank": False,
    "icon": "external link",
    "tooltip": "",
    "url": "",
}
