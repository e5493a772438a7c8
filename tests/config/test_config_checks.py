"""What no single key can know: sums, queues in two pools, a worker that would not obey, would not be known, or would open the host."""

from __future__ import annotations

import pytest
from config_desk import FLOWER, SMALLEST, Desk

from autoscaler.assemble import build_sources

BROKER = "brokers: [{name: b, url: redis://b}]\n"
WITHOUT_FLOWER = SMALLEST.replace("5555}", "5555, enabled: false}").replace("image: x", "image: x, metrics_port: 9100") + BROKER


def test_a_fleet_without_flower(desk: Desk) -> None:
    """Brokers tell what waits and workers who works: then Flower is nobody's need, and nobody is asked for it."""
    settings = desk.load(WITHOUT_FLOWER)

    assert "broker" == settings.depths
    assert ["workers", "broker:b"] == [source.name for source in build_sources(settings)]


def test_the_sum_of_minima_must_fit(desk: Desk) -> None:
    """Workers that must always run cannot be more than may ever run."""
    text = FLOWER + "max_replicas: 3\npools:\n"
    text += "".join(f"  {name}: {{queues: [{name}], replicas: {{min: 2, max: 4}}, worker: {{image: x}}}}\n" for name in "ab")

    assert desk.problems(text) == [
        "2:15: max_replicas: the pools ask for at least 4 workers (the sum of replicas.min), and max_replicas is 3: raise it or lower a min"
    ]


def test_a_queue_belongs_to_one_pool(desk: Desk) -> None:
    """A queue in two pools, or twice in one, is told with both lines."""
    text = FLOWER + "pools:\n  a: {queues: [x, y], replicas: {max: 1}, worker: {image: x}}\n"
    text += "  b: {queues: [z, z, y], replicas: {max: 1}, worker: {image: x}}\n"

    assert desk.problems(text) == [
        "4:19: pools.b.queues[1]: queue 'z' already belongs to pool 'b': keep it in one place (see line 4)",
        "4:22: pools.b.queues[2]: queue 'y' already belongs to pool 'a': keep it in one place (see line 3)",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(
            SMALLEST.replace("image: x", "init: true"),
            "2:46: pools.a.worker.image: is missing: add image: registry.example.com/app:1.4", id="image",
        ),
        pytest.param(
            SMALLEST + "fleet: {type: process}\n",
            "2:46: pools.a.worker.command: is missing: add command: celery -A app worker, because the fleet is process", id="command",
        ),
        pytest.param(
            SMALLEST + "fleet: {type: swarm}\n",
            "3:15: fleet.type: swarm is not built yet: write docker, or process for a try without Docker", id="swarm",
        ),
        pytest.param(
            SMALLEST + "fleet: {host: /var/run/docker.sock}\n",
            "3:15: fleet.host: is not an address of Docker: write it like unix:///var/run/docker.sock or tcp://socket-proxy:2375",
            id="host",
        ),
        pytest.param(
            SMALLEST + "depth_from: broker\n",
            "3:13: depth_from: broker needs a broker to ask: add brokers, or write auto", id="no broker to ask",
        ),
        pytest.param(
            SMALLEST + "brokers:\n- {name: b, url: redis://a}\n- {name: b, url: redis://b}\n",
            "5:10: brokers[1].name: 'b' is taken: give each broker its own name (see line 4)", id="two brokers of one name",
        ),
        pytest.param(
            WITHOUT_FLOWER.replace(BROKER, ""),
            "1:44: flower.enabled: false needs a broker that tells what waits: add brokers, or leave it true", id="nobody says what waits",
        ),
        pytest.param(
            WITHOUT_FLOWER.replace(", metrics_port: 9100", ""),
            "2:46: pools.a.worker.metrics_port: is missing: without Flower only the workers' own pages tell who works: "
            "add metrics_port: 9100 (see line 1)", id="nobody says who works",
        ),
        pytest.param(
            WITHOUT_FLOWER + "depth_from: flower\n",
            "4:13: depth_from: flower is not enabled: write auto, or broker (see line 1)", id="a Flower that is off is asked",
        ),
        pytest.param(
            SMALLEST + "depth_from: flower\nbrokers:\n- {name: a, url: redis://a}\n- {name: b, url: redis://b}\n",
            "3:13: depth_from: flower knows one broker and several are given: write auto, which reads each of them", id="flower's broker",
        ),
        pytest.param(
            SMALLEST.replace("{a:", "{" + "p" * 40 + ":") + "instance: " + "i" * 40 + "\n",
            f"2:9: pools.{'p' * 40}: the workers' names would be 88 characters long, and 63 is the limit: shorten the name",
            id="long names",
        ),
    ],
)
def test_keys_that_do_not_fit_together_are_told(desk: Desk, text: str, problem: str) -> None:
    """Each contradiction is one problem, at the key to change."""
    assert desk.problems(text) == [problem]


