"""`docs/configuration.md` and `config.schema.json`, written from the models: `python -m autoscaler.config.reference` in the checkout.

A test compares both files with what this module writes, so neither can fall behind the code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from autoscaler.config.changes import NEEDS_RESTART
from autoscaler.config.in_force import NOT_YET
from autoscaler.config.keys import Key, all_keys, defaults
from autoscaler.config.schema import schema
from autoscaler.config.translate import example, flow
from autoscaler.config.yaml_marks import dotted

_INTRODUCTION = """\
# Configuration

<!-- Written by `python -m autoscaler.config.reference` from the models. Change those, not this file. -->

The autoscaler reads one file, `config.yaml`, and looks at it again on every tick.
An edit is in force by the next tick, whole.
An edit with a mistake is refused whole, with every mistake and its line, while the old settings stay.
`autoscaler check` says the same beforehand:

    config.yaml:13:5: pools.browser.scale_upp: unknown key - did you mean 'scale_up'?

The smallest file that works:

```yaml
flower:
  url: http://flower:5555
pools:
  default:
    queues: [default]
    replicas: {max: 10}
    worker:
      image: registry.example.com/app:1.4
```

**Durations** are written `30s`, `5m`, `1h30m` or `250ms`, **sizes** `512m` or `2g` (binary, as in Docker).
A bare number where a unit belongs is refused, because nobody can know whether `300` means seconds or minutes.
**Truth values** are `true` and `false` only.

**Variables** work in every value as in a Compose file:
`${V}`, `${V:-default}`, `${V-default}`, `${V:?message}`, `${V?message}`, `${V:+other}`, `$V`.
`$$` is a dollar sign.
A variable that is not set and has no default is a mistake; write `${V:-}` where empty is meant.

**Secrets** come from a variable or from a file (the keys that end in `_file`), whose path is relative to the folder of `config.yaml`.
One newline at the end is left out.
These files and the workers' `env_file` are watched like `config.yaml` itself.

**Repetition**: anchors, aliases and `<<` work, and keys at the top that begin with `x-` are a place for anchors.

Mount the *folder* of `config.yaml` into the autoscaler's container.
A single mounted file goes on showing its old content after an editor replaced it.
"""


def reference() -> str:
    """The whole page: one heading per key, in the order of the file."""
    waiting = ", ".join(f"`{dotted(path)}`" for path in NEEDS_RESTART)
    restart = f"\nA change of these waits for a restart, and the old value stays in force until then: {waiting}.\n"
    kinds = schema()
    return _INTRODUCTION + restart + "".join(f"\n{_section(key, kinds)}" for key in all_keys())


def _section(key: Key, whole: dict[str, Any]) -> str:
    owner = whole if key.part.__name__ == "Settings" else whole["$defs"][key.part.__name__]
    lines = [f"## `{key.path}`", "", f"*{_kind(owner['properties'][key.name])}, {_presence(key)}*", "", _described(key)]
    if key.path in NOT_YET:
        lines += ["", f"**Not in force yet:** {NOT_YET[key.path]}."]
    return "\n".join([*lines, "", f"Example: `{example(key)}`", ""])


def _described(key: Key) -> str:
    return " ".join((key.field.description or "").split())


def _presence(key: Key) -> str:
    if key.field.is_required():
        return "required"
    default = defaults(key.part)[key.name]
    if key.below or default in (None, [], {}, ""):
        return "optional"
    return f"default `{flow(default)}`"


def _kind(entry: dict[str, Any]) -> str:
    """The type of a value in words."""
    branches = [branch for branch in entry.get("anyOf", [entry]) if branch.get("type") != "null" and branch.get("pattern") != r"\$"]
    words = [_branch(branch) for branch in branches]
    return " or ".join(dict.fromkeys(words))


def _branch(branch: dict[str, Any]) -> str:
    if "enum" in branch:
        return "one of " + ", ".join(f"`{choice}`" for choice in branch["enum"])
    if "const" in branch:
        return f"always `{branch['const']}`"
    if branch.get("type") == "array":
        return "list of mappings" if "$ref" in branch["items"] else f"list of {_kind(branch['items'])}".replace("number", "numbers")
    if "$ref" in branch or branch.get("type") == "object":
        return "mapping"
    names = {"integer": "whole number", "number": "number", "boolean": "true or false", "string": "text"}
    kind = branch.get("format", "")
    return kind if kind and kind != "password" else names.get(str(branch["type"]), "text")


def write(folder: Path) -> None:
    """Write both files into a checkout."""
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs" / "configuration.md").write_text(reference())
    (folder / "config.schema.json").write_text(schema_text())


def schema_text() -> str:
    """The schema as it stands in `config.schema.json`."""
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    write(Path.cwd())
