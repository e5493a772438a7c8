"""Variables in values: Compose's grammar, and that they can neither add structure nor show what they hold."""

from __future__ import annotations

import pytest
from config_desk import SMALLEST, Desk

from autoscaler.config.interpolate import Unfilled, fill

ENV = {"FULL": "yes", "EMPTY": "", "PORT": "6379"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("${FULL}", "yes"),
        ("$FULL", "yes"),
        ("a${FULL}b$PORT/c", "ayesb6379/c"),
        ("${EMPTY}", ""),
        ("${FULL:-d}", "yes"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${UNSET:-d}", "d"),
        ("${UNSET-d}", "d"),
        ("${UNSET:-}", ""),
        ("${UNSET:-${PORT}}", "6379"),
        ("${UNSET:-${ALSO:-${PORT}0}}", "63790"),
        ("${UNSET:-redis://h:${PORT}/0}", "redis://h:6379/0"),
        ("${FULL:?must be set}", "yes"),
        ("${EMPTY?must be set}", ""),
        ("${FULL:+other}", "other"),
        ("${EMPTY:+other}", ""),
        ("${EMPTY+other}", "other"),
        ("$$FULL", "$FULL"),
        ("$${FULL}", "${FULL}"),
        ("100%$$", "100%$"),
        ("celery@{name}", "celery@{name}"),
    ],
)
def test_variables_are_filled_in_as_in_compose(text: str, value: str) -> None:
    """Every form of Compose's interpolation gives Compose's value."""
    assert fill(text, ENV) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${UNSET}", "variable UNSET is not set: write ${UNSET:-} if empty is meant"),
        ("pa$word", "variable word is not set: write ${word:-} if empty is meant; write $$ for a dollar sign"),
        ("${UNSET:?give me a port}", "variable UNSET is not set: give me a port"),
        ("${EMPTY:?}", "variable EMPTY is not set: set it in the environment"),
        ("${FULL", "a ${ is not closed: add }"),
        ("cost: 5$", "a single $ stands alone: write $$ for a dollar sign, or ${NAME} for a variable"),
        ("${}", "a single $ stands alone: write $$ for a dollar sign, or ${NAME} for a variable"),
        ("${FULL!x}", "after ${FULL comes something unknown: write ${FULL} or ${FULL:-default}"),
        ("${A:-" * 20 + "}" * 20, "variables are nested deeper than 10 levels"),
        ("${FULL}" * 30000, "longer than 65536 characters once its variables are filled in"),
    ],
)
def test_what_cannot_be_filled_in_is_explained(text: str, message: str) -> None:
    """An unset variable or a stray dollar sign says what to write instead."""
    with pytest.raises(Unfilled) as caught:
        fill(text, ENV)

    assert str(caught.value) == message


def test_the_key_decides_what_a_variable_is(desk: Desk) -> None:
    """After filling in, `${X:-false}` is a truth value and `${N}` a number, because of where they stand."""
    text = SMALLEST.replace("max: 4", "max: '${N}'") + "dry_run: ${DRY:-false}\ninterval: ${I:-5}s\nlog:\n  level: ${LEVEL}\n"

    settings = desk.load(text, {"N": "7", "LEVEL": "debug"})

    assert (settings.pools["a"].replicas.max, settings.dry_run, settings.interval, settings.log.level) == (7, False, 5.0, "debug")


@pytest.mark.parametrize("value", ["[a, b]", "{a: b}", "x\ny: 1", "a # b", "*a", "null", "true", "1e5", "00123", "- a", "'"])
def test_a_variable_is_text_whatever_it_holds(desk: Desk, value: str) -> None:
    """A variable never adds keys, lists or comments, and a password that looks like something else stays a password."""
    text = SMALLEST.replace("http://flower:5555", "http://f, username: u, password: $SECRET") + "state: ${SECRET}\n"

    settings = desk.load(text, {"SECRET": value})

    assert settings.state == value
    assert settings.flower.password is not None
    assert settings.flower.password.get_secret_value() == value


def test_an_unset_variable_is_told_once_and_in_place(desk: Desk) -> None:
    """The forgotten variable is the only problem, not also the empty value it would leave."""
    assert desk.problems("flower:\n  url: ${FLOWER_URL}\npools: {a: {queues: [a], replicas: {max: 1}, worker: {image: x}}}\n") == [
        "2:8: flower.url: variable FLOWER_URL is not set: write ${FLOWER_URL:-} if empty is meant"
    ]


def test_a_required_value_left_empty_by_a_variable_is_told(desk: Desk) -> None:
    """`${V:-}` may be empty, but not where something is needed."""
    assert desk.problems(SMALLEST.replace("http://flower:5555", '"${F:-}"')) == [
        "1:15: flower.url: is empty: add url: http://flower:5555"
    ]


def test_a_broker_without_an_address_is_off(desk: Desk) -> None:
    """An address that a variable left empty, or `enabled: false`, turns a broker off without an error."""
    settings = desk.load(
        SMALLEST + "brokers:\n  - {name: a, url: '${A:-}'}\n  - {name: b, url: redis://b, enabled: '${B:-false}'}\n  - {name: c, url: redis://c}\n"
    )

    assert settings.home_broker is not None
    assert settings.home_broker.name == "c"


def test_messages_show_the_variable_and_not_what_it_holds(desk: Desk) -> None:
    """A secret that lands at the wrong key is not printed, whole or in part."""
    secret = "hunter2-" * 8
    text = SMALLEST.replace("max: 4", "max: $S") + "interval: ${S}\ndepth_from: ${S}\ninstance: ${S}\nfleet: {host: '${S}'}\nstate: [$S]\n"

    problems = "\n".join(desk.problems(text, {"S": secret}))

    assert "hunter2" not in problems
    assert "interval: '${S}' is not a duration" in problems
