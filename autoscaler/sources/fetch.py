"""One guarded GET: the only way in which a source asks another program over HTTP.

Handed a kept client and an address, hands back a whole small answer or raises a `SightError` in the operator's words.
httpx's own timeouts count per read, so a peer that drips a byte a second would hold the loop for hours: the deadline here is
over all. An answer is cut off at a size cap, compressed ones are refused (300 MB of zeros pack into 300 kB), and a redirect is
never followed, because the credentials would travel with it. Nothing here logs, and no text carries a password, token or query.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from autoscaler.errors import AnswerUnusable, SourceUnreachable

LIMIT_BYTES = 5_000_000
"""More than 2,000 workers' worth of Flower's largest page that is asked for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, of any status but a redirect: what a status means is the asking source's knowledge."""

    status: int
    content_type: str
    """The media type in lower case, without parameters; empty when there was none."""
    body: bytes
    retry_after_seconds: float | None = None
    """How long the peer asks to be left alone (429, 503); None when it does not, or says it as a date of its own clock."""

    @property
    def text(self) -> str:
        """The body as text; bytes that are no UTF-8 become replacement characters, never an error."""
        return self.body.decode("utf-8", errors="replace")


def new_client(
    *, auth: httpx.Auth | None = None, headers: dict[str, str] | None = None, connections: int = 8, connect_seconds: float | None = None
) -> httpx.AsyncClient:
    """A client to be kept for the life of one source; without `connect_seconds` only the deadline of `fetch` ends a connect.

    Proxies and .netrc of the environment are not used: a neighbour in the same network must not be asked through a proxy, and
    its password must not come from a file that nobody named. Certificates are checked against the system's store.
    """
    return httpx.AsyncClient(
        auth=auth,
        headers={"Accept-Encoding": "identity", "User-Agent": "celery-docker-autoscaler", **(headers or {})},
        verify=_system_trust(),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(None, connect=connect_seconds),  # the overall deadline of `fetch` is the timeout
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=30.0),
    )


@functools.cache
def _system_trust() -> ssl.SSLContext:
    return ssl.create_default_context()


async def fetch(client: httpx.AsyncClient, url: str, *, deadline_seconds: float, limit_bytes: int = LIMIT_BYTES) -> Answer:
    """GET `url` and read the whole answer, within the deadline and the cap.

    Raises:
        SourceUnreachable: no connection, or no whole answer in time.
        AnswerUnusable: it spoke, and what it said is cut short, too large, compressed, a redirect or no HTTP.
    """
    try:
        async with asyncio.timeout(deadline_seconds), client.stream("GET", url) as response:
            _refuse_redirect(response, url)
            _refuse_compression(response, url)
            return Answer(
                status=response.status_code,
                content_type=response.headers.get("content-type", "").partition(";")[0].strip().lower(),
                body=await _read(response, url, limit_bytes),
                retry_after_seconds=_seconds(response.headers.get("retry-after", "")),
            )
    except TimeoutError as error:
        raise SourceUnreachable(f"{place(url)} did not answer in full within {deadline_seconds:g} s") from error
    except (httpx.RemoteProtocolError, httpx.DecodingError) as error:
        raise AnswerUnusable(f"{place(url)} broke off its answer, or does not speak HTTP") from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError) as error:
        raise SourceUnreachable(f"{place(url)} is not an address that can be asked: write it like http://host:5555") from error
    except (httpx.HTTPError, OSError) as error:
        raise SourceUnreachable(f"cannot reach {_origin(url)}: {_cause(error)}") from error


def place(url: str) -> str:
    """The address as it may be shown: scheme, host, port and path, without user, password and query.

    >>> place("http://admin:secret@flower:5555/flower/metrics?key=1")
    'http://flower:5555/flower/metrics'
    """
    try:
        parts = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        return "the address"
    return f"{parts.scheme}://{parts.netloc.decode('ascii')}{parts.path}" if parts.host else "the address"


def _origin(url: str) -> str:
    """The same without the path: what cannot be reached is the program, not one of its pages."""
    return place(url).removesuffix(httpx.URL(url).path)


def _refuse_redirect(response: httpx.Response, url: str) -> None:
    if 300 <= response.status_code < 400:
        where = _host(response.headers.get("location", ""))
        raise AnswerUnusable(
            f"{place(url)} sends us on ({response.status_code}) to {where}: redirects are not followed, "
            "write the final address, or give the credentials that spare the way to a login page"
        )


def _host(location: str) -> str:
    """Only the host: the rest of a Location may hold tokens."""
    try:
        return httpx.URL(location).host or "another page of the same host"
    except (httpx.InvalidURL, UnicodeError):
        return "an unreadable address"


def _refuse_compression(response: httpx.Response, url: str) -> None:
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise AnswerUnusable(f"{place(url)} sent a compressed answer unasked: turn compression off in the proxy before it")


async def _read(response: httpx.Response, url: str, limit_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > limit_bytes:
            raise AnswerUnusable(f"{place(url)} answers with more than {limit_bytes:,} bytes: the rest was not read")
    return bytes(body)


def _seconds(header: str) -> float | None:
    return float(header) if header.isascii() and header.isdigit() and len(header) < 10 else None


def _cause(error: BaseException) -> str:
    """The reason at the bottom of the libraries' wrappings, in words."""
    for cause in _chain(error):
        if isinstance(cause, socket.gaierror):
            return "its name does not resolve; are both in the same network?"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "it does not speak TLS as expected: is https right here?"
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused; is it running and listening there?"
        if isinstance(cause, ConnectionResetError | BrokenPipeError | httpx.ReadError):
            return "it closed the connection"
    return "no connection"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all that it came from; trying several addresses of one host gives a group."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            yield from error.exceptions
        error = error.__cause__ or error.__context__
