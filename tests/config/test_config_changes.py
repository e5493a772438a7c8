"""Looking at the file on every tick: what is seen, what is kept, what is told, and how often."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from config_desk import SMALLEST, Desk

from autoscaler.config.changes import ConfigFile, diff
from autoscaler.errors import ConfigError

MORE = SMALLEST.replace("max: 4", "max: 6")


def open_at(desk: Desk, text: str = SMALLEST) -> ConfigFile:
    return ConfigFile(desk.write(text), {})


def test_nothing_new_is_nothing_to_tell(desk: Desk) -> None:
    """A look at an unchanged file gives the same settings and no news."""
    file = open_at(desk)

    change = file.refresh()

    assert (change.changed, change.news, change.problems, change.diff) == (False, False, (), ())
    assert change.settings is file.settings


def rename_over(desk: Desk) -> None:
    desk.file("new.yaml", MORE).replace(desk.path)


def write_in_place(desk: Desk) -> None:
    desk.path.write_text(MORE)


def write_in_place_keeping_the_time(desk: Desk) -> None:
    before = desk.path.stat()
    desk.path.write_text(MORE)
    os.utime(desk.path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("edit", [rename_over, write_in_place, write_in_place_keeping_the_time])
def test_every_way_to_edit_is_seen(desk: Desk, edit: object) -> None:
    """However the content changes, the next look has it, whole."""
    file = open_at(desk)

    assert callable(edit)
    edit(desk)
    change = file.refresh()

    assert (change.changed, change.news) == (True, True)
    assert change.settings.pools["a"].replicas.max == 6
    assert change.diff == ("pools.a.replicas.max: 4 -> 6",)
    assert file.refresh().changed is False


def test_a_swapped_symlink_is_seen(tmp_path: Path) -> None:
    """A mounted ConfigMap changes by a symlink of its folder; that is seen."""
    for name, text in (("one", SMALLEST), ("two", MORE)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(text)
    (tmp_path / "data").symlink_to("one")
    (tmp_path / "config.yaml").symlink_to("data/config.yaml")
    file = ConfigFile(tmp_path / "config.yaml", {})

    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").replace(tmp_path / "data")

    assert file.refresh().settings.pools["a"].replicas.max == 6


@pytest.mark.parametrize(
    "content",
    ["", SMALLEST[:-5], SMALLEST + "interval: [", SMALLEST.replace("max", "maximum"), "\x00"],
    ids=["empty", "cut", "open", "key", "NUL"],
)
def test_an_invalid_edit_changes_nothing(desk: Desk, content: str) -> None:
    """A half-written or wrong file leaves the old settings in force and is told once, with its problems."""
    file = open_at(desk)
    before = file.settings

    desk.write(content)
    first, second = file.refresh(), file.refresh()

    assert first.settings is before
    assert (first.changed, first.news) == (False, True)
    assert first.problems
    assert all(problem.startswith(str(desk.path)) for problem in first.problems)
    assert (second.news, second.problems) == (False, first.problems)


def test_each_new_mistake_is_news(desk: Desk) -> None:
    """Another wrong content is told again, even when its mistake reads the same."""
    file = open_at(desk)

    news = []
    for content in ("interval: 1", "interval: 1 # again", "interval: 1 # again"):
        desk.write(SMALLEST + content)
        news.append(file.refresh().news)

    assert news == [True, True, False]


def test_mending_a_mistake_is_news(desk: Desk) -> None:
    """Back at the old content nothing changes, and that the problem is gone is told."""
    file = open_at(desk)
    desk.write("oops: 1")
    file.refresh()

    desk.write(SMALLEST)
    change = file.refresh()

    assert (change.changed, change.news, change.problems) == (False, True, ())


def test_a_deleted_file_leaves_the_last_good_one(desk: Desk) -> None:
    """Without a file the daemon goes on, says so once, and takes the file up again when it is back."""
    file = open_at(desk)

    desk.path.unlink()
    gone, still = file.refresh(), file.refresh()
    desk.write(MORE)
    back = file.refresh()

    assert gone.problems == (f"{desk.path}: cannot read the file: No such file or directory; the last good configuration stays in force",)
    assert (gone.news, still.news) == (True, False)
    assert (back.changed, back.problems) == (True, ())


def test_a_folder_in_place_of_the_file_leaves_the_last_good_one(desk: Desk) -> None:
    """What an engine makes of a mount whose file is missing on the host: told like any mistake, and no descriptor is lost."""
    file = open_at(desk)
    desk.path.unlink()
    desk.path.mkdir()
    before = len(os.listdir("/proc/self/fd"))

    looks = [file.refresh() for _ in range(3)]

    assert "cannot read the file: it is a folder" in looks[0].problems[0]
    assert [look.news for look in looks] == [True, False, False]
    assert looks[2].settings.pools["a"].replicas.max == 4
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_daemon_does_not_start_on_a_mistake(desk: Desk) -> None:
    """The first look has no old settings to keep: it raises."""
    with pytest.raises(ConfigError, match=r"config\.yaml:1:1: oops: unknown key"):
        open_at(desk, "oops: 1")


def test_a_rotated_secret_is_a_change(desk: Desk) -> None:
    """The configuration is the same, what it names is not: the new secret is in force, masked in the diff."""
    desk.file("pw", "old-password")
    file = open_at(desk, SMALLEST.replace("http://flower:5555", "http://f, username: u, password_file: pw"))

    desk.file("pw", "new-password")
    change = file.refresh()

    assert change.changed
    assert change.settings.flower.password is not None
    assert change.settings.flower.password.get_secret_value() == "new-password"
    assert change.diff == ("flower.password: changed",)


def test_a_missing_secret_that_appears_is_taken_up(desk: Desk) -> None:
    """A file that was refused for a missing secret comes into force when the secret is there, without another edit."""
    file = open_at(desk)
    desk.write(SMALLEST + "api: {token_file: token}\n")
    assert file.refresh().problems

    desk.file("token", "a-token")
    change = file.refresh()

    assert (change.changed, change.problems, len(change.settings.api.tokens)) == (True, (), 1)


def test_keys_that_need_a_restart_keep_their_old_value(desk: Desk) -> None:
    """What is built into the running daemon stays, is named, and the rest of the same edit is in force."""
    file = open_at(desk)

    desk.write(
        MORE + "instance: other\nstate: /elsewhere\nfleet: {type: process, host: tcp://x, timeout: 9s}\n"
        "api: {listen: '0.0.0.0:80'}\nlog: {level: debug, format: json}\n"
    )
    desk.path.write_text(desk.path.read_text().replace("image: x", "image: x, command: celery worker"))
    change = file.refresh()

    assert change.needs_restart == ("instance", "state", "fleet.type", "fleet.host", "api.listen", "log.format")
    assert (change.settings.instance, change.settings.state, change.settings.fleet.type) == ("autoscaler", "./state", "docker")
    assert change.settings.fleet.timeout == 9.0
    assert change.settings.log.level == "debug"
    assert change.settings.pools["a"].replicas.max == 6
    assert file.refresh().needs_restart == change.needs_restart


def test_taking_a_restart_key_back_clears_it(desk: Desk) -> None:
    """When the old value is written again, nothing waits any more, and that is told."""
    file = open_at(desk)
    desk.write(SMALLEST + "instance: other\n")
    file.refresh()

    desk.write(SMALLEST)
    change = file.refresh()

    assert (change.needs_restart, change.news) == ((), True)


def test_the_diff_names_every_kind_of_change(desk: Desk) -> None:
    """Pools, brokers, lists and units read as in the file; what may be secret is only said to have changed."""
    old = desk.load(SMALLEST.replace("image: x", "image: x, environment: {A: s3cret, B: b}") + "brokers: [{name: a, url: redis://:s3cret@h}]\n")
    new = desk.load(
        "flower: {url: http://f}\nbrokers: [{name: a, url: 'redis://:t0ken@h', budget: 10/day}, {name: b, url: redis://b}]\n"
        "pools:\n  a:\n    queues: [a, c]\n    replicas: {max: 4}\n    thresholds: {up: 5}\n    drain: {timeout: 90m}\n"
        "    scale_down: {max_step: none}\n"
        "    worker: {image: y, init: false, environment: {A: t0ken, C: c}, deploy: {resources: {limits: {memory: 512m}}}}\n"
        "  n: {queues: [n], replicas: {max: 1}, worker: {image: x}}\n"
    )

    assert diff(old, new) == (
        "flower.url: http://flower:5555 -> http://f",
        "brokers[0].url: changed",
        "brokers[0].budget: none -> 10/day",
        "brokers[1]: added",
        "pools.a.queues: [a] -> [a, c]",
        "pools.a.thresholds.up: added",
        "pools.a.thresholds.max_wait: added",
        "pools.a.thresholds.down: added",
        "pools.a.scale_down.max_step: 100% -> none",
        "pools.a.drain.timeout: 30m -> 1h30m",
        "pools.a.worker.image: x -> y",
        "pools.a.worker.environment.A: changed",
        "pools.a.worker.environment.B: removed",
        "pools.a.worker.environment.C: added",
        "pools.a.worker.init: true -> false",
        "pools.a.worker.deploy.resources.limits.memory: none -> 512m",
        "pools.n: added",
    )


def test_credentials_in_a_command_are_masked(desk: Desk) -> None:
    """An address in a command may hold a password: the diff shows the address without it."""
    old, new = (desk.load(SMALLEST.replace("image: x", f"image: x, command: 'celery -b redis://:{pw}@h worker'")) for pw in ("one", "two"))

    assert diff(old, new) == ("pools.a.worker.command: celery -b redis://***@h worker -> celery -b redis://***@h worker",)
