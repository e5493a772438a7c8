"""One Docker engine, spoken to over HTTP: connected when first needed, every answer whole, short enough and in time.

The fleet asks with a method and a path and gets an `Answer` back, whatever its status; only what is no answer of an engine
at all is raised, as FleetUnreachable. The Docker SDK brings the transport (unix socket, TCP, SSH), the negotiation of the
API version and the registry credentials; its high-level calls are not used: `containers.list()` inspects every container.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import docker
from docker.auth import get_config_header, resolve_repository_name
from docker.errors import DockerException
from requests import Response
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from autoscaler.errors import FleetUnreachable
from autoscaler.fleet.docker_errors import forbidden, masked, quoted, unreachable

ANSWER_BYTES = 32 * 1024 * 1024
"""More than any honest answer: a list of 10,000 containers has 8 MB."""
CONNECTIONS = 16
"""Kept open for calls at the same time; four starts saturate an engine."""
_FROM_A_PROXY = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True)
class Question:
    """One request to the engine."""

    method: str
    path: str
    params: Mapping[str, str] | None = None
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = None
    seconds: float | None = None
    """How long the whole answer may take, where that is not the engine's usual timeout."""
    limit: int = ANSWER_BYTES
    cut: bool = False
    """Keep the first `limit` bytes of a longer answer, instead of refusing it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine said to one request."""

    status: int
    body: bytes

    @property
    def is_done(self) -> bool:
        """It was done, or had been done before."""
        return self.status < 400

    @property
    def value(self) -> Any:
        """The body read as JSON; raises FleetUnreachable when it is not."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise FleetUnreachable(f"the Docker engine's answer cannot be read: {self.words}") from error

    @property
    def words(self) -> str:
        """The engine's own message, fit to be quoted."""
        text = self.body[:4096].decode(errors="replace")
        with contextlib.suppress(ValueError, KeyError, TypeError):
            text = json.loads(self.body)["message"]
        return quoted(str(text))

    @property
    def last_words(self) -> str:
        """The last line of an answer that came as a stream of lines."""
        return quoted(self.body.strip().rpartition(b"\n")[2].decode(errors="replace"))


class Engine:
    """The engine at one address; safe to be asked by several threads at once.

    `timeout_seconds` bounds a whole call, connecting included. What it cannot bound is an engine that sends the header of
    its answer byte by byte: who must not wait for that, asks from a thread of its own.
    """

    def __init__(self, host: str, timeout_seconds: float) -> None:
        self.host = host
        self._timeout = timeout_seconds
        self._client: docker.APIClient | None = None
        self._connecting = threading.Lock()

    def ask(self, question: Question) -> Answer:
        """One request and its whole answer, whatever its status."""
        deadline = time.monotonic() + (question.seconds or self._timeout)
        answer, is_current = self._exchange(question, deadline)
        if not is_current and answer.status == 400:
            # Refused for its version, which a new engine behind this address does not speak; so nothing has been done yet.
            answer, _ = self._exchange(question, deadline)
        if answer.status == 403:
            raise forbidden(question.method, question.path)
        if answer.status in _FROM_A_PROXY and not answer.body.lstrip().startswith(b"{"):
            raise FleetUnreachable(f"the socket proxy cannot reach the Docker engine: {answer.status} {answer.words}")
        return answer

    def _exchange(self, question: Question, deadline: float) -> tuple[Answer, bool]:
        """The answer, and whether the engine still is of the version that was asked; if not, the next exchange connects anew."""
        client = self._connected(deadline)
        try:
            answer, version = _exchange(client, question, deadline, self._timeout)
        except (RequestException, DockerException, HTTPError, OSError) as error:
            self._forget(client)
            raise unreachable(self.host, error) from error
        is_current = version in (None, client.api_version)
        if not is_current:
            self._forget(client)
        return answer, is_current

    def api_at_least(self, version: str) -> bool:
        """Whether the engine speaks this version of its API."""
        spoken = self._connected(time.monotonic() + self._timeout).api_version
        return [int(part) for part in spoken.split(".")] >= [int(part) for part in version.split(".")]

    def credentials(self, repository: str) -> dict[str, str]:
        """The header that lets the engine pull this image, from the Docker configuration of the daemon's user; empty without one."""
        client = self._connected(time.monotonic() + self._timeout)
        try:
            registry, _ = resolve_repository_name(repository)
            header = get_config_header(client, registry)
        except (DockerException, OSError):
            return {}
        return {"X-Registry-Auth": header.decode() if isinstance(header, bytes) else header} if header else {}

    def _connected(self, deadline: float) -> docker.APIClient:
        """The connected client; the first call, and the first one after a failure, connects and asks for the API version."""
        if client := self._client:
            return client
        if not self._connecting.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise FleetUnreachable(f"the Docker engine at {masked(self.host)} did not answer in time")
        try:
            if self._client is None:
                pause = max(0.001, deadline - time.monotonic())
                self._client = docker.APIClient(self.host, version="auto", timeout=pause, max_pool_size=CONNECTIONS)
        except (DockerException, RequestException, HTTPError, OSError, ValueError) as error:
            raise unreachable(self.host, error) from error
        else:
            return self._client
        finally:
            self._connecting.release()

    def _forget(self, client: docker.APIClient) -> None:
        """Connect anew on the next call; calls under way on this client end undisturbed."""
        if self._client is client:
            self._client = None
        client.close()


def _exchange(client: docker.APIClient, question: Question, deadline: float, read_seconds: float) -> tuple[Answer, str | None]:
    """The answer and the API version that came with it."""
    with client.request(
        question.method,
        f"{client.base_url}/v{client.api_version}{question.path}",
        params=question.params,
        json=question.body,
        headers=question.headers,
        timeout=max(0.001, min(read_seconds, deadline - time.monotonic())),
        stream=True,
        allow_redirects=False,
    ) as response:
        body = b"".join(_pieces(response, deadline, question))
        return Answer(response.status_code, body), response.headers.get("Api-Version")


def _pieces(response: Response, deadline: float, question: Question) -> Iterator[bytes]:
    """The body as it arrives: in time and no longer than the limit."""
    size = 0
    while piece := response.raw.read1(65536, decode_content=True):
        size += len(piece)
        if size > question.limit:
            if not question.cut:
                raise RequestException(f"it answers with more than {question.limit} bytes")
            yield piece[: len(piece) + question.limit - size]
            return
        yield piece
        if time.monotonic() > deadline:
            raise TimeoutError("the answer came too slowly")
