"""Every kind of mistake in the file: where it is said to be, what is wrong, what to write."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_desk import FLOWER, POOL, SMALLEST, Desk

from autoscaler.config.load import load
from autoscaler.errors import ConfigError

MANY_MISTAKES = """\
version: 1
interval: 2
flower:
  url: http://flower:5555
  timeout: soon
pools:
  browser:
    queues: browser
    replicas:
      min: 3
    slots: four
    thresholds: {up: 0, down: -1}
    scale_upp: {max_step: 2}
    drain: {on_timeout: kil}
    worker:
      image: app
      restart: always
      volumes: [/var/run/docker.sock:/var/run/docker.sock]
  mail:
    queues: [mail]
    queues: [post]
    replicas: 5
    worker: {image: app, command: "sh -c 'celery -A app worker'"}
  post:
    queues: [post, letters]
    replicas: {max: 2}
    worker: {image: app, command: "sh -c 'celery -A app worker'"}
"""


def test_all_mistakes_are_told_at_once(desk: Desk) -> None:
    """One run tells every mistake, in the order of the file, each with its line, column, key and cure."""
    assert desk.problems(MANY_MISTAKES) == [
        "2:11: interval: a duration needs a unit: write 2s or 2m",
        "5:12: flower.timeout: 'soon' is not a duration: write it like 30s, 5m or 1h30m",
        "8:13: pools.browser.queues: needs a list: write queues: [default]",
        "9:5: pools.browser.replicas.max: is missing: add max: 10",
        "11:12: pools.browser.slots: 'four' is not a whole number: write one like 4",
        "12:31: pools.browser.thresholds.down: must be at least 0: write down: 0",
        "13:5: pools.browser.scale_upp: unknown key - did you mean 'scale_up'?",
        "14:25: pools.browser.drain.on_timeout: 'kil' is not possible here: write wait or kill - did you mean 'kill'?",
        "17:7: pools.browser.worker.restart: unknown key - the autoscaler replaces workers that end",
        "21:5: pools.mail.queues: given twice, first in line 20: keep one of them",
        "22:15: pools.mail.replicas: needs a mapping: write replicas: {max: 10}",
        "27:35: pools.post.worker.command: a shell stands in front of the worker and takes the stop signal, so the running task is lost:"
        " write the command without sh -c, or let the script end with exec celery ...",
    ]


def test_the_file_is_named_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A problem begins with the path that the operator typed, so that terminals and editors can open it."""
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text("flower: {url: http://f}\npools:\n  a: {" + POOL + "}\n  b:\n    scale_upp: {}\n")

    with pytest.raises(ConfigError) as caught:
        load(Path("config.yaml"), {})

    assert "config.yaml:5:5: pools.b.scale_upp: unknown key - did you mean 'scale_up'?" in str(caught.value).split("\n")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("pools: {a: {" + POOL + "}}\n", "1:1: flower: is missing: add flower: {url: http://flower:5555}", id="no flower"),
        pytest.param("flower: {}\npools: {a: {" + POOL + "}}\n", "1:1: flower.url: is missing: add url: http://flower:5555", id="no url"),
        pytest.param(
            FLOWER + "pools:\n", "2:1: pools: is empty: add pools: {default: {queues: [default], replicas: {max: 10}, "
            "worker: {image: registry.example.com/app:1.4}}}", id="pools commented out"
        ),
        pytest.param(
            FLOWER + "pools: {}\n", "2:1: pools: must not be empty: write pools: {default: {queues: [default], replicas: {max: 10}, "
            "worker: {image: registry.example.com/app:1.4}}}", id="no pools"
        ),
        pytest.param(
            FLOWER + "pools:\n  a:\n    replicas: {max: 1}\n    worker: {image: x}\n",
            "3:3: pools.a.queues: is missing: add queues: [default]", id="the mapping that lacks a key is pointed at",
        ),
        pytest.param(
            FLOWER + "pools:\n  a: {queues: [a], replicas: {max: 1}}\n",
            "3:3: pools.a.worker: is missing: add worker: {image: registry.example.com/app:1.4}", id="no worker",
        ),
        pytest.param(
            FLOWER + "pools:\n  a: {queues: [a], replicas: {max: }, worker: {image: x}}\n",
            "3:31: pools.a.replicas.max: is empty: add max: 10", id="an empty required value",
        ),
        pytest.param(
            FLOWER + "pools:\n  My Pool: {" + POOL + "}\n",
            "3:3: pools.My Pool: 'My Pool' cannot be a name: use a-z, 0-9, - and _, at most 40 characters, starting with a letter or digit",
            id="pool name",
        ),
        pytest.param(SMALLEST + "version: 2\n", "3:10: version: '2' is not possible here: write 1", id="version"),
        pytest.param(SMALLEST + "dry_run: yes\n", "3:10: dry_run: 'yes' is neither true nor false: write true or false", id="yes"),
        pytest.param(SMALLEST + "max_replicas: -1\n", "3:15: max_replicas: must be at least 0: write max_replicas: 20", id="negative"),
        pytest.param(SMALLEST + "max_replicas: 1e3\n", "3:15: max_replicas: '1e3' is not a whole number: write one like 4", id="1e3"),
        pytest.param(SMALLEST + "interval: 10m\n", "3:11: interval: 10m is out of bounds: write something from 100ms to 5m", id="bounds"),
        pytest.param(SMALLEST + "interval: [2s]\n", "3:1: interval: a list is not a duration: write it like 30s, 5m or 1h30m", id="list"),
        pytest.param(
            SMALLEST + "metrics_port: 1\n",
            "3:1: metrics_port: unknown key - it belongs at pools.<pool>.worker.metrics_port", id="a key in the wrong place",
        ),
        pytest.param(SMALLEST + "concurrency: 1\n", "3:1: concurrency: unknown key - write slots", id="foreign word"),
        pytest.param(SMALLEST + "zzz: 1\n", "3:1: zzz: unknown key", id="nobody can guess"),
        pytest.param(SMALLEST + "hash: abc\n", "3:1: hash: unknown key", id="what the loader sets"),
        pytest.param(
            SMALLEST + "api: {tokens: [abc]}\n",
            "3:7: api.tokens: unknown key - tokens never stand in the file: write token_file", id="tokens",
        ),
        pytest.param(
            SMALLEST + "api: {listen: 8090}\n",
            "3:15: api.listen: '8090' is not host:port: write it like 127.0.0.1:8090, or 0.0.0.0:8090 for every interface", id="listen",
        ),
        pytest.param(
            SMALLEST + "brokers: [{name: b}]\n",
            "3:11: brokers[0].url: is missing: add url: redis://redis:6379/0", id="a broker without address",
        ),
        pytest.param(
            SMALLEST + "brokers: [{name: b, url: localhost}]\n",
            "3:26: brokers[0].url: is not an address of one broker: write it like redis://redis:6379/0, with rediss:// for TLS",
            id="broker url",
        ),
        pytest.param(
            SMALLEST + "brokers: [{name: b, url: redis://r, budget: lots}]\n",
            "3:45: brokers[0].budget: 'lots' is not a budget: write it like 500000/month or 10000/day", id="budget",
        ),
        pytest.param(
            SMALLEST + "brokers: [oops]\n",
            "3:11: brokers[0]: needs a mapping: write {name: primary, url: redis://redis:6379/0}", id="a broker that is text",
        ),
    ],
)
def test_a_mistake_is_located_and_explained(desk: Desk, text: str, problem: str) -> None:
    """Each kind of mistake gives exactly one problem, at its place and in plain words."""
    assert desk.problems(text) == [problem]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        pytest.param("flower:5555", "is not an address of Flower", id="no scheme"),
        pytest.param("ftp://flower", "is not an address of Flower", id="other scheme"),
        pytest.param("http://", "is not an address of Flower", id="no host"),
        pytest.param("http://flower:port", "is not an address of Flower", id="no port"),
        pytest.param("http://[::1", "is not an address of Flower", id="broken brackets"),
        pytest.param("http://flower/?x=1", "leave out everything from ? or #", id="query"),
        pytest.param("http://flower/#x", "leave out everything from ? or #", id="fragment"),
    ],
)
def test_an_address_of_flower_is_checked(desk: Desk, url: str, problem: str) -> None:
    """What is no http address, or carries a query, is refused."""
    (found,) = desk.problems(SMALLEST.replace("http://flower:5555", f'"{url}"'))

    assert found.startswith("1:15: flower.url: ")
    assert problem in found


