"""What `tune` finds is worth having, best at its price, and can be pasted."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from lived import life
from small import a_pool

from autoscaler.cli.commands import cli
from autoscaler.config.load import load
from autoscaler.config.models import Settings
from autoscaler.model import BacklogPerReplica, Flow, PoolPolicy, PoolView, TargetWait, Thresholds
from autoscaler.policy.demand import demand
from autoscaler.report.journal import Journal
from autoscaler.sim.arrivals import trace_of
from autoscaler.sim.choices import Choice, Keys, choice_of, grid, keys_of, settings_with
from autoscaler.sim.presets import PRESETS
from autoscaler.sim.run import run
from autoscaler.sim.score import Score
from autoscaler.sim.simulate import policies_of
from autoscaler.sim.tune import Trial, Work, attempts, compare, tune
from autoscaler.sim.world import Boot

PAGE = (Path(__file__).parents[2] / "docs" / "replay-and-tune.md").read_text()
CONFIG = """
interval: 1s
flower: {url: http://flower:5555}
max_replicas: 100
pools:
  mail:
    queues: [mail]
    replicas: {max: 30}
    slots: 2
    thresholds: {up: 3, max_wait: 20s, down: 1}
    scale_down: {max_step: 50%, cooldown: 4s}
    worker: {image: w, command: celery -A app worker -c 2}
"""
RESTART = 4.0


def settings_in(folder: Path, text: str = CONFIG) -> Settings:
    """These settings, loaded from a file."""
    (folder / "config.yaml").write_text(text)
    return load(folder / "config.yaml", {})


def policy_of(loaded: Settings) -> PoolPolicy:
    """The pool as the policy knows it."""
    return loaded.pools["mail"].policy("mail", 0.0)


# ---------------------------------------------------------------- the front and the prices


def a_trial(cost: float, mean: float, p95: float, *, done: int = 100, name: str = "") -> Trial:
    """A trial that came to this much."""
    score = Score("x", 100, done, 0, mean, mean, p95, p95, p95, 10.0, 1.0, cost * 3600, 0.5, 1, 1, 1, 1)
    return Trial(Keys({"target_wait": "1s"}, 0, {"min": 0, "max": 1}, {}), score, name, is_present=False)


figures = st.integers(1, 9).map(float)
some_trials = st.lists(st.builds(a_trial, figures, figures, figures, done=st.sampled_from([100, 100, 100, 99])), min_size=1, max_size=25)


@settings(max_examples=200, deadline=None)
@given(trials=some_trials)
def test_nothing_on_the_front_is_beaten(trials):
    """And whatever did its work is beaten by, or as good as, something on it."""
    front = compare(trials).front
    assert not any(one.beats(other) for one in trials for other in front if one.score.done == 100)
    for trial in (trial for trial in trials if trial.score.done == 100):
        assert any(all(a <= b for a, b in zip(other.marks, trial.marks, strict=True)) for other in front)
    assert list(front) == sorted(front, key=lambda trial: trial.marks)


@settings(max_examples=200, deadline=None)
@given(trials=some_trials, price=st.floats(0, 1e6))
def test_the_best_at_a_price_is_the_cheapest_with_its_waits(trials, price):
    """At every price of an hour waited, no trial that did its work comes to less in all."""
    found = compare(trials)
    whole = [trial for trial in trials if trial.score.done == 100]
    if whole:
        assert found.best(price).price(price) == pytest.approx(min(trial.price(price) for trial in whole))
        assert [low for _, low, _ in found.best_between[1:]] == [high for _, _, high in found.best_between[:-1]]
        assert (found.best_between[0][1], found.best_between[-1][2]) == (0.0, math.inf)


def test_prices_by_hand():
    """100 tasks that each wait 36 s are one hour waited: to wait that hour less for 2 worker-hours more pays from price 2 on."""
    thrifty, middle, hasty = a_trial(1.0, 108.0, 9.0), a_trial(1.5, 72.0, 8.0), a_trial(5.5, 36.0, 7.0)

    assert compare([hasty, thrifty, middle]).best_between == ((thrifty, 0.0, 0.5), (middle, 0.5, 4.0), (hasty, 4.0, math.inf))


# ---------------------------------------------------------------- what is tried and how it is written


def test_every_choice_can_be_pasted(tmp_path: Path):
    """The lines, put over the same keys of the file, load as just the settings that were simulated."""
    before = settings_in(tmp_path)
    for choice in grid(before.pools["mail"]):
        lines = yaml.safe_load("\n".join(keys_of(choice, before.pools["mail"], RESTART).lines("mail")))
        whole = yaml.safe_load(CONFIG)
        pool = {key: value for key, value in whole["pools"]["mail"].items() if key != "thresholds"}
        whole["pools"]["mail"] = pool | lines["pools"]["mail"]
        after = settings_in(tmp_path, yaml.safe_dump(whole))
        assert policy_of(after) == policy_of(settings_with(before, "mail", choice, RESTART))
        assert policy_of(after).sizing == choice.sizing


def test_the_grid_is_modest_and_has_all_ways(tmp_path: Path):
    """All three ways of sizing, all presets, once each, and nothing that `replicas.max` forbids."""
    pool = settings_in(tmp_path).pools["mail"]
    choices = grid(pool)

    assert {type(choice.sizing) for choice in choices} == {TargetWait, Thresholds, BacklogPerReplica}
    assert [choice.preset for choice in choices if choice.preset] == [preset.name for preset in PRESETS]
    assert len(set(choices)) == len(choices) <= 50
    one = pool.model_copy(update={"replicas": pool.replicas.model_copy(update={"max": 1})})
    assert max(choice.replicas_min for choice in grid(one)) == 1


def test_the_present_settings_are_tried_too(tmp_path: Path):
    """As one of the grid where they are, else on top; just once."""
    loaded = settings_in(tmp_path)
    pasted = settings_with(loaded, "mail", Choice(TargetWait(20.0)), RESTART)

    assert [a.keys.short for a in attempts(loaded, "mail", 3.0) if a.is_present] == [
        "thresholds: {up: 3, max_wait: 20s, down: 1}, stabilization: auto"
    ]
    assert [a.keys.short for a in attempts(pasted, "mail", 3.0) if a.is_present] == ["target_wait: 20s, stabilization: auto"]
    assert len(attempts(loaded, "mail", 3.0)) == len(attempts(pasted, "mail", 3.0)) + 1


def test_nobody_is_out_of_date_in_a_simulation(tmp_path: Path):
    """A pool that keeps a worker keeps this one: its spec is that of the file, and the simulated engine knows of none."""
    kept = settings_with(settings_in(tmp_path), "mail", Choice(TargetWait(10.0), replicas_min=1), RESTART)
    lived = run(policies_of(kept, "mail"), trace_of([(5.0, 2.0), (400.0, 2.0)]), Boot(3.0))

    assert lived.world.starts == 1


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("lean", "target_wait: 30s, stabilization: auto"),
        ("default", "target_wait: 10s, stabilization: auto"),
        ("fast", "target_wait: 5s, stabilization: auto"),
        ("instant", "target_wait: 0s, stabilization: 40s, spare: 1"),
    ],
)
def test_presets_are_what_they_say(tmp_path: Path, name: str, short: str):
    """With workers that take 3 s to start and 1 s to stop; the page says the same. For half a minute `auto` is one restart."""
    (preset,) = (preset for preset in PRESETS if preset.name == name)

    assert keys_of(choice_of(preset), settings_in(tmp_path).pools["mail"], RESTART).short == short
    assert f"| `{name}` |" in PAGE
    assert preset.meaning in PAGE


@settings(max_examples=100, deadline=None)
@given(
    waiting=st.integers(0, 30), busy=st.integers(0, 12), replicas=st.integers(0, 6), waited=st.floats(0, 50), runtime=st.floats(0.1, 900)
)
def test_no_target_is_a_slot_for_every_task(waiting, busy, replicas, waited, runtime):
    """`target_wait: 0s`: as many slots as tasks wait or run, whatever they take, and however long they have waited."""
    flow = Flow(at=100.0, started=9, busy_seconds=runtime, done=1.0, arrivals=((100.0 - waited, 9), (100.0, 9 + waiting)))
    policy = a_pool(slots=2, sizing=TargetWait(0.0))
    view = PoolView("p", (), waiting, 0, (), (), waited, (), flow)
    busy = min(busy, 2 * replicas)
    seen = replace(view, replicas=_replicas(replicas, busy))

    assert demand(policy, seen, lead_seconds=4.0).after == math.ceil((waiting + busy) / 2)


def _replicas(count: int, busy: int) -> tuple:
    from autoscaler.model import Phase, Replica

    return tuple(Replica(f"r{n}", f"id{n}", Phase.READY, 0.0, 2, max(0, min(2, busy - 2 * n))) for n in range(count))


# ---------------------------------------------------------------- the command


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration and a trace with bursts, and a smaller grid than usual."""
    monkeypatch.setattr("autoscaler.sim.choices.TARGETS", (10.0, 30.0))
    monkeypatch.setattr("autoscaler.sim.choices.MAY_WAIT", ((0, 15.0),))
    chance, at, rows = random.Random(1), 0.0, []
    for _ in range(70):
        at += chance.expovariate(1.0 if int(at / 30) % 2 else 0.1)
        rows.append(f"{at:.2f},{chance.expovariate(0.2):.2f}")
    (tmp_path / "t.csv").write_text("arrival_s,runtime_s\n" + "\n".join(rows))
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


def ask(desk: Path, *arguments: str) -> Result:
    """Run the command on this desk."""
    return CliRunner().invoke(cli, ["tune", "-c", str(desk / "config.yaml"), "--pool", "mail", *arguments])


def test_text_says_the_best_first_and_ends_with_lines_that_load(desk: Path):
    """The price in words, the present settings beside it, the front, and YAML to paste."""
    said = ask(desk, "--trace", str(desk / "t.csv"), "--hour-waited-costs", "0.2").stdout
    lines = said.splitlines()

    assert lines[0].startswith("mail: 70 tasks in ")
    assert lines[1].startswith("Where an hour waited costs 0.2 worker-hours, the best of ")
    assert "the present settings (thresholds: {up: 3, max_wait: 20s, down: 1}" in said
    assert all(f"({preset.name})" in said for preset in PRESETS)
    assert list(yaml.safe_load(said[said.index("pools:\n") :])["pools"]["mail"])[1:] == ["spare", "replicas", "scale_down"]


def test_json_is_as_documented_and_follows_the_price(desk: Path):
    """All keys stand on the page; a dearer hour is waited less; the same question has the same bytes as answer."""
    cheap, again, dear = (
        ask(desk, "--trace", str(desk / "t.csv"), "--hour-waited-costs", price, "--format", "json").stdout
        for price in ("0.01", "0.01", "50")
    )
    whole, other = json.loads(cheap), json.loads(dear)
    best, sooner = whole["settings"][whole["best"]], other["settings"][other["best"]]

    assert cheap == again
    assert [key for key in [*whole, *best] if f"`{key}`" not in PAGE] == []
    assert best["on_front"]
    assert (best["worker_seconds"] < sooner["worker_seconds"], best["wait_mean_s"] > sooner["wait_mean_s"]) == (True, True)
    assert best["best_from"] <= 0.01 <= best["best_to"]
    assert yaml.safe_load(whole["lines"])["pools"]["mail"]["replicas"] == {"min": best["keys"]["replicas"]["min"], "max": 30}


def test_a_maximum_that_keeps_even_the_best_small_is_said(desk: Path):
    """Raise it first: what tasks wait for it no way of sizing can change."""
    asked = ("--trace", str(desk / "t.csv"), "--hour-waited-costs", "50")
    assert "kept it from more" not in ask(desk, *asked).stdout

    (desk / "config.yaml").write_text(CONFIG.replace("replicas: {max: 30}", "replicas: {max: 1}"))
    (line,) = [line for line in ask(desk, *asked).stdout.splitlines() if "kept it from more" in line]
    whole = json.loads(ask(desk, *asked, "--format", "json").stdout)

    assert line.startswith("  replicas.max is 1, which kept it from more workers for ")
    assert set(whole["settings"][whole["best"]]["held_down"]) == {"replicas.max is 1"}


def test_processes_change_nothing(desk: Path, monkeypatch: pytest.MonkeyPatch):
    """Trials in other processes come in the same order, with the same figures."""
    monkeypatch.setattr("autoscaler.sim.tune.WORTH_PROCESSES", 1)
    work = Work(trace_of((i / 4, 3.0) for i in range(50)))
    planned = attempts(load(desk / "config.yaml", {}), "mail", 3.0)[:3]

    assert list(tune(planned, "mail", work, processes=2)) == list(tune(planned, "mail", work))


def test_a_journal_is_tuned(tmp_path: Path):
    """The tasks it tells of, and what starts took in it."""
    (tmp_path / "config.yaml").write_text(CONFIG.replace("mail", "p"))
    journal = Journal(tmp_path / "j")
    for kept in life(a_pool(), trace_of((1.0 * i, 5.0) for i in range(40))):
        journal.record(*kept)
        journal.flush()
    journal.close()
    asked = ["tune", "-c", str(tmp_path / "config.yaml"), "--pool", "p", "--journal", str(tmp_path / "j"), "--format", "json"]
    whole = json.loads(CliRunner().invoke(cli, asked).stdout)

    assert (whole["source"], whole["boot_s"], whole["settings"][0]["tasks"]) == (str(tmp_path / "j"), 3.0, 40)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "say where the tasks come from: --trace FILE.csv or --journal FILE.sqlite3"),
        (("--trace", "t.csv", "--journal", "j"), 2, "one of the two"),
        (("--trace", "none.csv"), 1, "failed: none.csv: cannot be read"),
        (("--trace", "t.csv", "--hour-waited-costs", "-1"), 2, "--hour-waited-costs"),
        (("--trace", "t.csv", "--pool", "nail"), 2, "'nail' is no pool of"),
    ],
)
def test_mistakes_are_told(desk: Path, arguments: tuple[str, ...], code: int, message: str):
    """In the operator's words, with the agreed exit code."""
    answer = ask(desk, *arguments)
    assert (answer.exit_code, message in answer.stderr) == (code, True)


def test_a_pool_that_can_never_do_it_is_said(desk: Path, monkeypatch: pytest.MonkeyPatch):
    """With no replica allowed nothing is worth having."""
    monkeypatch.setattr("autoscaler.sim.run.PATIENCE_SECONDS", 60.0)
    (desk / "config.yaml").write_text(CONFIG.replace("max: 30", "max: 0"))
    (desk / "t.csv").write_text("0,1\n")
    answer = ask(desk, "--trace", str(desk / "t.csv"))

    assert (answer.exit_code, "no setting gets all tasks done with replicas.max: 0" in answer.stderr) == (1, True)