SHELL = (
    "pools.a.worker.command: a shell stands in front of the worker and takes the stop signal, so the running task is lost: "
    "write the command without sh -c, or let the script end with exec celery ..."
)


@pytest.mark.parametrize(
    "command",
    [
        "\"sh -c 'celery -A app worker'\"",
        "[sh, -c, celery -A app worker]",
        "[/bin/bash, -lc, 'cd /app && celery -A app worker']",
        "[sh, -c, 'exec migrate; celery -A app worker']",
        "[tini, --, sh, -e, -c, celery worker]",
        "[bash, -c, '']",
    ],
)
def test_a_shell_in_front_of_the_worker_is_refused(desk: Desk, command: str) -> None:
    """With init, a shell dies of the stop signal before the worker has heard of it, and the running task is lost."""
    assert desk.pool("", worker=f"command: {command}") == [SHELL]


@pytest.mark.parametrize(
    "command",
    [
        "celery -A app worker",
        "[celery, -A, app, worker]",
        "[sh, -c, exec celery -A app worker]",
        "[bash, -c, 'migrate && C_FORCE_ROOT=1 exec celery -A app worker']",
        "/usr/local/bin/entrypoint.worker.sh",
        "bash /entrypoint.sh -c 4",
        "python -c 'import app; app.main()'",
    ],
)
def test_a_command_that_obeys_is_accepted(desk: Desk, command: str) -> None:
    """Exec form, a shell that hands over, and scripts of one's own are fine."""
    desk.load(SMALLEST.replace("image: x", f"image: x, command: {command}"))


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("celery worker && true", "pools.a.worker.command: '&&' needs a shell, and the command is run without one"),
        ("celery worker > log", "pools.a.worker.command: '>' needs a shell, and the command is run without one"),
        ('"celery worker \'"', "pools.a.worker.command: a quote is not closed"),
        ("celery -A app worker -n w1@%h", "pools.a.worker.command: -n w1@%h gives the worker a name it is not known by"),
        ("celery -A app worker -Q b", "pools.a.worker.command: nobody would consume a: its command says -Q b"),
    ],
)
def test_a_command_that_would_not_work_is_told(desk: Desk, command: str, problem: str) -> None:
    """A command line that needs a shell, renames the worker or forgets a queue is refused with the reason."""
    (found,) = desk.pool("", worker=f"command: {command}")

    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("slots", "worker", "said"),
    [
        ("slots: 2", "command: celery -A app worker -c 4", "4 at once (its command says -c 4)"),
        ("slots: 2", "command: celery -A app worker -c4", "4 at once (its command says -c 4)"),
        ("slots: 2", "command: celery -A app worker --concurrency=4", "4 at once (its command says -c 4)"),
        ("slots: 2", "command: [sh, -c, exec celery worker -c 4]", "4 at once (its command says -c 4)"),
        ("slots: 2", "command: 'celery worker -c 4 --autoscale 8,2'", "8 at once (its command says --autoscale 8,2)"),
        ("slots: 2", "command: celery worker -P solo", "1 at once (its command says --pool solo)"),
        ("slots: 2", "environment: {CELERY_AUTOSCALE: '4,1'}", "4 at once (its environment says CELERY_AUTOSCALE=4,1)"),
        ("slots: 3", "environment: [CELERY_CONCURRENCY=2]", "2 at once (its environment says CELERY_CONCURRENCY=2)"),
    ],
)
def test_slots_must_agree_with_the_worker(desk: Desk, slots: str, worker: str, said: str) -> None:
    """A wrong number of slots would make every sum of the pool wrong, so it is refused where it can be read."""
    assert desk.pool(slots, worker=worker) == [f"pools.a.slots: slots is {slots[-1]}, but the worker runs {said}: write slots: {said[0]}"]


def test_missing_slots_are_told_with_the_number_to_write(desk: Desk) -> None:
    """Who left slots out reads the number to write, at the pool."""
    (problem,) = desk.pool("", worker="command: celery worker -c 4")

    assert problem == (
        "pools.a.slots: slots is missing and counts as 1, but the worker runs 4 at once (its command says -c 4): write slots: 4"
    )


@pytest.mark.parametrize("worker", ["command: run.sh -c 4", "environment: {CELERY_AUTOSCALE: lots}", "command: celery beat -c 4"])
def test_what_cannot_be_read_is_not_held_against_a_worker(desk: Desk, worker: str) -> None:
    """A script of one's own, or a value of one's own, says nothing about slots."""
    desk.load(SMALLEST.replace("image: x", f"image: x, {worker}"))


