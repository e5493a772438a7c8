"""Asks the running daemon over HTTP: its JSON, or words that say what is wrong. `status`, `explain` and `history` show it."""

from __future__ import annotations

from typing import Any

import httpx

from autoscaler.errors import SourceUnreachable


def ask(url: str, path: str, seconds: float = 5.0) -> Any:
    """The JSON answer of the daemon at `url`; raises SourceUnreachable in words."""
    try:
        answer = httpx.get(url.rstrip("/") + path, timeout=seconds, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SourceUnreachable(f"no daemon answers at {url} ({error}): is it running, and is --url right?") from error
    body = answered(url + path, answer)
    if answer.status_code == 404:
        raise SourceUnreachable(str(body.get("error", "not found")))
    if answer.status_code >= 500 or not isinstance(body, (dict, list)):
        raise SourceUnreachable(f"{url}{path} answered {answer.status_code}: {body}")
    return body


def answered(address: str, answer: httpx.Response) -> Any:
    """The JSON of an answer; raises SourceUnreachable where it is none."""
    try:
        return answer.json()
    except ValueError as error:
        raise SourceUnreachable(f"{address} answered {answer.status_code} without JSON: is this the autoscaler?") from error
