"""Who may change something: the bearer of a token, compared in constant time, or nobody.

Without a configured token every changing request is refused with words. The token comes in a header only, so no page of
another site can send it along, and it never stands in an address that a proxy logs. Wrong tokens are counted by address and
over all: who sends too many of them is not listened to for a while, right token or not, or guessing would only be slower.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request

from autoscaler.web.limits import MOST_ADDRESSES, Limit, neighbourhood

GUESSES_AT_ONCE, GUESSES_PER_SECOND = 10, 1 / 6
"""Of one address: ten mistakes in a row are a person's; after that one every six seconds."""
ALL_GUESSES_AT_ONCE, ALL_GUESSES_PER_SECOND = 100, 1.0
"""Of all addresses together, for those that have never had a right token."""


@dataclass(frozen=True, slots=True)
class Key:
    """A token, and whose it is."""

    name: str
    secret: str


Keys = Callable[[], tuple[Key, ...]]


class Gate:
    """Lets changing requests through."""

    def __init__(self, keys: Keys, wake_keys: Keys) -> None:
        self._keys, self._wake_keys = keys, wake_keys
        self._guesses = Limit(GUESSES_AT_ONCE, GUESSES_PER_SECOND)
        self._all_guesses = Limit(ALL_GUESSES_AT_ONCE, ALL_GUESSES_PER_SECOND)
        self._welcome: dict[str, None] = {}
        """Addresses that have had a right token: a flood of guesses from elsewhere does not keep them out."""
        self._log = structlog.stdlib.get_logger("autoscaler.web")

    def admit(self, request: Request, *, wake: bool = False) -> str:
        """The name of the token that this request bears; raises an HTTPException that says what is missing. The body is not read yet."""
        _require_own_page(request)
        keys = [key for key in (*self._keys(), *(self._wake_keys() if wake else ())) if key.secret]
        if not keys:
            file = "api.token_file or api.wake_token_file" if wake else "api.token_file"
            raise HTTPException(403, f"changes over HTTP are off, because no token is configured: set {file} in config.yaml")
        address = neighbourhood(request.client.host if request.client else "")
        self._listen_to(address)
        name = self._recognize(_bearer(request), keys, address)
        _require_json(request)
        return name

    def _listen_to(self, address: str) -> None:
        wait = self._guesses.wait(address)
        if address not in self._welcome:
            wait = max(wait, self._all_guesses.wait("all"))
        if wait:
            words = f"too many wrong tokens: nothing is tried from here for {math.ceil(wait)} s"
            raise HTTPException(429, words, headers={"retry-after": str(math.ceil(wait))})

    def _recognize(self, given: bytes, keys: list[Key], address: str) -> str:
        if not given:
            raise _unknown("a token is needed: send the header 'Authorization: Bearer <token>'")
        # Every token is compared, so that the time taken does not tell which one came close.
        matches = [key.name for key in keys if hmac.compare_digest(given, key.secret.encode())]
        if not matches:
            self._guesses.take(address)
            self._all_guesses.take("all")
            self._log.warning("wrong token", address=address)
            raise _unknown("the token is not the right one")
        if len(self._welcome) >= MOST_ADDRESSES:
            self._welcome.clear()
        self._welcome[address] = None
        return matches[0]


def _unknown(words: str) -> HTTPException:
    return HTTPException(401, words, headers={"www-authenticate": "Bearer"})


def _require_own_page(request: Request) -> None:
    """Browsers say which page made a request; ours are those of the very address that was asked."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "a request that a page of another site makes is refused")


def _require_json(request: Request) -> None:
    if _has_body(request) and request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "a body must be JSON: send the header 'Content-Type: application/json'")


def _bearer(request: Request) -> bytes:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip().encode() if scheme.lower() == "bearer" else b""


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
