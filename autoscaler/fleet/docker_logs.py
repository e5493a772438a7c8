"""The last words of a container: the end of its log, cut to what fits in a record.

The engine sends stdout and stderr interleaved in frames of one byte of stream number, three of nothing and four of length;
a container with a terminal sends plain text.
"""

from __future__ import annotations

from autoscaler.fleet.docker_errors import masked

LINES = 20
LINE_LENGTH = 500
LOG_BYTES = 64 * 1024
_HEADER = 8


def tail(content: bytes) -> tuple[str, ...]:
    """The last lines of what the engine sent, without passwords of addresses and control characters.

    >>> tail(bytes([1, 0, 0, 0, 0, 0, 0, 6]) + b"hello\\n")
    ('hello',)
    """
    text = (_unframed(content) if _is_framed(content) else content).decode(errors="replace")
    lines = [_printable(masked(line))[:LINE_LENGTH] for line in text.splitlines()]
    return tuple([line for line in lines if line][-LINES:])


def _is_framed(content: bytes) -> bool:
    return len(content) >= _HEADER and content[0] in (0, 1, 2) and content[1:4] == b"\0\0\0"


def _unframed(content: bytes) -> bytes:
    """The frames' content put together; the last one may be cut short."""
    parts, at = [], 0
    while at + _HEADER <= len(content):
        size = int.from_bytes(content[at + 4 : at + _HEADER], "big")
        parts.append(content[at + _HEADER : at + _HEADER + size])
        at += _HEADER + size
    return b"".join(parts)


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else " " for c in line).rstrip()
