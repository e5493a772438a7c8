"""`autoscaler simulate` as an operator and as a program see it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autoscaler.cli.commands import cli
from autoscaler.sim.rivals.catalog import CATALOG

CONFIG = """
interval: 1s
flower: {url: http://flower:5555}
max_replicas: 50
pools:
  mail:
    queues: [mail, mail-low]
    target_wait: 10s
    replicas: {max: 20}
    slots: 2
    worker: {image: w, command: celery -A app worker}
  office:
    queues: [office]
    backlog_per_replica: 3
    replicas: {max: 5}
    schedules: [{cron: "0 8 * * 1-5", duration: 1h, min: 2}]
    worker: {image: w, command: celery -A app worker}
"""
KEYS = [
    "policy", "tasks", "done", "interrupted", "wait_mean_s", "wait_p50_s", "wait_p95_s", "wait_p99_s", "wait_max_s", "slo_target_s",
    "slo_met", "worker_seconds", "busy_ratio", "starts", "reversals", "peak", "broker_commands",
]  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A configuration and a trace of a small burst."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "t.csv").write_text("arrival_s,runtime_s\n" + "".join(f"{i / 5},{2 + i % 7}\n" for i in range(300)))
    return tmp_path


def ask(desk: Path, *arguments: str, pool: str = "mail") -> Result:
    """Run the command on this desk."""
    given = ["simulate", "-c", str(desk / "config.yaml"), "--pool", pool, "--trace", str(desk / "t.csv"), *arguments]
    return CliRunner().invoke(cli, given)


def test_json_is_exactly_this(desk):
    """Our policy first, then the bounds, each with the same keys in the same order."""
    answer = json.loads(ask(desk, "--format", "json").stdout)
    assert list(answer) == ["trace", "pool", "results"]
    assert (answer["trace"], answer["pool"]) == (str(desk / "t.csv"), "mail")
    names = ["autoscaler", "clairvoyant_zero_wait", "clairvoyant_slo", "work_only"]
    assert [row["policy"] for row in answer["results"]] == names
    assert [list(row) for row in answer["results"]] == [KEYS] * 4
    ours, zero_wait, in_target, work = answer["results"]
    assert (ours["tasks"], ours["done"], ours["interrupted"], ours["slo_target_s"]) == (300, 300, 0, 10.0)
    assert ours["wait_max_s"] <= 11.0
    assert work["worker_seconds"] < in_target["worker_seconds"] < zero_wait["worker_seconds"] < 2 * ours["worker_seconds"]


def test_same_seed_same_bytes(desk):
    """And another seed is another day, when boots are left to chance."""
    first, again, other = (ask(desk, "--boot-spread", "1", "--seed", seed, "--format", "json").stdout for seed in ("4", "4", "5"))
    assert first == again != other


def test_rivals_come_after_the_bounds(desk):
    """With the same keys; the text says who is better."""
    results = json.loads(ask(desk, "--rivals", "--format", "json").stdout)["results"]
    assert [row["policy"] for row in results[4:]] == list(CATALOG)
    assert [list(row) for row in results] == [KEYS] * len(results)
    said = ask(desk, "--rivals").stdout
    assert "keda_tuned+drain" in said
    assert f"{len(CATALOG)} rivals: " in said
    assert all(len(line) <= 80 for line in said.splitlines())


def test_plot_is_written_whole(desk):
    """The file holds the drawing; where it cannot be written that is said before anything is simulated."""
    drawing = desk / "out.svg"
    assert ask(desk, "--plot", str(drawing)).exit_code == 0
    assert drawing.read_text().startswith("<svg ")
    assert drawing.read_text().endswith("</svg>\n")
    answer = ask(desk, "--plot", str(desk / "none" / "out.svg"))
    assert answer.exit_code == 2
    assert "none" in answer.stderr


def test_text_is_for_people(desk):
    """A table, two rows of blocks and a sentence; it fits a terminal of eighty columns."""
    said = ask(desk).stdout
    assert "clairvoyant_zero_wait" in said
    assert "300 of 300 tasks done, none interrupted" in said
    assert all(len(line) <= 80 for line in said.splitlines())
    assert len(said.splitlines()) <= 10


@pytest.mark.parametrize(
    ("before", "after", "maximum"),
    [
        ("replicas: {max: 20}", "replicas: {max: 4}", "replicas.max is 4"),
        ("max_replicas: 50", "max_replicas: 4", "max_replicas is 4 over all pools"),
    ],
)
def test_the_maximum_that_makes_tasks_wait_is_named(desk, before, after, maximum):
    """No rule wanted them to wait: which number to raise, and for how long it mattered."""
    assert "kept from" not in ask(desk).stdout

    (desk / "config.yaml").write_text(CONFIG.replace(before, after))
    (line,) = [line for line in ask(desk).stdout.splitlines() if line.startswith("kept from more workers for ")]

    assert line.endswith(f" s: {maximum}")
    assert 60 < int(line.split()[5]) < 300


def test_schedules_hold_in_the_simulated_week(desk):
    """A trace begins on a Monday at midnight UTC: at eight the pool has its two replicas, and at nine it has not."""
    (desk / "t.csv").write_text(f"0,1\n{9.5 * 3600},1\n")
    ours = json.loads(ask(desk, "--format", "json", pool="office").stdout)["results"][0]
    assert ours["peak"] == 2
    assert 7200 < ours["worker_seconds"] < 7300


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--pool", "nail"), 2, "'nail' is no pool of"),
        (("--boot", "3"), 2, "a duration needs a unit: write 3s or 3m"),
        (("--boot-spread", "2"), 2, "--boot-spread"),
        (("--trace", "none.csv"), 1, "failed: none.csv: cannot be read"),
    ],
)
def test_mistakes_are_told(desk, arguments, code, message):
    """In the operator's words, with the agreed exit code."""
    answer = ask(desk, *arguments)
    assert answer.exit_code == code
    assert message in answer.stderr
