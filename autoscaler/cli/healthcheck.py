"""`autoscaler healthcheck`: is the loop alive? Standard library only, so that it costs a container next to nothing."""

from __future__ import annotations

import http.client
import os
import sys
from urllib.parse import urlsplit

DEFAULT_URL = "http://127.0.0.1:8090"


def healthcheck(arguments: list[str]) -> int:
    """0 when `/healthz` answers 200 within 3 s, else 1 with a line on stderr that says why."""
    url = os.environ.get("AUTOSCALER_URL", DEFAULT_URL)
    if arguments[:1] == ["--url"] and len(arguments) == 2:
        url = arguments[1]
    elif arguments:
        print("usage: autoscaler healthcheck [--url http://host:port]", file=sys.stderr)  # noqa: T201
        return 2
    place = urlsplit(url)
    try:
        connection = http.client.HTTPConnection(place.hostname or "127.0.0.1", place.port or 80, timeout=3)
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        text = answer.read(500).decode("utf-8", "replace").strip()
    except OSError as error:
        print(f"no answer from {url}: {error}", file=sys.stderr)  # noqa: T201
        return 1
    if answer.status != 200:
        print(f"{url}/healthz answered {answer.status}: {text}", file=sys.stderr)  # noqa: T201
        return 1
    return 0
