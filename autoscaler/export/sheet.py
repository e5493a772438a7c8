"""What an export is: documents, and in words what they leave out; and how both become one file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from autoscaler.errors import AutoscalerError


class NotExportable(AutoscalerError):
    """The pools cannot be written for the other side; the words say what is missing."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One export."""

    documents: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    """What has to be done by hand, and what the other side cannot do."""

    def text(self) -> str:
        """As YAML, the notes first."""
        head = "".join(f"# {line}\n" for note in self.notes for line in _folded(note))
        return head + yaml.dump_all(self.documents, Dumper=_Plain, sort_keys=False, width=120, allow_unicode=True)


class _Plain(yaml.SafeDumper):
    """Every value written out where it stands: readers of manifests do not follow references."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _folded(note: str) -> list[str]:
    """A note as comment lines; nothing in it can begin a line of its own."""
    words, lines = " ".join(note.split()).split(" "), ["-"]
    for word in words:
        if len(lines[-1]) + len(word) > 118:
            lines.append(" ")
        lines[-1] += f" {word}"
    return lines
