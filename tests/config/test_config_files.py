"""The files beside the configuration: secrets and the workers' environment."""

from __future__ import annotations

import pytest
from config_desk import FLOWER, SMALLEST, Desk

SECRET = "correct-horse-battery"
LOGIN = SMALLEST.replace("http://flower:5555", "http://f, username: u, password_file: pw")


def test_secrets_are_read_where_they_are_named(desk: Desk) -> None:
    """Passwords, tokens and addresses come out of their files, without the newline that editors add."""
    desk.file("pw", SECRET + "\n")
    desk.file("redis", "rediss://:pw@host:6379\r\n")
    desk.file("tokens", "first-token\n\n  second-token  \n")

    settings = desk.load(LOGIN + "brokers: [{name: a, url_file: redis}]\napi: {token_file: tokens}\n")

    assert settings.flower.password is not None
    assert settings.flower.password.get_secret_value() == SECRET
    assert settings.brokers[0].url.get_secret_value() == "rediss://:pw@host:6379"
    assert [token.secret.get_secret_value() for token in settings.api.tokens] == ["first-token", "second-token"]


def test_several_files_of_tokens_add_up(desk: Desk) -> None:
    """A list of token files holds the tokens of all of them, so that one can be rotated by itself."""
    desk.file("old", "old-token")
    desk.file("new", "new-token")

    tokens = desk.load(SMALLEST + "api: {token_file: [old, new]}\n").api.tokens

    assert [(token.name, token.secret.get_secret_value()) for token in tokens] == [("old", "old-token"), ("new", "new-token")]


def test_producers_have_tokens_of_their_own(desk: Desk) -> None:
    """What may only wake is kept apart from what may do everything."""
    desk.file("wake", "wake-token")

    api = desk.load(SMALLEST + "api: {wake_token_file: wake}\n").api

    assert [(token.name, token.secret.get_secret_value()) for token in api.wake_tokens] == [("wake", "wake-token")]
    assert api.tokens == ()


def test_only_one_newline_is_stripped(desk: Desk) -> None:
    """Spaces belong to a password; a second line does not."""
    desk.file("pw", "  two words \n")

    password = desk.load(LOGIN).flower.password

    assert password is not None
    assert password.get_secret_value() == "  two words "


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(None, "cannot read 'pw': No such file or directory", id="missing"),
        pytest.param(b"", "'pw' is empty: it must hold the password and nothing else", id="empty"),
        pytest.param(b"\n", "'pw' is empty: it must hold the password and nothing else", id="only a newline"),
        pytest.param(b"a\nb\n", "'pw' holds more than one line: it must hold the password and nothing else", id="two lines"),
        pytest.param(b"x" * 300_000, "cannot read 'pw': larger than 256 KiB", id="too large"),
        pytest.param(b"\xff\xfe", "cannot read 'pw': not UTF-8 text", id="binary"),
        pytest.param(b"a\x00b", "cannot read 'pw': not text: it contains a NUL byte", id="NUL"),
    ],
)
def test_a_secret_that_cannot_be_used_is_told(desk: Desk, content: bytes | None, problem: str) -> None:
    """The problem names the file and stands at the key that names it."""
    if content is not None:
        desk.file("pw", content)

    assert f"1:53: flower.password_file: {problem}" in desk.problems(LOGIN)


def test_a_secret_given_twice_is_refused(desk: Desk) -> None:
    """Nobody should have to know which of two wins."""
    desk.file("redis", "redis://b")

    assert desk.problems(SMALLEST + "brokers:\n- name: a\n  url: redis://a\n  url_file: redis\n") == [
        "6:13: brokers[0].url_file: url and url_file are both given: keep one of them"
    ]


def test_an_empty_file_of_tokens_is_refused(desk: Desk) -> None:
    """Somebody meant to protect the API: that must not fail silently."""
    desk.file("none", "\n\n")

    assert desk.problems(SMALLEST + "api: {token_file: [none, gone]}\n") == [
        "3:20: api.token_file[0]: 'none' is empty: write one token per line",
        "3:26: api.token_file[1]: cannot read 'gone': No such file or directory",
    ]


def test_a_broker_that_is_off_needs_no_file(desk: Desk) -> None:
    """The secret of a fallback that is switched off need not exist."""
    settings = desk.load(SMALLEST + "brokers: [{name: a, url_file: gone, enabled: false}]\n")

    assert settings.home_broker is None


def test_what_the_secret_holds_is_checked_without_showing_it(desk: Desk) -> None:
    """An address from a file that is none is refused, and not printed."""
    desk.file("redis", SECRET)

    (problem,) = desk.problems(SMALLEST + "brokers: [{name: a, url_file: redis}]\n")

    assert "brokers[0].url: is not an address of one broker" in problem
    assert SECRET not in problem


def test_env_files_are_folded_into_the_environment(desk: Desk) -> None:
    """The fleet reads no files: lines are in `environment`, which wins, and a later file wins over an earlier one."""
    desk.file("one.env", "# comment\n\nA=1\nexport B=2\nC='three words'\nD=a=b\n")
    desk.file("two.env", 'A=10\nE="5"\n')

    settings = desk.load(SMALLEST.replace("image: x", "image: x, env_file: [one.env, two.env], environment: {B: own}"))

    assert settings.pools["a"].worker.environment == {"A": "10", "B": "own", "C": "three words", "D": "a=b", "E": "5"}


def test_a_key_without_a_value_is_handed_through(desk: Desk) -> None:
    """As in Compose, `KEY` alone takes the autoscaler's own value, and is left out where there is none."""
    env = {"HERE": "value", "LISTED": "yes"}
    text = FLOWER + "pools:\n  a: {queues: [a], replicas: {max: 1}, worker: {image: x, environment: {HERE: , GONE: , EMPTY: ''}}}\n"
    text += "  b: {queues: [b], replicas: {max: 1}, worker: {image: x, environment: [LISTED, GONE, SET=1]}}\n"

    pools = desk.load(text, env).pools

    assert pools["a"].worker.environment == {"HERE": "value", "EMPTY": ""}
    assert pools["b"].worker.environment == {"LISTED": "yes", "SET": "1"}


def test_a_bad_env_file_is_told(desk: Desk) -> None:
    """A missing file and a line that is none are problems at the key that names the file."""
    desk.file("bad.env", "A=1\nnot a pair\n")

    assert desk.problems(SMALLEST.replace("image: x", "image: x, env_file: [bad.env, gone.env]")) == [
        "2:76: pools.a.worker.env_file[0]: 'bad.env' line 2 is not KEY=value",
        "2:85: pools.a.worker.env_file[1]: cannot read 'gone.env': No such file or directory",
    ]


def test_secrets_are_not_in_the_settings_text(desk: Desk) -> None:
    """Neither repr nor a JSON dump of the settings shows a password, a token, an address or a worker's environment."""
    desk.file("pw", SECRET)
    desk.file("redis", f"redis://:{SECRET}@host")
    desk.file("tokens", SECRET)
    desk.file("env", f"API_KEY={SECRET}")
    text = LOGIN.replace("image: x", "image: x, env_file: env, environment: {OTHER: $S}")

    settings = desk.load(text + "brokers: [{name: a, url_file: redis}]\napi: {token_file: tokens}\n", {"S": SECRET})

    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)
    assert SECRET not in settings.model_dump_json(exclude={"pools"})
    assert settings.pools["a"].worker.environment["API_KEY"] == SECRET