def test_credentials_leave_the_address_of_flower(desk: Desk) -> None:
    """User and password are taken out of the url, decoded, and never kept in it."""
    flower = desk.load(SMALLEST.replace("http://flower:5555", "http://me:p%40ss@flower:5555/tools/")).flower

    assert (flower.url, flower.username) == ("http://flower:5555/tools", "me")
    assert flower.password is not None
    assert flower.password.get_secret_value() == "p@ss"


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param("url: http://u:p@f, username: v, password: q", id="twice"),
        pytest.param("url: http://f, username: v", id="no password"),
        pytest.param("url: http://f, password: q", id="no username"),
        pytest.param("url: http://f, username: v, password: q, token: t", id="both ways"),
        pytest.param("url: http://u@f", id="no password in the url"),
    ],
)
def test_half_or_double_credentials_are_refused(desk: Desk, keys: str) -> None:
    """One whole way to log in, or none."""
    (found,) = desk.problems("flower: {" + keys + "}\npools: {a: {" + POOL + "}}\n")

    assert found.startswith("1:1: flower: ")


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        pytest.param(
            "thresholds: {up: 1}, target_wait: 10s",
            "pools.a: thresholds and target_wait are different ways to size a pool: keep one of them", id="two ways",
        ),
        pytest.param(
            'schedules: [{cron: "0 25 * * *", duration: 1h, min: 1}]',
            "pools.a.schedules[0].cron: '0 25 * * *' is not a cron line: write it like \"0 8 * * 1-5\" (minute hour day month weekday)",
            id="cron",
        ),
        pytest.param(
            'schedules: [{cron: "0 8 30 2 *", duration: 1h, min: 1}]',
            "pools.a.schedules[0].cron: '0 8 30 2 *' is not a cron line: write it like \"0 8 * * 1-5\" (minute hour day month weekday)",
            id="a day that never comes",
        ),
        pytest.param(
            'schedules: [{cron: "0 8 * * *", duration: 1h, min: 1, timezone: Europe/Belin}]',
            "pools.a.schedules[0].timezone: 'Europe/Belin' is not a time zone: write it like Europe/Berlin or UTC", id="time zone",
        ),
        pytest.param('schedules: [{cron: "0 8 * * *", duration: 1h}]', "pools.a.schedules[0]: changes nothing: add min or max", id="idle"),
        pytest.param(
            "scale_up: {max_step: 0}",
            "pools.a.scale_up.max_step: '0' is not a step: write a number of workers like 2, a share like 100%, or none", id="step",
        ),
        pytest.param(
            "scale_up: {max_step: 2, period: 31m}",
            "pools.a.scale_up.period: 31m is out of bounds: write something from 0s to 30m", id="period",
        ),
    ],
)
def test_a_pool_is_checked(desk: Desk, keys: str, problem: str) -> None:
    """Sizing, schedules and steps that cannot be meant are refused."""
    assert desk.pool(keys) == [problem]


