"""What a worker's Compose keys become in the engine's own words."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.config.worker import WorkerSpec
from autoscaler.errors import StartRefused
from autoscaler.fleet.contract import replica_environment
from autoscaler.fleet.docker_spec import create_body, labels, unsafe, variables

NAME = "main-web-1a2b3c"


def a_worker(**keys: Any) -> WorkerSpec:
    """A worker with an image and these keys."""
    return WorkerSpec.model_validate({"image": "app:1"} | keys)


def body(worker: WorkerSpec, **environment: str) -> dict[str, Any]:
    return create_body(NAME, labels("web", "main", worker), worker, environment)


class TestBody:
    """The whole body, and each key in it."""

    def test_smallest_worker(self) -> None:
        """An image alone gets our names, labels and the defaults of the file, and leaves the rest to the image and the engine."""
        worker = a_worker()

        assert body(worker, CELERY_WORKER_HOSTNAME=f"celery@{NAME}") == {
            "Image": "app:1",
            "Env": [f"CELERY_WORKER_HOSTNAME=celery@{NAME}"],
            "Labels": {
                "autoscaler.instance": "main",
                "autoscaler.pool": "web",
                "autoscaler.spec": worker.hash,
                "autoscaler.stop_signal": "SIGTERM",
                "autoscaler.image": "app:1",
                "autoscaler.memory": "0",
                "autoscaler.cpus": "0",
                "com.centurylinklabs.watchtower.enable": "false",
            },
            "Hostname": NAME,
            "StopSignal": "SIGTERM",
            "StopTimeout": 10,
            "HostConfig": {
                "RestartPolicy": {"Name": "no"},
                "Init": True,
                "PidsLimit": 512,
                "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
                "SecurityOpt": ["no-new-privileges:true"],
            },
        }

    def test_every_key(self) -> None:
        """Each key of the file arrives where the engine looks for it, in the engine's units."""
        worker = a_worker(
            command="celery -A app worker",
            entrypoint=["/usr/bin/tini", "--"],
            networks=["backend", "monitoring"],
            volumes=["uploads:/data", "/srv/models:/models:ro,z", "/scratch"],
            user="1000:1000",
            working_dir="/app",
            extra_hosts=["db=10.0.0.5", "six:fd00::1"],
            devices=["/dev/dri", "/dev/video0:/dev/video1:r"],
            shm_size="1g",
            tmpfs=["/tmp", "/run:size=64m,mode=1777"],
            read_only=True,
            ipc="private",
            cap_add=["SYS_NICE"],
            cap_drop=["ALL"],
            init=False,
            stop_signal="SIGUSR1",
            stop_grace_period="1m30s",
            deploy={"resources": {"limits": {"cpus": 1.5, "memory": "512m", "pids": 64}}},
            logging={"driver": "local", "options": {"max-size": "1m"}},
            metrics_port=9100,
        )

        made = body(worker)

        assert (made["Cmd"], made["Entrypoint"]) == (["celery", "-A", "app", "worker"], ["/usr/bin/tini", "--"])
        assert (made["User"], made["WorkingDir"]) == ("1000:1000", "/app")
        assert (made["StopSignal"], made["StopTimeout"]) == ("SIGUSR1", 90)
        assert made["Volumes"] == {"/scratch": {}}
        assert made["NetworkingConfig"] == {"EndpointsConfig": {"backend": {}, "monitoring": {}}}
        assert made["Env"] == ["AUTOSCALER_METRICS_PORT=9100"]
        assert made["Labels"]["autoscaler.metrics_port"] == "9100"
        assert made["HostConfig"] == {
            "Binds": ["uploads:/data", "/srv/models:/models:ro,z"],
            "NetworkMode": "backend",
            "RestartPolicy": {"Name": "no"},
            "NanoCpus": 1_500_000_000,
            "Memory": 536_870_912,
            "PidsLimit": 64,
            "ShmSize": 1_073_741_824,
            "Tmpfs": {"/tmp": "", "/run": "size=64m,mode=1777"},
            "Devices": [
                {"PathOnHost": "/dev/dri", "PathInContainer": "/dev/dri", "CgroupPermissions": "rwm"},
                {"PathOnHost": "/dev/video0", "PathInContainer": "/dev/video1", "CgroupPermissions": "r"},
            ],
            "ExtraHosts": ["db:10.0.0.5", "six:fd00::1"],
            "LogConfig": {"Type": "local", "Config": {"max-size": "1m"}},
            "ReadonlyRootfs": True,
            "IpcMode": "private",
            "CapAdd": ["SYS_NICE"],
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
        }

    def test_users_labels_cannot_replace_ours(self) -> None:
        """A label of the user's stays, but none makes a worker look like another instance's."""
        made = body(a_worker(labels={"team": "search", "autoscaler.instance": "other"}))

        assert (made["Labels"]["team"], made["Labels"]["autoscaler.instance"]) == ("search", "main")

    def test_name_is_put_in(self) -> None:
        """`{name}` stands for the replica's name in every word of the command, the entrypoint and the environment."""
        made = body(a_worker(command="run --as '{name} x'", entrypoint=["go", "{name}"], environment={"LOG": "/log/{name}.txt"}))

        assert made["Cmd"] == ["run", "--as", f"{NAME} x"]
        assert made["Entrypoint"] == ["go", NAME]
        assert made["Env"] == [f"LOG=/log/{NAME}.txt"]

    def test_own_network_of_another_container_has_no_hostname(self) -> None:
        """A worker that shares another container's network has that one's name; the engine refuses a second."""
        made = body(a_worker(network_mode="container:vpn", allow_unsafe=True))

        assert "Hostname" not in made
        assert made["HostConfig"]["NetworkMode"] == "container:vpn"

    def test_empty_entrypoint_removes_the_images(self) -> None:
        """An empty command or entrypoint is not the same as none."""
        assert "Entrypoint" not in body(a_worker())
        assert body(a_worker(entrypoint=[""]))["Entrypoint"] == [""]


