"""Secrets stay in."""

from __future__ import annotations

import time

import pytest

from autoscaler.report.redact import LONGEST_TEXT, Redactor

CANARY = "c4nary-s3cret/with+signs"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"cannot connect to redis://user:{CANARY.replace('/', '%2F')}@broker:6379/0", id="password in a URL"),
        pytest.param("redis://:c4nary-s3cret@broker", id="password without a user"),
        pytest.param(f"Authorization: Bearer {CANARY}", id="bearer token"),
        pytest.param(f"GET /api?token={CANARY}&x=1", id="token in a query"),
        pytest.param(f"{{'password': '{CANARY}'}}", id="a repr of a mapping"),
        pytest.param(f"FLOWER_PASSWORD={CANARY}", id="an environment line"),
    ],
)
def test_secrets_are_known_by_where_they_stand(text: str) -> None:
    """A secret that nobody told us about is hidden where its place gives it away."""
    assert "c4nary" not in Redactor().text(text)


@pytest.mark.parametrize("form", [CANARY, "c4nary-s3cret%2Fwith%2Bsigns"], ids=["plain", "percent-encoded"])
def test_known_secrets_are_hidden_anywhere(form: str) -> None:
    """A secret of the configuration is hidden wherever it turns up, in each form it may have."""
    assert Redactor([CANARY]).text(f"oops {form} oops") == "oops *** oops"


def test_the_password_of_a_secret_url_is_a_secret() -> None:
    """Who names a whole URL as a secret means its password too."""
    redactor = Redactor(["redis://user:p%40ss-word@broker:6379/0"])

    assert redactor.text("wrong password p@ss-word") == "wrong password ***"


def test_values_under_telling_keys_are_hidden() -> None:
    """Nested ones too; what is not text under such a key is a setting, not a secret."""
    event = {"outer": [{"api_key": "k", "token_count": 3, "password": None}], "secret": "x"}

    assert Redactor()(event) == {"outer": [{"api_key": "***", "token_count": 3, "password": None}], "secret": "***"}


def test_ordinary_words_stay() -> None:
    """Sentences about tokens, ports and addresses stay readable."""
    text = "api.token_file: no such file; flower.token: use a longer one; http://flower:5555/api answered 401"

    assert Redactor(["abc"]).text(text) == text


def test_earlier_secrets_stay_hidden() -> None:
    """A rotated token may still stand in somebody's text."""
    redactor = Redactor(["first-secret"])
    redactor.learn(["second-secret"])

    assert redactor.text("first-secret second-secret") == "*** ***"


def test_foreign_objects_are_shown_by_repr_without_secrets() -> None:
    """An exception or a model in an event can carry a secret in its repr."""
    assert "hunter22" not in str(Redactor(["hunter22"])({"error": ValueError("bad hunter22")}))


def test_endless_values_are_cut() -> None:
    """Length and depth are bounded; the end of a text stays, because a traceback says most there."""
    deep: dict = {}
    for _ in range(100):
        deep = {"in": deep}

    told = Redactor()({"text": "a" * 100_000 + "the end", "deep": deep})

    assert len(told["text"]) < LONGEST_TEXT
    assert told["text"].endswith("the end")
    assert str(told["deep"]).count("in") < 10


@pytest.mark.parametrize("part", ["a", "http://", "a.b-", "://a:", "token=", "bearer "])
def test_no_text_is_slow(part: str) -> None:
    """Patterns search in time that grows with the text, not with its square."""
    began = time.perf_counter()
    Redactor(["some-secret"]).text(part * (200_000 // len(part)))

    assert time.perf_counter() - began < 2.0
