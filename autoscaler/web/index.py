"""The page at `/`: what this is and where everything else stands. Static, without scripts."""

from __future__ import annotations

import base64
import hashlib

from starlette.responses import HTMLResponse, Response

from autoscaler import __version__

ENDPOINTS: tuple[tuple[str, str, str], ...] = (
    ("GET", "/api/v1/status", "everything at this moment, and in words what is wrong"),
    ("GET", "/api/v1/pools/{pool}", "one pool with the steps of its latest decision"),
    ("GET", "/api/v1/pools/{pool}/decisions", "its latest decisions, newest first (limit)"),
    ("GET", "/api/v1/history", "ticks for charts (pool, since, limit)"),
    ("GET", "/api/v1/targets", "the workers' own metrics pages, for Prometheus' service discovery"),
    ("GET", "/metrics", "metrics for Prometheus"),
    ("GET", "/healthz", "200 while the loop ticks, whatever the neighbours do"),
    ("GET", "/readyz", "200 once the first tick is over"),
    ("POST", "/-/reload", "read config.yaml now (bearer token)"),
)
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}"
    "td{padding:.25rem 1rem .25rem 0;vertical-align:top}code{font-size:.9em}"
)
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


def index_page() -> Response:
    """The list of endpoints as HTML."""
    rows = "".join(f"<tr><td><code>{method}</code></td>{_place(method, path)}<td>{words}</td></tr>" for method, path, words in ENDPOINTS)
    body = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>autoscaler</title><style>{STYLE}</style></head><body>'
        f"<h1>autoscaler {__version__}</h1><p>Keeps exactly the right number of Celery worker containers running.</p>"
        f"<table>{rows}</table></body></html>"
    )
    return HTMLResponse(body, headers={"content-security-policy": _POLICY})


def _place(method: str, path: str) -> str:
    shown = f"<code>{path}</code>"
    return f'<td><a href="{path}">{shown}</a></td>' if method == "GET" and "{" not in path else f"<td>{shown}</td>"
