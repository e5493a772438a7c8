"""The files of the status page: that they are served as they are, and that nothing in them could become code from outside."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

import pytest
from window import House

from autoscaler.web.assets import FOLDER, TYPES

FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file())
OWN = [FOLDER / name for name in FILES if not name.startswith("vendor/")]


@pytest.fixture(scope="module")
def house() -> House:
    """The application."""
    return House()


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_served_with_its_type(house: House, name: str) -> None:
    """Byte for byte, packed or not."""
    answer = house.get(f"/page/{name}", headers={"accept-encoding": "identity"})

    assert answer.content == (FOLDER / name).read_bytes()
    assert answer.headers["content-type"] == TYPES[Path(name).suffix]


def test_what_a_browser_has_is_not_sent_again(house: House) -> None:
    """304 for the right tag, the whole file for any other."""
    first = house.get("/page/page.css", headers={"accept-encoding": "gzip"})
    again = house.get("/page/page.css", headers={"accept-encoding": "gzip", "if-none-match": first.headers["etag"]})
    other = house.get("/page/page.css", headers={"accept-encoding": "gzip", "if-none-match": '"something-else"'})

    assert (first.status_code, again.status_code, other.status_code) == (200, 304, 200)
    assert again.content == b""
    assert again.headers["cache-control"] == "no-cache"


def test_packed_and_plain_have_tags_of_their_own(house: House) -> None:
    """A cache between us and the browser must not mix them up."""
    plain = house.get("/", headers={"accept-encoding": "identity"})
    packed = house.get("/", headers={"accept-encoding": "gzip"})

    assert packed.headers["content-encoding"] == "gzip"
    assert plain.headers["etag"] != packed.headers["etag"]
    assert plain.headers["vary"] == packed.headers["vary"] == "accept-encoding"
    assert plain.content == packed.content == (FOLDER / "index.html").read_bytes()


@pytest.mark.parametrize("path", ["", "nowhere.js", "../app.py", "..%2fapp.py", "%2e%2e/assets.py", "vendor/", "vendor", "/etc/passwd"])
def test_nothing_else_can_be_had(house: House, path: str) -> None:
    """Only files that were there at the start have an address."""
    assert house.get(f"/page/{path}").status_code == 404


def test_the_policy_allows_only_our_own_files(house: House) -> None:
    """No inline script or style, no other host, no text that becomes markup."""
    policy = house.get("/").headers["content-security-policy"]

    assert policy.startswith("default-src 'none'")
    assert "require-trusted-types-for 'script'" in policy
    assert not re.search(r"unsafe|https?:|\*|data:", policy)


@pytest.mark.parametrize("file", OWN, ids=lambda file: file.name)
def test_no_file_makes_markup_of_text_or_asks_another_host(file: Path) -> None:
    """All text enters through textContent, everything is loaded from where the page came from."""
    text = re.sub(r'xmlns="http://www.w3.org/2000/svg"', "", file.read_text())

    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser", text)
    assert not re.search(r"https?://|\bstyle=|\bon(click|load|error)=", text)


def test_all_modules_are_loaded_at_once() -> None:
    """Each module of the first view stands in the head, so that the browser does not find them one after the other."""
    modules = {file.name for file in OWN if file.suffix == ".js"} - {"page.js", "charts.js"}

    assert set(re.findall(r'rel="modulepreload" href="page/([^"]+)"', (FOLDER / "index.html").read_text())) == modules


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("uplot.js", "5dd9b3281aa64b461b42d9945f6adb2649d346502b12281a9ae0d46599a80eba"),
        ("uplot.css", "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04"),
        ("uplot.LICENSE", "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd"),
    ],
)
def test_what_others_wrote_is_unchanged(name: str, digest: str) -> None:
    """The vendored files are those of the package uplot 1.6.32, byte for byte (docs/decisions)."""
    assert hashlib.sha256((FOLDER / "vendor" / name).read_bytes()).hexdigest() == digest


def test_the_page_is_small() -> None:
    """Over a thin line, too, it is there at once: everything packed, the charts' library aside, is less than a photograph."""
    assert sum(len(gzip.compress(file.read_bytes())) for file in OWN) < 60_000
