"""What docker-compose.yml promises, read from the file: who may do what, and that it and config.yaml speak of the same things."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from live import ROOT
from stand_ins.socket_proxy.socket_proxy import Rules

from autoscaler.config.load import load

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("autoscaler", "socket-proxy", "example")
every_service = pytest.mark.parametrize("name", SERVICES)


def default_of(text: str) -> str:
    """What a variable with a default stands for when nobody sets it."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


@every_service
def test_images_are_pinned_and_can_be_replaced(name: str) -> None:
    """Each image is a variable; what is pulled by default has a version."""
    image = SERVICES[name]["image"]

    assert re.fullmatch(r"\$\{[A-Z]+_IMAGE:-[^}]+:[^}]+\}", image)
    assert "build" in SERVICES[name] or not default_of(image).endswith(":latest")


@every_service
def test_nothing_is_published_beyond_this_machine(name: str) -> None:
    """Ports are open on the loopback only, and their numbers are variables."""
    for port in SERVICES[name].get("ports", ()):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z]+_PORT:-\d+\}:\d+", port)


@every_service
def test_no_service_can_gain_rights_or_fill_the_host(name: str) -> None:
    """No new privileges, rotated logs, limited memory."""
    service = SERVICES[name]

    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert service["deploy"]["resources"]["limits"].keys() >= {"cpus", "memory"}


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "redis"])
def test_services_are_read_only_and_without_capabilities(name: str) -> None:
    """All but Redis, whose image begins as root and gives that up by itself."""
    assert SERVICES[name]["read_only"] is True
    assert SERVICES[name]["cap_drop"] == ["ALL"]


def test_only_the_proxy_has_the_socket_and_only_the_autoscaler_the_proxy() -> None:
    """The socket is mounted once, and the proxy's network has no other member and no way out."""
    with_socket = [name for name, service in SERVICES.items() if "docker.sock" in str(service.get("volumes", ""))]
    beside_the_proxy = [name for name, service in SERVICES.items() if "engine" in service["networks"]]

    assert with_socket == ["socket-proxy"]
    assert beside_the_proxy == ["socket-proxy", "autoscaler"]
    assert SERVICES["socket-proxy"]["networks"] == ["engine"]
    assert COMPOSE["networks"]["engine"]["internal"] is True


def test_the_folder_of_the_configuration_is_mounted_not_the_file() -> None:
    """A single file that is mounted goes blind at the first rename."""
    source, target, mode = default_of(SERVICES["autoscaler"]["volumes"][0]).split(":")

    assert (ROOT / source).is_dir()
    assert (ROOT / source / "config.yaml").is_file()
    assert SERVICES["autoscaler"]["environment"]["AUTOSCALER_CONFIG"] == f"{target}/config.yaml"
    assert mode == "ro"


def test_the_sample_configuration_fits_the_services() -> None:
    """What config.yaml becomes in this deployment points at these services, this network and these queues."""
    settings = load(ROOT / "config.yaml", {key: default_of(value) for key, value in SERVICES["autoscaler"]["environment"].items()})
    queues = {queue for pool in settings.pools.values() for queue in pool.queues}

    assert settings.flower.url == "http://flower:5555"
    assert settings.fleet.host == "tcp://socket-proxy:2375"
    assert settings.api.listen == "0.0.0.0:8090"
    assert SERVICES["autoscaler"]["volumes"][1] == f"state:{settings.state}"
    assert {network for pool in settings.pools.values() for network in pool.worker.networks} == {
        default_of(COMPOSE["networks"]["workers"]["name"])
    }
    assert {pool.worker.image for pool in settings.pools.values()} == {default_of(SERVICES["example"]["image"])}
    assert set(default_of(SERVICES["flower"]["environment"]["CELERY_QUEUES"]).split(",")) == queues


