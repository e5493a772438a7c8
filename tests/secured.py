"""A real Redis that wants TLS and a password, as managed ones do: the machine's, or the distribution's that scripts/redis unpacks."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
import trustme
from live import ROOT, free_port, until


@dataclass(frozen=True)
class Secured:
    """Where it is, and what it takes to be let in."""

    port: int
    password: str
    ca_file: Path

    @property
    def url(self) -> str:
        """Of the server itself."""
        return self.url_at(self.port)

    def url_at(self, port: int) -> str:
        """Of something before it, with the same password and a certificate of the same authority."""
        return f"rediss://:{self.password}@localhost:{port}/0?ssl_cert_reqs=required&ssl_ca_certs={self.ca_file}"


def tls_binary() -> str:
    """A redis-server that speaks TLS."""
    return subprocess.run([ROOT / "scripts/redis"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


@contextmanager
def secured_redis(home: Path, authority: trustme.CA, *options: str) -> Iterator[Secured]:
    """Serves on a TLS port only, for as long as the block lasts."""
    home.mkdir(exist_ok=True)
    authority.cert_pem.write_to_path(home / "ca.pem")
    certificate = authority.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(home / "server.pem")
    there = Secured(free_port(), secrets.token_hex(8), home / "ca.pem")
    pem = str(home / "server.pem")
    tls = ["--port", "0", "--tls-port", str(there.port), "--tls-cert-file", pem, "--tls-key-file", pem, "--tls-auth-clients", "no"]
    base = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(home), "--requirepass", there.password]
    command = [tls_binary(), *tls, "--tls-ca-cert-file", str(there.ca_file), *base, *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            until(lambda: _answers(there.url))
            yield there
        finally:
            server.kill()


def _answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False
