"""Takes secrets out of everything that is told: the last step before a log line, a journal row or an answer leaves.

Three nets, because each has holes: passwords in URLs, values under telling keys, and the secrets themselves wherever they
turn up (in an exception's text, in a worker's last log lines).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote, urlsplit

MASK = "***"
SHORTEST_SECRET = 4
"""Shorter ones would blot out ordinary words; they are still hidden in URLs and under telling keys."""
LONGEST_TEXT = 16_000
DEEPEST = 8
WIDEST = 10_000

# Every repetition is bounded where a search could start anywhere in it, so that no text makes these slow.
_URL_PASSWORD = re.compile(r"([a-z][a-z0-9+.-]{0,20}://[^\s:/@]{0,200}):[^\s/]{1,500}@", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer|basic)\s{1,3}[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_NAMED = r"(?:password|passwd|secret|token|api[_-]?key)"
_ASSIGNED = re.compile(rf"({_NAMED}(?:=|['\"]\s{{0,3}}[:=]\s{{0,3}})['\"]?)(?!\*\*\*)[^\s\"'&,;}}]+", re.IGNORECASE)
_KEY = re.compile(r"(pass(word|wd|phrase)?|secret|tokens?|api[_-]?key|authorization|cookie|credentials?)$", re.IGNORECASE)


class Redactor:
    """Knows the secrets of this process and hides them; safe to call from any thread."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: tuple[str, ...] = ()
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Hide these too; earlier ones stay hidden, because a rotated token may still be in somebody's text."""
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST_SECRET}
        self._secrets = tuple(sorted({*self._secrets, *forms}, key=lambda s: (-len(s), s)))

    def text(self, text: str) -> str:
        """This text without secrets, cut where it is endless."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASK)
        # The plain searches in front are a hundred times cheaper than the patterns, and most texts end there.
        if "://" in text:
            text = _URL_PASSWORD.sub(rf"\1:{MASK}@", text)
        if "=" in text or "'" in text or '"' in text:
            text = _ASSIGNED.sub(rf"\1{MASK}", text)
        if " " in text and ("earer " in (lowered := text.lower()) or "basic " in lowered):
            text = _BEARER.sub(rf"\1 {MASK}", text)
        # The middle goes, because a traceback says what happened in its last line.
        return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT // 4]} ... {text[-LONGEST_TEXT // 2 :]}"

    def __call__(self, value: Any, depth: int = 0) -> Any:
        """Any value as plain data without secrets; what is neither data nor text is shown by its repr."""
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, str):
            return self.text(str(value))
        if depth >= DEEPEST:
            return "..."
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self(item, depth + 1) for item in list(value)[:WIDEST]]
        if isinstance(value, (dict, Mapping)):  # a dict is known at once, another mapping only after a search
            return {self.text(str(k)): self._under(k, v, depth) for k, v in list(value.items())[:WIDEST]}
        return self.text(repr(value))

    def _under(self, key: Any, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        return MASK if _is_telling(str(key)) else self(value, depth + 1)


@lru_cache(maxsize=1024)
def _is_telling(key: str) -> bool:
    return bool(_KEY.search(key))


def _forms(secret: str) -> tuple[str, ...]:
    """A secret as it may be written: plain, percent-encoded, and the password of a whole URL on its own."""
    own = (secret, quote(secret, safe=""))
    if "://" not in secret:
        return own
    try:
        password = urlsplit(secret).password or ""
    except ValueError:
        return own
    return (*own, password, unquote(password))


redactor = Redactor()
"""The one of this process: what the configuration keeps secret stays secret on every face, log, journal and API."""
