"""The schema, the reference and the sample: current, complete, and true to what the loader does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from config_desk import FLOWER, SMALLEST, Desk

from autoscaler.config.advice import warnings
from autoscaler.config.in_force import NOT_YET, not_in_force
from autoscaler.config.keys import Key, all_keys
from autoscaler.config.load import load
from autoscaler.config.reference import reference, schema_text
from autoscaler.config.schema import schema
from autoscaler.config.translate import example

ROOT = Path(__file__).parents[2]
REGENERATE = "run: python -m autoscaler.config.reference"


@cache
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema())


def keys_in(node: dict[str, Any], whole: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Every key that a schema allows, read off the schema alone."""
    for name, value in node["properties"].items():
        yield prefix + name
        for branch in value.get("anyOf", [value]):
            inner = "[]" if "items" in branch else ".<pool>" if "additionalProperties" in branch and name == "pools" else ""
            target = branch.get("items") or (branch.get("additionalProperties") if inner == ".<pool>" else branch) or {}
            if "$ref" in target:
                yield from keys_in(whole["$defs"][target["$ref"].rpartition("/")[2]], whole, f"{prefix}{name}{inner}.")


def test_the_committed_schema_is_current() -> None:
    """Editors complete what the loader accepts."""
    assert (ROOT / "config.schema.json").read_text() == schema_text(), REGENERATE


def test_the_committed_reference_is_current() -> None:
    """The page in the docs is what the models say."""
    assert (ROOT / "docs" / "configuration.md").read_text() == reference(), REGENERATE


def test_every_key_has_one_heading_and_every_heading_a_key() -> None:
    """Nothing is undocumented, and nothing is documented that does not exist."""
    headings = re.findall(r"^## `(.+)`$", (ROOT / "docs" / "configuration.md").read_text(), re.MULTILINE)

    assert headings == list(keys_in(schema(), schema()))
    assert set(NOT_YET) <= set(headings)


def test_every_key_has_a_meaning() -> None:
    """Each key is explained in whole sentences."""
    assert [key.path for key in all_keys() if not (key.field.description or "").endswith((".", ")"))] == []


def test_the_schema_is_a_schema() -> None:
    """It is valid by the rules of JSON Schema itself and holds nothing internal."""
    jsonschema.Draft202012Validator.check_schema(schema())

    assert "tokens" not in schema()["$defs"]["ApiSettings"]["properties"]
    assert "hash" not in schema()["properties"]


def test_the_sample_is_valid_and_loads() -> None:
    """The file that everybody starts from fits the schema, loads without an environment, and gives nothing to warn of."""
    errors = [error.message for error in validator().iter_errors(yaml.safe_load((ROOT / "config.yaml").read_text()))]
    settings = load(ROOT / "config.yaml", {})

    assert errors == []
    assert warnings(settings) == ()
    assert not_in_force(settings) == ()
    assert settings.home_broker is not None


@pytest.mark.parametrize("key", [key for key in all_keys() if key.path.count("[]") == 0], ids=lambda key: key.path)
def test_every_example_is_accepted(desk: Desk, key: Key) -> None:
    """What the reference shows and the errors suggest can be written as it is, and fits the schema."""
    desk.file("api_token", "something-long-enough\n")
    desk.file("worker.env", "KEY=value\n")
    text = as_file(key)

    desk.load(text, {"FLOWER_PASSWORD": "x", "FLOWER_TOKEN": "x", "REDIS_FALLBACK_ENABLED": "true"})

    assert [error.message for error in validator().iter_errors(yaml.safe_load(text))] == []


def as_file(key: Key) -> str:
    """A whole file in which the key stands with its example, and all that it needs beside it."""
    steps = key.path.replace("<pool>", "a").split(".")
    whole: dict[str, Any] = yaml.safe_load(SMALLEST)
    part = whole
    for step in steps[:-1]:
        part = part.setdefault(step, {})
    part.update(yaml.safe_load(example(key)))
    for name in ("password_file", "token_file", "wake_token_file"):
        if name in part:
            part[name] = "api_token"
    if key.path in ("flower.username", "flower.password", "flower.password_file"):
        whole["flower"] |= {"username": "u"} | ({"password": "p"} if key.name == "username" else {})
    pool = whole["pools"].get("a", {})
    if "thresholds" not in key.path and key.name in ("privileged", "pid", "ipc", "network_mode"):
        pool["worker"]["allow_unsafe"] = True
    if key.name == "command":
        pool.update(queues=["default"], slots=4)
    if key.name == "environment":
        pool["queues"] = ["default"]
    return yaml.safe_dump(whole, sort_keys=False)


@pytest.mark.parametrize(
    "text",
    [
        SMALLEST + "interval: 2\n",
        SMALLEST + "interval: ''\n",
        SMALLEST + "unknown: 1\n",
        SMALLEST + "dry_run: perhaps\n",
        SMALLEST + "fleet: {type: kubernetes}\n",
        SMALLEST + "brokers: [{name: a}]\n",
        SMALLEST.replace("max: 4", "max: -1"),
        FLOWER,
    ],
)
def test_schema_and_loader_refuse_the_same(desk: Desk, text: str) -> None:
    """What an editor underlines, the loader refuses, too."""
    assert desk.problems(text)
    assert not validator().is_valid(yaml.safe_load(text))


def test_variables_may_stand_anywhere(desk: Desk) -> None:
    """A variable in place of a number, a truth value, a duration or a choice is no mistake in an editor."""
    text = SMALLEST.replace("max: 4", "max: '${N}'") + "interval: ${I}\ndry_run: ${D}\ndepth_from: ${F}\nx-mine: {a: [b]}\n"

    assert desk.load(text, {"N": "3", "I": "1s", "D": "true", "F": "auto"}).pools["a"].replicas.max == 3
    assert list(validator().iter_errors(yaml.safe_load(text))) == []


def test_the_smallest_file_of_the_reference_loads(desk: Desk) -> None:
    """What the page calls the smallest file that works does work."""
    block = re.search(r"```yaml\n(.*?)```", reference(), re.DOTALL)

    assert block is not None
    assert desk.load(block[1]).pools["default"].replicas.max == 10


def test_the_schema_is_small_enough_to_read() -> None:
    """It stays a file a person can scroll through."""
    assert len(json.dumps(schema())) < 60_000
