"""What went wrong at the Docker engine, in the operator's words: what it is and what to do about it.

The other `docker_*` modules hand exceptions and answers in and get one of our errors back. Nothing is decided by the text of
an answer, which differs between engine versions; it is only quoted, short and without passwords.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

from autoscaler.errors import FleetUnreachable

QUOTE_LENGTH = 300
_CREDENTIALS = re.compile(r"(://[^\s/@:]*:)\S+@")
_SECTIONS = ("CONTAINERS", "IMAGES", "NETWORKS", "DISTRIBUTION")


def masked(text: str) -> str:
    """The text without the passwords of the addresses in it.

    >>> masked("cannot connect to redis://user:s3cret@redis:6379/0")
    'cannot connect to redis://user:***@redis:6379/0'
    """
    return _CREDENTIALS.sub(r"\1***@", text)


def quoted(text: str) -> str:
    """Foreign words made fit for one line of ours."""
    line = " ".join(masked(text).split())
    return line if len(line) <= QUOTE_LENGTH else f"{line[:QUOTE_LENGTH]}..."


def unreachable(host: str, error: BaseException) -> FleetUnreachable:
    """No answer came: the deepest known cause says why."""
    name = masked(host)
    for cause in _causes(error):
        match cause:
            case FileNotFoundError():
                text = f"there is no Docker socket at {name}: start Docker, mount its socket here, or correct fleet.host"
            case PermissionError():
                text = f"no permission for the Docker socket {name}: add the socket's group{_group(host)}"
            case ConnectionRefusedError():
                text = f"nobody listens at {name}: is the Docker engine running?"
            case socket.gaierror():
                text = f"the name in {name} cannot be resolved: correct fleet.host, or join its network"
            case TimeoutError():
                text = f"the Docker engine at {name} did not answer in time; what it was asked may still happen"
            case ConnectionResetError() | BrokenPipeError():
                text = f"the Docker engine at {name}, or a proxy before it, hung up; what it was asked may still happen"
            case _:
                continue
        return FleetUnreachable(text)
    return FleetUnreachable(f"the Docker engine at {name} cannot be spoken to: {quoted(str(error))}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from, deepest first; libraries hide the operating system's error several layers down."""
    chain = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return reversed(chain)


def _group(host: str) -> str:
    """How to be let in, with the number of the group where the socket can be seen."""
    try:
        return f' (group_add: ["{Path(host.removeprefix("unix://")).stat().st_gid}"] in the Compose service)'
    except OSError:
        return " (group_add in the Compose service)"


def forbidden(method: str, path: str) -> FleetUnreachable:
    """A socket proxy or an authorization plugin stands in front of the engine and says no."""
    section = path.split("/")[1].upper()
    needs = [*(["POST"] if method != "GET" else []), section if section in _SECTIONS else "CONTAINERS"]
    return FleetUnreachable(f"the socket proxy forbids this ({method} {path}): allow {' and '.join(needs)}")
