"""Laws that hold for any file whatever: nothing but ConfigError is raised, and no secret is ever in a problem."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from config_desk import SMALLEST
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscaler.config.load import load
from autoscaler.config.units import duration_text, seconds, size, size_text
from autoscaler.errors import ConfigError

SAMPLE = (Path(__file__).parents[2] / "config.yaml").read_text()
SECRET = "zq7-canary-secret"
WORDS = ["{", "}", "[", "]", ":", ": ", "- ", "\n", "  ", "&a ", "*a", "<<: ", "!x ", "|", "'", '"', "#", "$", "${A}", "${", "~", "9" * 400]
KEYS = ["flower", "pools", "a", "worker", "brokers", "replicas", "min", "queues", "environment", "url", "url_file", "api", "token_file"]

anything = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def loads_or_refuses(folder: Path, content: bytes) -> str:
    """Load; the text of the refusal, or of the settings."""
    path = folder / "config.yaml"
    path.write_bytes(content)
    try:
        return repr(load(path, {"A": SECRET}))
    except ConfigError as error:
        return "\n".join(problem.located("config.yaml") for problem in error.problems)


@anything
@given(st.binary(max_size=200))
def test_bytes_never_crash_the_loader(tmp_path: Path, content: bytes) -> None:
    """Any bytes are settings or a ConfigError."""
    loads_or_refuses(tmp_path, content)


@anything
@given(st.lists(st.sampled_from(WORDS + KEYS), max_size=30))
def test_yaml_of_any_shape_never_crashes_the_loader(tmp_path: Path, words: list[str]) -> None:
    """Any text made of YAML's own signs and of our keys is settings or a ConfigError, and shows no variable."""
    assert SECRET not in loads_or_refuses(tmp_path, "".join(words).encode())


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["", "${A}", "x${A}y", "auto", "1s"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@anything
@given(st.data())
def test_a_sample_with_one_wrong_value_never_crashes_the_loader(tmp_path: Path, data: st.DataObject) -> None:
    """The sample with any value at any key is settings or a ConfigError, and shows no variable that is no plain setting."""
    import json

    import yaml

    whole = yaml.safe_load(SAMPLE)
    part = whole
    while True:
        key = data.draw(st.sampled_from(sorted(part, key=str)))
        if not isinstance(part[key], dict) or data.draw(st.integers(0, 3)) == 0:
            break
        part = part[key]
    part[key] = data.draw(values)

    told = loads_or_refuses(tmp_path, json.dumps(whole, allow_nan=True).encode(errors="replace"))

    assert told.startswith("Settings(") or SECRET not in told


@pytest.mark.parametrize("cut", range(0, len(SAMPLE), 97))
def test_a_half_written_sample_is_settings_or_refused(tmp_path: Path, cut: int) -> None:
    """Wherever an editor was interrupted, the loader answers."""
    loads_or_refuses(tmp_path, SAMPLE[:cut].encode())


def test_a_file_full_of_mistakes_is_refused_in_time(tmp_path: Path) -> None:
    """Nine thousand mistakes take little time, and the first hundred of them are enough to tell."""
    pools = "".join(f"  p{n}: {{queues: [q{n}], replicas: {{max: a{n}}}, wrker: {{image: x}}}}\n" for n in range(3000))

    started = time.perf_counter()
    told = loads_or_refuses(tmp_path, f"flower: {{url: http://f}}\npools:\n{pools}".encode())

    assert len(told.split("\n")) == 100
    assert time.perf_counter() - started < 5


@given(st.integers(0, 10**9))
def test_durations_read_back_as_they_are_shown(milliseconds: int) -> None:
    """What the diff and the reference show could be written in the file."""
    assert seconds(duration_text(milliseconds / 1000)) == pytest.approx(milliseconds / 1000, abs=0.0011)


@given(st.integers(0, 1 << 50))
def test_sizes_read_back_as_they_are_shown(size_in_bytes: int) -> None:
    """The same for sizes, to the byte."""
    assert size(size_text(size_in_bytes)) == size_in_bytes


def test_the_smallest_file_passes_these_laws(tmp_path: Path) -> None:
    """The laws are not kept by refusing everything."""
    assert loads_or_refuses(tmp_path, SMALLEST.encode()).startswith("Settings(version=1")
