"""`autoscaler replay` as an operator and as a program see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from lived import life
from small import a_pool

from autoscaler.cli.commands import cli
from autoscaler.report.journal import Journal
from autoscaler.sim.arrivals import trace_of

PAGE = (Path(__file__).parents[2] / "docs" / "replay-and-tune.md").read_text()
POOL = "{queues: [q], replicas: {max: 20}, worker: {image: w, command: celery -A app worker}"
CONFIG = f"""
interval: 1s
flower: {{url: http://flower:5555}}
max_replicas: 1000
state: STATE
pools:
  p: {POOL}}}
"""
FILE = """t_s,backlog,busy,ready,started,finished
0,0,0,1,0,0
2,4,1,1,1,0
4,2,1,1,3,2
6,0,1,1,5,4
8,0,0,1,5,5
"""


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a daemon kept of a pool `p` under thresholds: a burst, a pause, a burst."""
    path = tmp_path_factory.mktemp("state") / "journal.sqlite3"
    kept = Journal(path)
    tasks = trace_of([*((5.0 + i / 2, 8.0) for i in range(30)), *((120.0 + i, 8.0) for i in range(20))])
    for number, (record, memory) in enumerate(life(a_pool(), tasks)):
        kept.record(record, memory)
        if number % 300 == 0:
            kept.flush()
    kept.close()
    return path


@pytest.fixture
def desk(tmp_path: Path, journal: Path) -> Path:
    """A configuration of the daemon that wrote the journal, and a file of observations."""
    (tmp_path / "config.yaml").write_text(CONFIG.replace("STATE", str(journal.parent)))
    (tmp_path / "o.csv").write_text(FILE)
    return tmp_path


def ask(desk: Path, *arguments: str) -> Result:
    """Run the command on this desk."""
    return CliRunner().invoke(cli, ["replay", "-c", str(desk / "config.yaml"), *arguments])


def edit(desk: Path, settings: str) -> None:
    """Give the pool these settings on top."""
    text = (desk / "config.yaml").read_text()
    (desk / "config.yaml").write_text(text.replace(f"{POOL}}}", f"{POOL}, {settings}}}"))


def test_the_own_configuration_decides_the_same(desk: Path):
    """By default the journal of the state folder; the first words are the answer."""
    said = ask(desk).stdout
    assert "This config decides the same at every one of" in said.splitlines()[1]
    assert said.splitlines()[-1].startswith("it happened under lived; this config is ")


def test_another_configuration_is_told_in_words(desk: Path, journal: Path):
    """First what it would have saved and at what price in waiting, then where it differs and why."""
    edit(desk, "target_wait: 30s")
    lines = ask(desk, "--journal", str(journal)).stdout.splitlines()

    assert lines[1].startswith("This config would have used ")
    assert "less worker time" in lines[1]
    assert lines[1].endswith("(estimate).")
    assert any("they may wait 25 s to find out" in line for line in lines)
    assert sum(" instead of " in line for line in lines) > 1


def test_json_is_as_documented(desk: Path):
    """Every key stands on the page, and the sums are those of the moments."""
    edit(desk, "target_wait: 30s")
    whole = json.loads(ask(desk, "--format", "json").stdout)
    (pool,) = whole["pools"]

    def keys(value: object) -> set[str]:
        if isinstance(value, dict):
            return set(value) | {key for inner in value.values() for key in keys(inner)}
        return {key for inner in value for key in keys(inner)} if isinstance(value, list) else set()

    assert {key for key in keys(whole) if f"`{key}`" not in PAGE} == set()
    assert pool["differing"] == sum(moment["looks"] for moment in pool["moments"]) > 0
    difference = pool["open_loop"]["config_replica_seconds"] - pool["open_loop"]["happened_replica_seconds"]
    assert difference == pytest.approx(sum(moment["replica_seconds"] for moment in pool["moments"]))
    assert pool["estimate"]["config"]["worker_seconds"] < pool["estimate"]["happened"]["worker_seconds"]
    assert pool["measured"]["tasks"] == 50


def test_a_file_is_replayed_as_a_hand_would(desk: Path):
    """One worker, four and two tasks too many at two looks: 5 and 3 instead of 1."""
    (pool,) = json.loads(ask(desk, "--observations", str(desk / "o.csv"), "--boot", "0s", "--format", "json").stdout)["pools"]
    (moment,) = pool["moments"]

    assert (moment["since"], moment["until"], moment["config_max"], moment["happened_max"]) == (2.0, 6.0, 5, 1)
    assert moment["replica_seconds"] == 12.0
    assert pool["measured"]["worker_seconds"] == 8.0


def test_without_counters_there_is_no_estimate(desk: Path):
    """And it is said why; the decisions are told all the same."""
    (desk / "o.csv").write_text("t_s,backlog,busy,ready,started,finished\n0,9,0,1,,\n2,9,0,1,,\n4,9,0,1,,\n")
    said = ask(desk, "--observations", str(desk / "o.csv"), "--boot", "0s").stdout

    assert "This config would have wanted 800% more worker time" in said
    assert "note: no estimate: nobody counted started tasks" in said


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--journal", "none.sqlite3"), 1, "failed: none.sqlite3: cannot be read as a journal"),
        (("--observations", "none.csv"), 1, "failed: none.csv: cannot be read"),
        (("--observations", "o.csv", "--journal", "j"), 2, "two sources: give one of them"),
        (("--pool", "q"), 2, "'q' is no pool of"),
        (("--boot", "3"), 2, "a duration needs a unit: write 3s or 3m"),
    ],
)
def test_mistakes_are_told(desk: Path, arguments: tuple[str, ...], code: int, message: str):
    """In the operator's words, with the agreed exit code."""
    answer = ask(desk, *arguments)
    assert (answer.exit_code, message in answer.stderr) == (code, True)


def test_a_bad_file_is_told_line_by_line(desk: Path):
    """All of it at once, exit code 1."""
    (desk / "o.csv").write_text(FILE + "9,x,0,1,0,0\n9,0,0,y,0,0\n")
    answer = ask(desk, "--observations", str(desk / "o.csv"))

    assert answer.exit_code == 1
    assert ["o.csv:7:" in answer.stderr, "o.csv:8:" in answer.stderr] == [True, True]


def test_a_pool_that_was_not_seen_is_named(desk: Path):
    """The journal knows nothing of it: said on stderr, and the others are told."""
    with (desk / "config.yaml").open("a") as file:
        file.write("  new: {queues: [n], replicas: {max: 2}, worker: {image: w, command: celery -A app worker}}\n")
    answer = ask(desk)

    assert "tells nothing of the pool new" in answer.stderr
    assert answer.stdout.startswith("p: ")


def test_the_journal_s_tasks_are_simulated(desk: Path, journal: Path):
    """As many as came, with what starts took then; and not both a trace and a journal."""
    words = ["simulate", "-c", str(desk / "config.yaml"), "--pool", "p", "--journal", str(journal)]
    whole = json.loads(CliRunner().invoke(cli, [*words, "--format", "json"]).stdout)
    both = CliRunner().invoke(cli, [*words, "--trace", "t.csv"])

    assert (whole["trace"], whole["results"][0]["tasks"], whole["results"][0]["done"]) == (str(journal), 50, 50)
    assert (both.exit_code, "one of the two" in both.stderr) == (2, True)
