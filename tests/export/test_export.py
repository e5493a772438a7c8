"""The same pools for other machines: what comes out is what those machines take, and no secret comes along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from autoscaler.cli.commands import cli
from autoscaler.config.load import load
from autoscaler.export.keda import keda
from autoscaler.export.sheet import NotExportable, Sheet
from autoscaler.export.stack import stack

SECRET = "export-canary"
CONFIG = """
flower: {url: http://f}
instance: app
brokers: [{name: a, url: "rediss://user:export-canary@redis.example:6380/3", global_keyprefix: "app:"}]
max_replicas: 30
pools:
  mail_out:
    queues: [mail, bulk]
    replicas: {min: 1, max: 10}
    slots: 4
    scale_up: {max_step: 50%, cooldown: 30s}
    scale_down: {max_step: 2, period: 1m, stabilization: 2m}
    schedules:
      - {cron: "0 8 * * 1-5", duration: 10h, timezone: Europe/Berlin, min: 2}
      - {cron: "0 22 * * *", duration: 10h, min: 3}
    drain: {timeout: 30m}
    worker:
      image: app:1
      command: celery -A app worker -Q mail,bulk -n celery@{name}
      environment: {API_KEY: export-canary, PRICE: "$$5"}
      networks: [backend]
      volumes: ["uploads:/data", "/srv/models:/models:ro"]
      metrics_port: 9100
      shm_size: 1g
      deploy: {resources: {limits: {cpus: 0.5, memory: 512m}}}
  video:
    queues: [video]
    replicas: {min: 0, max: 3}
    backlog_per_replica: 2.5
    drain: {timeout: 1m, on_timeout: kill}
    worker: {image: "app:1", command: "celery -A app worker -Q video -c 1 --pidfile /tmp/$$x", stop_grace_period: 1m}
"""


def settings(folder: Path, text: str = CONFIG):
    """The settings of this file."""
    (folder / "config.yaml").write_text(text)
    return load(folder / "config.yaml", {})


def by_kind(sheet: Sheet) -> dict[tuple[str, str], dict[str, Any]]:
    """The documents as a reader of the YAML gets them, by kind and name."""
    return {(d["kind"], d["metadata"]["name"]): d for d in yaml.safe_load_all(sheet.text())}


@pytest.fixture
def manifests(tmp_path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """What KEDA gets."""
    return by_kind(keda(settings(tmp_path)))


@pytest.mark.parametrize("export", [keda, stack])
def test_no_secret_comes_along(tmp_path: Path, export) -> None:
    """Passwords and environments are named, never written."""
    text = export(settings(tmp_path)).text()

    assert SECRET not in text
    assert "API_KEY" in text


@pytest.mark.parametrize("export", [keda, stack])
def test_readers_need_no_references(tmp_path: Path, export) -> None:
    """Plain YAML, whose notes are comments."""
    text = export(settings(tmp_path)).text()

    assert "&id" not in text
    assert all(line.startswith("# ") for line in text.splitlines()[:3])
    assert "max_replicas: 30" in text or export is stack


# ---------------------------------------------------------------- KEDA


def test_every_pool_is_a_deployment_and_a_scaled_object(manifests) -> None:
    """Under names that Kubernetes takes."""
    assert set(manifests) == {
        ("TriggerAuthentication", "app-broker"),
        *((kind, name) for kind in ("Deployment", "ScaledObject") for name in ("app-mail-out", "app-video")),
    }
    for name in ("app-mail-out", "app-video"):
        assert manifests["ScaledObject", name]["spec"]["scaleTargetRef"] == {"name": name}
        labels = manifests["Deployment", name]["spec"]["template"]["metadata"]["labels"]
        assert manifests["Deployment", name]["spec"]["selector"]["matchLabels"] == labels


def test_queues_are_redis_lists(manifests) -> None:
    """With database, prefix and TLS of the broker; as many tasks for each replica as it has slots, or as was said."""
    triggers = manifests["ScaledObject", "app-mail-out"]["spec"]["triggers"]

    assert triggers[0] == {
        "type": "redis",
        "metadata": {"address": "redis.example:6380", "databaseIndex": "3", "listName": "app:mail", "listLength": "4", "enableTLS": "true"},
        "authenticationRef": {"name": "app-broker"},
    }
    assert triggers[1]["metadata"]["listName"] == "app:bulk"
    assert manifests["ScaledObject", "app-video"]["spec"]["triggers"][0]["metadata"]["listLength"] == "2.5"
    assert all(isinstance(value, str) for trigger in triggers for value in trigger["metadata"].values())


def test_bounds_and_damping_are_those_of_the_pool(manifests) -> None:
    """In the words of the HPA."""
    spec = manifests["ScaledObject", "app-mail-out"]["spec"]
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]

    assert (spec["minReplicaCount"], spec["maxReplicaCount"], spec["cooldownPeriod"]) == (1, 10, 120)
    assert behavior["scaleUp"]["policies"] == [{"type": "Percent", "value": 50, "periodSeconds": 30}]
    assert behavior["scaleDown"] == {
        "stabilizationWindowSeconds": 120,
        "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}],
    }


def test_schedules_become_cron_where_they_can(tmp_path: Path, manifests) -> None:
    """Office hours do; a night has its end on another day, which is said."""
    crons = [t["metadata"] for t in manifests["ScaledObject", "app-mail-out"]["spec"]["triggers"] if t["type"] == "cron"]

    assert crons == [{"timezone": "Europe/Berlin", "start": "0 8 * * 1-5", "end": "0 18 * * 1-5", "desiredReplicas": "2"}]
    assert [note for note in keda(settings(tmp_path)).notes if "schedules[1]" in note]


def test_workers_are_the_pods_container(manifests) -> None:
    """Image, words, limits, and time to finish."""
    pod = manifests["Deployment", "app-mail-out"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    assert pod["terminationGracePeriodSeconds"] == 1800
    assert container["args"] == ["celery", "-A", "app", "worker", "-Q", "mail,bulk", "-n", "celery@$(POD_NAME)"]
    assert container["resources"] == {"limits": {"cpu": "0.5", "memory": "512Mi"}}
    assert [e["name"] for e in container["env"]] == ["POD_NAME", "CELERY_WORKER_HOSTNAME", "CELERY_BROKER_URL", "API_KEY", "PRICE"]
    assert "ports" not in manifests["Deployment", "app-video"]["spec"]["template"]["spec"]["containers"][0]


def test_keda_needs_a_redis(tmp_path: Path) -> None:
    """It reads the broker itself."""
    with pytest.raises(NotExportable, match="KEDA reads the broker itself"):
        keda(settings(tmp_path, CONFIG.replace("brokers: [", "x-brokers: [")))


# ---------------------------------------------------------------- Swarm


def test_every_pool_is_a_service(tmp_path: Path) -> None:
    """With what means the same in a stack, names outside of it, and variables of its own."""
    (document,) = yaml.safe_load_all(stack(settings(tmp_path)).text())
    mail = document["services"]["mail_out"]

    assert list(document["services"]) == ["mail_out", "video"]
    assert (document["networks"], document["volumes"]) == ({"backend": {"external": True}}, {"uploads": {"external": True}})
    assert mail["deploy"]["replicas"] == 1
    assert mail["deploy"]["resources"] == {"limits": {"cpus": "0.5", "memory": "512m", "pids": 512}}
    assert (mail["stop_grace_period"], mail["init"], mail["shm_size"]) == ("30m", True, "1g")
    assert mail["environment"]["API_KEY"] == "${MAIL_OUT_API_KEY:?API_KEY of the workers of mail_out}"
    assert mail["command"][-2:] == ["-n", "celery@%h"]
    assert mail["hostname"] == "{{.Service.Name}}-{{.Task.Slot}}"


def test_what_is_meant_as_it_is_stays_so(tmp_path: Path) -> None:
    """A stack file fills in variables; a dollar sign of a command is no variable."""
    (document,) = yaml.safe_load_all(stack(settings(tmp_path)).text())

    assert document["services"]["video"]["command"][-1] == "/tmp/$$x"


def test_local_processes_cannot_be_exported(tmp_path: Path) -> None:
    """Containers need an image."""
    text = "flower: {url: http://f}\nfleet: {type: process}\npools: {p: {queues: [p], replicas: {max: 1}, worker: {command: sleep 9}}}\n"

    with pytest.raises(NotExportable, match=r"pools\.p\.worker\.image is missing"):
        stack(settings(tmp_path, text))


# ---------------------------------------------------------------- command line


@pytest.mark.parametrize("kind", ["keda", "stack"])
def test_the_command_prints_it(tmp_path: Path, kind: str) -> None:
    """YAML on standard output, and one line where it cannot be done."""
    settings(tmp_path)
    shown = CliRunner().invoke(cli, ["export", kind, "-c", str(tmp_path / "config.yaml")])

    assert shown.exit_code == 0
    assert list(yaml.safe_load_all(shown.stdout))
    settings(
        tmp_path,
        CONFIG.replace("image: app:1", "# no image").replace('image: "app:1", ', "").replace("flower:", "fleet: {type: process}\nflower:"),
    )
    assert CliRunner().invoke(cli, ["export", kind, "-c", str(tmp_path / "config.yaml")]).exit_code == 1