RULES = Rules.read(SERVICES["socket-proxy"]["command"])
ID = "0f" * 32


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/_ping"),
        ("GET", "/version"),
        ("GET", "/v1.51/info"),
        ("GET", "/v1.51/containers/json?all=1&filters=%7B%7D"),
        ("GET", f"/v1.51/containers/{ID}/json"),
        ("GET", f"/v1.51/containers/{ID}/logs?stdout=1&tail=20"),
        ("GET", "/v1.44/images/registry.example.com:5000/team/app:1.4/json"),
        ("GET", "/v1.44/networks/my_project-default"),
        ("POST", "/v1.44/containers/create?name=autoscaler-mail-1a2b3c"),
        ("POST", f"/v1.44/containers/{ID}/start"),
        ("POST", f"/v1.44/containers/{ID}/kill?signal=SIGTERM"),
        ("POST", "/v1.44/networks/backend/connect"),
        ("POST", "/v1.44/images/create?fromImage=app&tag=1.4"),
        ("DELETE", f"/v1.44/containers/{ID}?v=1"),
    ],
)
def test_the_proxy_lets_through_what_scaling_needs(method: str, path: str) -> None:
    """Every request that the Docker fleet makes passes."""
    assert RULES.verdict(method, path) == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/v1.44/containers/{ID}/exec"),
        ("POST", f"/v1.44/exec/{ID}/start"),
        ("POST", f"/v1.44/containers/{ID}/update"),
        ("POST", "/v1.44/containers/prune"),
        ("GET", f"/v1.44/containers/{ID}/archive"),
        ("PUT", f"/v1.44/containers/{ID}/archive"),
        ("GET", f"/v1.44/containers/{ID}/export"),
        ("GET", f"/v1.44/containers/{ID}/attach/ws"),
        ("POST", f"/v1.44/containers/{ID}/attach"),
        ("POST", "/v1.44/build"),
        ("POST", "/v1.44/images/prune"),
        ("DELETE", "/v1.44/images/redis"),
        ("POST", "/v1.44/networks/create"),
        ("DELETE", "/v1.44/networks/backend"),
        ("POST", "/v1.44/networks/prune"),
        ("GET", "/v1.44/volumes"),
        ("DELETE", "/v1.44/volumes/redis"),
        ("GET", "/v1.44/secrets"),
        ("POST", "/v1.44/swarm/leave"),
        ("GET", "/v1.44/system/df"),
        ("GET", "/v1.44/events"),
        ("GET", f"/v1.44/containers/{ID}/json/../archive"),
        ("GET", f"/v1.44/images/x/../../containers/{ID}/archive"),
        ("HEAD", "/_ping"),
    ],
)
def test_the_proxy_lets_nothing_else_through(method: str, path: str) -> None:
    """What is not needed is refused, whatever it is."""
    assert RULES.verdict(method, path) != 200


def test_the_proxy_answers_the_autoscaler_alone() -> None:
    """By name, because addresses change."""
    assert RULES.clients == ("autoscaler",)


def test_prometheus_scrapes_these_services() -> None:
    """The jobs point at the autoscaler's port, for its own page and for the list of its workers'."""
    jobs = {job["job_name"]: job for job in yaml.safe_load((ROOT / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]}
    port = default_of(SERVICES["autoscaler"]["environment"]["AUTOSCALER_LISTEN"]).rpartition(":")[2]

    assert jobs["autoscaler"]["static_configs"] == [{"targets": [f"autoscaler:{port}"]}]
    assert jobs["celery-workers"]["http_sd_configs"][0]["url"] == f"http://autoscaler:{port}/api/v1/targets"


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    """The provisioned source is the service, and the dashboards are where the mount puts them."""
    provisioning = ROOT / "grafana" / "provisioning"
    source = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"][0]
    provider = yaml.safe_load((provisioning / "dashboards" / "default.yml").read_text())["providers"][0]
    mounts = dict(line.split(":")[:2] for line in SERVICES["grafana"]["volumes"])

    assert source["url"] == "http://prometheus:9090"
    assert "uid" not in source
    assert provider["options"]["path"] == mounts["./grafana/dashboards"]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (ROOT / "grafana" / "dashboards" / home.removeprefix(f"{mounts['./grafana/dashboards']}/")).is_file()
