"""The room on a host: what the engine says that it has, and what one worker may take of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Need:
    """What one worker may take: what is reserved for it, or else its limit; 0 where there is neither, and then it counts for nothing."""

    memory_bytes: int = 0
    cpus: float = 0.0


NO_NEED = Need()


@dataclass(frozen=True, slots=True)
class Host:
    """The machine under the engine."""

    memory_bytes: int
    cpus: float
    others_bytes: int = 0
    """Memory that running containers of others may take by their limits; those without a limit are not in it.

    Their processors are left out: a limit there is a ceiling that slows them down, and mostly far above what they use.
    """