UNSAFE = [
    ("privileged: true", "privileged: gives the worker the whole host"),
    ("pid: host", "pid: host lets the worker into what is not its own"),
    ("ipc: 'container:db'", "ipc: container:db lets the worker into what is not its own"),
    ("network_mode: host", "network_mode: host lets the worker into what is not its own"),
    ("volumes: ['/:/host:ro']", "volumes[0]: a mount of / gives the worker the host"),
    ("volumes: ['/srv/../etc:/x']", "volumes[0]: a mount of /etc gives the worker the host"),
    ("volumes: [a:/a, '//var//run/docker.sock:/s']", "volumes[1]: the engine's socket gives the worker the whole host"),
    ("volumes: ['/var/run:/x']", "volumes[0]: a mount of /var/run gives the worker the host"),
    ("cap_add: [NET_RAW, cap_sys_admin]", "cap_add[1]: cap_sys_admin gives the worker power over the host"),
    ("security_opt: ['seccomp:unconfined']", "security_opt[0]: seccomp:unconfined takes a guard away"),
    ("devices: ['/dev/sda:/dev/sda']", "devices[0]: /dev/sda gives the worker the host's memory or disks"),
]


@pytest.mark.parametrize(("worker", "problem"), UNSAFE)
def test_what_opens_the_host_is_refused(desk: Desk, worker: str, problem: str) -> None:
    """Whoever can write the image or a task would own the host; nobody gets that by accident."""
    assert desk.pool("", worker=worker) == [f"pools.a.worker.{problem}: remove it, or write allow_unsafe: true beside it if you mean it"]


@pytest.mark.parametrize("worker", [worker for worker, _ in UNSAFE])
def test_what_opens_the_host_can_be_allowed(desk: Desk, worker: str) -> None:
    """`allow_unsafe: true` says that it is meant."""
    desk.load(SMALLEST.replace("image: x", f"image: x, allow_unsafe: true, {worker}"))


@pytest.mark.parametrize(
    "worker", ["volumes: ['/srv/data:/data', 'run:/run']", "devices: [/dev/dri]", "cap_add: [SYS_NICE]", "ipc: private"]
)
def test_everyday_keys_are_not_unsafe(desk: Desk, worker: str) -> None:
    """Folders of one's own, a graphics card, a scheduling right need no permission."""
    desk.load(SMALLEST.replace("image: x", f"image: x, {worker}"))


@pytest.mark.parametrize(
    ("worker", "problem"),
    [
        ("stop_signal: SIGKILL", "stop_signal: SIGKILL interrupts running tasks: write SIGTERM"),
        ("networks: [a], network_mode: none", "network_mode: networks and network_mode are both given: keep one of them"),
        ("volumes: ['./x:/x']", "volumes[0]: Docker knows no relative paths: write an absolute path of the host, or a named volume"),
        ("labels: {autoscaler.pool: b}", "labels.autoscaler.pool: this label is the autoscaler's own: use another name"),
        (
            "labels: {com.docker.compose.project: b}",
            "labels.com.docker.compose.project: this label is Compose's, which would remove the workers: use another name",
        ),
        ("environment: ['=b']", "environment: a name of a variable must not be empty or hold = or spaces"),
        ("environment: {A: [1]}", "environment: A needs text, not a list"),
        ("environment: text", "environment: 'text' is not a mapping: write KEY: value lines below the key"),
        ("command: {a: b}", "command: a command needs text, not a mapping"),
        ("volumes: [{type: bind}]", "volumes[0]: needs text, and only text: write uploads:/data"),
        (
            "deploy: {resources: {limits: {memory: 512}}}",
            "deploy.resources.limits.memory: a size needs a unit: '512' is not one, write it like 512m or 2g",
        ),
        ("deploy: {resources: {limits: {cpus: inf}}}", "deploy.resources.limits.cpus: 'inf' is not a number: write one like 2 or 0.5"),
        ("metrics_port: 70000", "metrics_port: must be at most 65535: write metrics_port: 9100"),
        ("shm_size: 99999999999t", "shm_size: '99999999999t' is more than 1024t: write a smaller size"),
    ],
)
def test_a_worker_is_checked(desk: Desk, worker: str, problem: str) -> None:
    """Keys of the worker that cannot be meant are refused in one sentence."""
    assert desk.pool("", worker=worker) == [f"pools.a.worker.{problem}"]


def test_sound_parts_are_checked_beside_broken_ones(desk: Desk) -> None:
    """A broken pool does not hide what is wrong between the keys of the others."""
    text = FLOWER + "pools:\n  a: {queues: [x], replicas: {max: -1}, worker: {image: x}}\n"
    text += "  b: {queues: [y], replicas: {max: 1}, worker: {image: x, privileged: true}}\n"

    assert [problem.split(": ")[1] for problem in desk.problems(text)] == ["pools.a.replicas.max", "pools.b.worker.privileged"]
