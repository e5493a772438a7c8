"""Who may change something: a bearer token, compared in constant time, or nobody.

Without a configured token every changing request is refused with words. The token comes in a header only, so no page of
another site can send it along, and it never stands in an address that a proxy logs.
"""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request


def authorize(request: Request, tokens: tuple[str, ...]) -> None:
    """Let this changing request through, or raise an HTTPException that says what is missing; the body is not read yet."""
    usable = [token.encode() for token in tokens if token]
    if not usable:
        raise HTTPException(403, "changes over HTTP are off, because no token is configured: set api.token_file in config.yaml")
    given = _bearer(request)
    # Every token is compared, so that the time taken does not tell which one came close.
    if not any([hmac.compare_digest(given, token) for token in usable]):  # noqa: C419
        words = "the token is not the right one" if given else "a token is needed: send the header 'Authorization: Bearer <token>'"
        raise HTTPException(401, words, headers={"www-authenticate": "Bearer"})
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "a request that a page of another site makes is refused")
    if _has_body(request) and request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "a body must be JSON: send the header 'Content-Type: application/json'")


def _bearer(request: Request) -> bytes:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip().encode() if scheme.lower() == "bearer" else b""


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