class TestEnvironment:
    """Who wins where a variable is given twice."""

    def test_name_wins_over_the_user(self) -> None:
        """A worker's node name is what the container's name says, whatever the file says."""
        worker = a_worker(environment={"CELERY_WORKER_HOSTNAME": "me@here", "AUTOSCALER_POOL": "x"})

        made = variables(NAME, worker, replica_environment(NAME, "web", None))

        assert (made["CELERY_WORKER_HOSTNAME"], made["AUTOSCALER_POOL"]) == (f"celery@{NAME}", "web")

    def test_user_wins_over_the_broker(self) -> None:
        """The broker's address is given where the user has not given one."""
        worker = a_worker(environment={"CELERY_BROKER_URL": "redis://mine/0"})

        made = variables(NAME, worker, replica_environment(NAME, "web", "redis://active/0"))

        assert (made["CELERY_BROKER_URL"], made["REDIS_URL"]) == ("redis://mine/0", "redis://active/0")


class TestRefused:
    """What is not even asked of the engine."""

    @pytest.mark.parametrize(
        ("keys", "text"),
        [
            pytest.param({"image": None}, "worker.image is missing", id="no image"),
            pytest.param({"command": "celery 'open"}, "worker.command cannot be split", id="open quote"),
            pytest.param({"volumes": ["./data:/data"]}, "absolute path", id="relative mount"),
            pytest.param({"volumes": ["~/data:/data"]}, "absolute path", id="home mount"),
            pytest.param({"volumes": ["data:relative"]}, "source:/path", id="relative target"),
        ],
    )
    def test_what_cannot_be_meant(self, keys: dict[str, Any], text: str) -> None:
        """A key that cannot be understood is refused in words that say what to write."""
        with pytest.raises(StartRefused, match=text):
            body(a_worker(**keys))

    UNSAFE = (
        pytest.param({"privileged": True}, id="privileged"),
        pytest.param({"pid": "host"}, id="host processes"),
        pytest.param({"ipc": "host"}, id="host memory"),
        pytest.param({"network_mode": "host"}, id="host network"),
        pytest.param({"pid": "container:db"}, id="another container's processes"),
        pytest.param({"volumes": ["/:/host:ro"]}, id="root"),
        pytest.param({"volumes": ["//:/host"]}, id="root written twice"),
        pytest.param({"volumes": ["/srv/..:/host"]}, id="root by a detour"),
        pytest.param({"volumes": ["/var/run/docker.sock:/s"]}, id="socket"),
        pytest.param({"volumes": ["/var/run:/host"]}, id="folder of the socket"),
        pytest.param({"volumes": ["/run/user/1000/podman/podman.sock:/s"]}, id="another engine's socket"),
        pytest.param({"cap_add": ["cap_sys_admin"]}, id="capability"),
        pytest.param({"security_opt": ["seccomp:unconfined"]}, id="no seccomp"),
    )

    @pytest.mark.parametrize("keys", UNSAFE)
    def test_what_opens_the_host(self, keys: dict[str, Any]) -> None:
        """What hands the host to a worker is refused here too, whoever let it pass before."""
        with pytest.raises(StartRefused, match="allow_unsafe"):
            body(a_worker(**keys))

    @pytest.mark.parametrize("keys", UNSAFE)
    def test_unless_it_is_allowed(self, keys: dict[str, Any]) -> None:
        """The same with allow_unsafe is sent."""
        worker = WorkerSpec.model_validate({"image": "app:1", "allow_unsafe": True} | keys)

        assert unsafe(worker) == ()
        assert body(worker)["Image"] == "app:1"
