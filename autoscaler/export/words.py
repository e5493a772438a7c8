"""What both exports do with a worker's command and image."""

from __future__ import annotations

import shlex

from autoscaler.export.sheet import NotExportable


def argv(command: str | tuple[str, ...] | None, name: str) -> list[str] | None:
    """The command as a list of words, with what stands for the replica's name there; None where the image's own is run.

    >>> argv("celery -A app worker -n 'w@{name}'", "$(POD_NAME)")
    ['celery', '-A', 'app', 'worker', '-n', 'w@$(POD_NAME)']
    """
    if command is None:
        return None
    words = shlex.split(command) if isinstance(command, str) else command
    return [word.replace("{name}", name) for word in words]


def needs(image: str | None, pool: str) -> str:
    """The image, which every container needs; raises NotExportable."""
    if not image:
        raise NotExportable(f"pools.{pool}.worker.image is missing: local processes cannot be exported, containers need an image")
    return image
