"""The files of the status page: read once, served with their types, validated by their content.

`page/` is what a browser gets, as it lies there: no build step changes it. A browser asks again each time whether what it has
is still right and is answered 304, so a new version is on the screen at the next load and nothing else is sent twice.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).parent / "page"
INDEX = "index.html"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".LICENSE": "text/plain; charset=utf-8",
}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # No text can become markup or code, not even by a slip: the browser refuses innerHTML and its like altogether.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
WORTH_PACKING = 1000
"""Bytes from which a file is packed for browsers that take it so."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, plain and packed."""

    kind: str
    plain: bytes
    packed: bytes
    """The same in gzip; empty where that is not worth it."""
    tag: str


class Assets:
    """All files of the page, in memory from the start: no request leads to the disk, so none can lead out of the folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        files = sorted(path for path in folder.rglob("*") if path.suffix in TYPES)
        self.by_name: Mapping[str, Asset] = {path.relative_to(folder).as_posix(): _read(path) for path in files}

    async def index(self, request: Request) -> Response:
        """The page itself."""
        return _answer(self.by_name[INDEX], request)

    async def file(self, request: Request) -> Response:
        """What the page loads."""
        asset = self.by_name.get(request.path_params["file"])
        if asset is None:
            raise HTTPException(404)
        return _answer(asset, request)


@cache
def _read(path: Path) -> Asset:
    plain = path.read_bytes()
    packed = gzip.compress(plain, mtime=0) if len(plain) >= WORTH_PACKING else b""
    return Asset(TYPES[PurePosixPath(path).suffix], plain, packed, hashlib.sha256(plain).hexdigest()[:20])


def _answer(asset: Asset, request: Request) -> Response:
    is_packed = bool(asset.packed) and "gzip" in request.headers.get("accept-encoding", "")
    tag = f'"{asset.tag}{"-gz" if is_packed else ""}"'
    headers = {"cache-control": "no-cache", "etag": tag, "vary": "accept-encoding", "content-security-policy": POLICY}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    body = asset.packed if is_packed else asset.plain
    encoding = {"content-encoding": "gzip"} if is_packed else {}
    return Response(body, headers=headers | encoding | {"content-type": asset.kind})