def test_min_above_max_is_refused(desk: Desk) -> None:
    """Bounds that contradict each other are told at the key that holds both."""
    text = FLOWER + "pools:\n  a:\n    replicas: {min: 5, max: 4}\n    queues: [a]\n    worker: {image: x}\n"

    assert desk.problems(text) == ["4:5: pools.a.replicas: min (5) is greater than max (4): lower min or raise max"]


def test_the_smallest_file_is_enough(desk: Desk) -> None:
    """Everything but Flower's address, queues, the maximum and the image has a default."""
    settings = desk.load(SMALLEST)

    assert settings.interval == 2.0
    assert settings.pools["a"].policy("a", now=0.0).scale_down.max_step_percent == 100.0
    assert settings.home_broker is None


def test_a_step_and_its_period_reach_the_policy(desk: Desk) -> None:
    """Two workers a minute, in the policy's words."""
    settings = desk.load(FLOWER + "pools: {a: {" + POOL + ", scale_up: {max_step: 2, period: 1m}}}\n")
    damping = settings.pools["a"].policy("a", now=0.0).scale_up

    assert (2, 60.0) == (damping.max_step, damping.period_seconds)


def test_the_hash_is_that_of_the_file(desk: Desk) -> None:
    """Twelve hex digits of the SHA-256 of the content, so that a person can compare with sha256sum."""
    assert desk.load("#\n" + SMALLEST).hash != desk.load(SMALLEST).hash
    assert len(desk.load(SMALLEST).hash) == 12


def test_values_keep_the_text_that_was_written(desk: Desk) -> None:
    """Where text is wanted, nothing is lost to a guess at its type: zeros, colons, dates and `on` stay."""
    written = {"VERSION": "1.10", "ZIP": "01234", "WHEN": "22:30", "DAY": "2026-01-01", "SWITCH": "on", "BIG": "1e3", "YES": "true"}
    lines = ", ".join(f"{key}: {value}" for key, value in written.items())

    settings = desk.load(SMALLEST.replace("image: x", f"image: x, user: 010, environment: {{{lines}}}"))

    assert settings.pools["a"].worker.environment == written
    assert settings.pools["a"].worker.user == "010"


def test_a_broken_file_is_no_reason_to_crash(tmp_path: Path) -> None:
    """A missing file is a configuration error like any other."""
    with pytest.raises(ConfigError, match="cannot read the file: No such file or directory"):
        load(tmp_path / "config.yaml", {})


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    """A named pipe would block for ever; it is refused at once."""
    import os

    os.mkfifo(tmp_path / "config.yaml")

    with pytest.raises(ConfigError, match="not a regular file"):
        load(tmp_path / "config.yaml", {})
