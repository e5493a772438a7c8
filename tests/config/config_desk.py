"""A desk to write configurations on, and to read them back; and the smallest configuration that works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from autoscaler.config.load import load
from autoscaler.config.models import Settings
from autoscaler.errors import ConfigError

FLOWER = "flower: {url: http://flower:5555}\n"
POOL = "queues: [a], replicas: {max: 4}, worker: {image: x}"
SMALLEST = f"{FLOWER}pools: {{a: {{{POOL}}}}}\n"


@dataclass(frozen=True)
class Desk:
    """A folder with a `config.yaml` in it."""

    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "config.yaml"

    def write(self, text: str | bytes) -> Path:
        self.path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return self.path

    def file(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def load(self, text: str | bytes = SMALLEST, env: Mapping[str, str] | None = None) -> Settings:
        return load(self.write(text), env or {})

    def problems(self, text: str | bytes, env: Mapping[str, str] | None = None) -> list[str]:
        """What is wrong with this text, each as `line:col: path: message`."""
        with pytest.raises(ConfigError) as caught:
            self.load(text, env)
        return str(caught.value).replace(f"{self.path}: ", "").replace(f"{self.path}:", "").split("\n")

    def pool(self, keys: str, env: Mapping[str, str] | None = None, *, worker: str = "") -> list[str]:
        """What is wrong with a pool that has these keys beside the smallest, without the place."""
        text = f"{FLOWER}pools:\n  a: {{queues: [a], replicas: {{max: 4}}, {keys + ', ' if keys else ''}worker: {{image: x, {worker}}}}}\n"
        return [problem.split(" ", 1)[1] for problem in self.problems(text, env)]
