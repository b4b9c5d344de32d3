"""config.json from what the user asks and what the image says."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from engine.errors import BadRequest, NotPermitted
from engine.launch.bundle import arguments, bundle, environment, exec_process
from engine.launch.capabilities import DEFAULT, available, granted
from engine.launch.signals import signal_number
from engine.launch.validate import validate, validate_exec
from engine.model import (
    ContainerConfig,
    ExecConfig,
    ImageConfig,
    LogOptions,
    Mount,
    Publish,
    RestartPolicy,
    Ulimit,
)

IMAGE = ImageConfig(
    env=["LANG=C", "A=image"], entrypoint=["/entry"], command=["run"], workdir="/srv", user="web"
)
PASSWD = "root:x:0:0::/root:\nweb:x:33:34::/var/www:\n"
GROUP = "root:x:0:\nlog:x:4:web\n"


def make(image: ImageConfig = IMAGE, files: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    config = ContainerConfig(image="i", **more)
    validate(config)
    return bundle(
        config,
        image,
        rootfs="/r",
        hostname="box",
        passwd=PASSWD,
        group=GROUP,
        files=files,
        volumes={"data": "/v/data"},
    )


def mount(spec: dict[str, Any], destination: str) -> dict[str, Any]:
    [found] = [m for m in spec["mounts"] if m["destination"] == destination]
    return found


def test_what_the_image_says_is_inherited() -> None:
    process = make()["process"]
    assert process["args"] == ["/entry", "run"]
    assert process["cwd"] == "/srv"
    assert process["user"] == {"uid": 33, "gid": 34, "additionalGids": [34, 4]}
    assert process["env"] == [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        *("HOSTNAME=box", "HOME=/var/www", "LANG=C", "A=image"),
    ]
    assert process["noNewPrivileges"] is True
    assert "terminal" in process
    assert process["rlimits"] == []


def test_what_the_user_says_wins() -> None:
    process = make(
        env=["A=mine", "PATH=/bin"],
        workdir="/tmp",
        user="5:6",
        tty=True,
        ulimits=[Ulimit(name="nofile", soft=5, hard=6), Ulimit(name="core", soft=-1, hard=-1)],
    )["process"]
    assert {"A=mine", "PATH=/bin", "TERM=xterm"} <= set(process["env"])
    assert "A=image" not in process["env"]
    assert (process["cwd"], process["user"]["uid"], process["terminal"]) == ("/tmp", 5, True)
    assert process["rlimits"] == [
        {"type": "RLIMIT_NOFILE", "soft": 5, "hard": 6},
        {"type": "RLIMIT_CORE", "soft": 2**64 - 1, "hard": 2**64 - 1},
    ]


@pytest.mark.parametrize(
    ("entrypoint", "command", "expected"),
    [
        (None, [], ["/entry", "run"]),
        (None, ["x"], ["/entry", "x"]),
        (["/mine"], [], ["/mine"]),
        (["/mine"], ["x", "y"], ["/mine", "x", "y"]),
        ([], ["x"], ["x"]),
    ],
)
def test_entrypoint_and_command_merge_as_in_docker(
    entrypoint: list[str] | None, command: list[str], expected: list[str]
) -> None:
    assert arguments(ContainerConfig(image="i", entrypoint=entrypoint, command=command), IMAGE) == expected


@pytest.mark.parametrize(
    ("config", "image"),
    [
        (ContainerConfig(image="i"), ImageConfig()),
        (ContainerConfig(image="i", entrypoint=[]), IMAGE),
        (ContainerConfig(image="i", command=[""]), ImageConfig()),
    ],
)
def test_nothing_to_run_is_refused(config: ContainerConfig, image: ImageConfig) -> None:
    with pytest.raises(BadRequest, match="no command"):
        arguments(config, image)


def test_environment_of_a_strange_image() -> None:
    assert environment(["A=1", "B", "=C", "D=", "E=x=y"], ["A=2"]) == ["A=2", "D=", "E=x=y"]


def test_namespaces_and_network() -> None:
    own, host, none = make(), make(network="host"), make(network="none")
    assert {n["type"] for n in own["linux"]["namespaces"]} == {
        "pid",
        "mount",
        "uts",
        "ipc",
        "cgroup",
        "network",
    }
    assert {"type": "network"} not in host["linux"]["namespaces"]
    assert {"type": "network"} in none["linux"]["namespaces"]
    assert own["linux"]["sysctl"]["net.ipv4.ip_unprivileged_port_start"] == "0"
    assert host["linux"]["sysctl"] == {}


def test_mounts(tmp_path: Path) -> None:
    spec = make(
        files={"/etc/hosts": "/c/hosts", "/etc/hostname": "/c/hostname"},
        mounts=[
            Mount(type="tmpfs", target="/a/b", size=4096, mode=0o700),
            Mount(type="bind", target="/a/", source=str(tmp_path), read_only=True),
            Mount(type="volume", target="/data", source="data"),
            Mount(type="tmpfs", target="/dev/shm", size=1 << 20),
            Mount(type="bind", target="/etc/hostname", source="/etc/hostname"),
        ],
    )
    order = [m["destination"] for m in spec["mounts"]]
    assert order.index("/a") < order.index("/a/b")
    assert order.index("/dev") < order.index("/dev/shm")
    assert len(order) == len(set(order))
    assert mount(spec, "/a")["options"] == ["rbind", "rprivate", "ro", "nodev"]
    assert mount(spec, "/a/b")["options"] == ["nosuid", "nodev", "noexec", "rw", "mode=700", "size=4096"]
    assert mount(spec, "/data")["source"] == "/v/data"
    assert "size=1048576" in mount(spec, "/dev/shm")["options"]
    assert mount(spec, "/etc/hosts")["source"] == "/c/hosts"
    assert mount(spec, "/etc/hostname")["source"] == "/etc/hostname"
    assert "ro" in mount(spec, "/sys")["options"]


def test_a_dev_of_the_users_own_takes_the_default_ones_away() -> None:
    spec = make(mounts=[Mount(type="bind", target="/dev", source="/dev")])
    assert [m["destination"] for m in spec["mounts"] if m["destination"].startswith("/dev")] == ["/dev"]


def test_a_source_gone_since_create_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "x"
    source.touch()
    config = ContainerConfig(image="i", mounts=[Mount(type="bind", target="/x", source=str(source))])
    validate(config)
    source.unlink()
    with pytest.raises(BadRequest, match="does not exist"):
        bundle(config, IMAGE, rootfs="/r", hostname="h", passwd=PASSWD, group=GROUP)


def test_privileged() -> None:
    plain, spec = make(), make(privileged=True)
    assert plain["linux"]["maskedPaths"]
    assert "/proc/sys" in plain["linux"]["readonlyPaths"]
    assert spec["linux"]["maskedPaths"] == spec["linux"]["readonlyPaths"] == []
    assert "ro" not in mount(spec, "/sys")["options"]
    assert "ro" not in mount(spec, "/sys/fs/cgroup")["options"]
    assert spec["process"]["noNewPrivileges"] is False
    assert set(spec["process"]["capabilities"]["effective"]) == {f"CAP_{name}" for name in available()}
    paths = [d["path"] for d in spec["linux"]["devices"]]
    assert len(paths) == len(set(paths))
    assert {d["path"] for d in plain["linux"]["devices"]} <= set(paths)
    assert make(read_only=True)["root"] == {"path": "/r", "readonly": True}


@pytest.mark.parametrize(
    ("add", "drop", "expected"),
    [
        ([], [], DEFAULT),
        (["CAP_NET_ADMIN", "sys_ptrace"], [], DEFAULT | {"NET_ADMIN", "SYS_PTRACE"}),
        ([], ["chown", "CAP_KILL"], DEFAULT - {"CHOWN", "KILL"}),
        ([], ["ALL"], set()),
        (["CHOWN"], ["ALL"], {"CHOWN"}),
        (["ALL"], ["SYS_ADMIN"], available() - {"SYS_ADMIN"}),
        (["ALL"], [], available()),
    ],
)
def test_capabilities(add: list[str], drop: list[str], expected: set[str]) -> None:
    expected = expected & available()
    assert set(granted(add, drop, privileged=False)) == {f"CAP_{name}" for name in expected}


def test_capabilities_refused() -> None:
    with pytest.raises(BadRequest, match=r"cap_add: there is no capability 'MAGIC'"):
        granted(["CAP_MAGIC"], [], privileged=False)
    with pytest.raises(BadRequest, match="cap_drop"):
        granted([], ["x"], privileged=False)
    if "SYS_RESOURCE" not in available():
        with pytest.raises(NotPermitted, match="SYS_RESOURCE"):
            granted(["SYS_RESOURCE"], [], privileged=False)


def test_nothing_is_inheritable() -> None:
    capabilities = make()["process"]["capabilities"]
    assert capabilities["inheritable"] == capabilities["ambient"] == []
    assert len(capabilities["bounding"]) == len(DEFAULT & available())


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("TERM", 15), ("SIGTERM", 15), ("sigkill", 9), ("15", 15), (" 2 ", 2), ("CHLD", 17), ("CLD", 17)),
        *(("RTMIN", 34), ("RTMIN+3", 37), ("SIGRTMAX-1", 63), ("64", 64)),
    ],
)
def test_signals(text: str, number: int) -> None:
    assert signal_number(text) == number


@pytest.mark.parametrize(
    "text",
    ["", "0", "65", "-9", "SIG", "NOPE", "RTMIN+40", "RTMAX-60", "RTMIN-1", "TERM+1", "9" * 100, "¹", "+"],
)
def test_signals_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="there is no signal"):
        signal_number(text)


def test_exec_takes_over_from_the_container() -> None:
    container = make(env=["B=1"])["process"]
    process = exec_process(ExecConfig(command=["ls"], env=["B=2"], tty=True), container, PASSWD, GROUP)
    assert process["args"] == ["ls"]
    assert {"B=2", "A=image", "TERM=xterm"} <= set(process["env"])
    assert process["user"] == container["user"]
    assert process["cwd"] == "/srv"
    assert process["capabilities"] == container["capabilities"]
    as_root = exec_process(
        ExecConfig(command=["ls"], user="root", workdir="/", privileged=True), container, PASSWD, GROUP
    )
    assert as_root["user"]["uid"] == 0
    assert "HOME=/root" in as_root["env"]
    assert as_root["cwd"] == "/"
    assert len(as_root["capabilities"]["bounding"]) == len(available())
    assert container["args"] == ["/entry", "run"]
    assert "B=1" in container["env"]
    with pytest.raises(BadRequest):
        exec_process(ExecConfig(command=["ls"], user="nobody"), container, PASSWD, GROUP)


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("image", {"image": ""}),
    ("command", {"command": ["a\0b"]}),
    ("entrypoint", {"entrypoint": ["a\0b"]}),
    ("env", {"env": ["NOVALUE"]}),
    ("env", {"env": ["=x"]}),
    ("env", {"env": ["A=\0"]}),
    ("workdir", {"workdir": "relative"}),
    ("user", {"user": "a:b:c"}),
    ("user", {"user": ":5"}),
    ("user", {"user": "../x"}),
    ("hostname", {"hostname": "a_b"}),
    ("hostname", {"hostname": "-a"}),
    ("hostname", {"hostname": "a" * 64}),
    ("hostname", {"hostname": "a\n"}),
    ("mounts", {"mounts": [Mount(type="tmpfs", target="x")]}),
    ("mounts", {"mounts": [Mount(type="tmpfs", target="/")]}),
    ("mounts", {"mounts": [Mount(type="tmpfs", target="//")]}),
    ("mounts", {"mounts": [Mount(type="tmpfs", target="/a/../..")]}),
    ("mounts", {"mounts": [Mount(type="tmpfs", target="/proc/sys")]}),
    ("mounts", {"mounts": [Mount(type="tmpfs", target="/./proc")]}),
    ("mounts", {"mounts": [Mount(type="tmpfs", target="/a"), Mount(type="tmpfs", target="/a/")]}),
    ("mounts", {"mounts": [Mount(type="tmpfs", target="/a"), Mount(type="tmpfs", target="//a")]}),
    ("mounts", {"mounts": [Mount(type="tmpfs", target="/a", size=0)]}),
    ("mounts", {"mounts": [Mount(type="tmpfs", target="/a", mode=0o10000)]}),
    ("mounts", {"mounts": [Mount(type="tmpfs", target="/a", source="x")]}),
    ("mounts", {"mounts": [Mount(type="bind", target="/a", source="relative")]}),
    ("mounts", {"mounts": [Mount(type="bind", target="/a", source="/does/not/exist")]}),
    ("mounts", {"mounts": [Mount(type="bind", target="/a", source="/", size=5)]}),
    ("mounts", {"mounts": [Mount(type="volume", target="/a", source="../x")]}),
    ("network", {"network": ""}),
    ("publish", {"publish": [Publish(container_port=0)]}),
    ("publish", {"publish": [Publish(container_port=65536)]}),
    ("publish", {"publish": [Publish(container_port=1, host_port=-1)]}),
    ("publish", {"publish": [Publish(container_port=1, host_ip="localhost")]}),
    (
        "publish",
        {"publish": [Publish(container_port=1, host_port=5), Publish(container_port=2, host_port=5)]},
    ),
    ("publish", {"publish": [Publish(container_port=1)], "network": "host"}),
    ("dns", {"dns": ["dns.example"]}),
    ("extra_hosts", {"extra_hosts": ["name"]}),
    ("extra_hosts", {"extra_hosts": ["name:elsewhere"]}),
    ("ulimits", {"ulimits": [Ulimit(name="files", soft=1, hard=1)]}),
    ("ulimits", {"ulimits": [Ulimit(name="nofile", soft=2, hard=1)]}),
    ("ulimits", {"ulimits": [Ulimit(name="nofile", soft=-1, hard=1)]}),
    ("ulimits", {"ulimits": [Ulimit(name="nofile", soft=-2, hard=1)]}),
    ("ulimits", {"ulimits": [Ulimit(name="core", soft=1, hard=1), Ulimit(name="CORE", soft=1, hard=1)]}),
    ("labels", {"labels": {"": "x"}}),
    ("there is no signal", {"stop_signal": "STOPP"}),
    ("stop_grace", {"stop_grace": -1.0}),
    ("stop_grace", {"stop_grace": float("nan")}),
    ("restart", {"restart": RestartPolicy(name="always", max_retries=3)}),
    ("restart", {"restart": RestartPolicy(name="on-failure", max_retries=-1)}),
    ("restart", {"restart": RestartPolicy(name="always"), "auto_remove": True}),
    ("cap_add", {"cap_add": ["FLY"]}),
    ("log", {"log": LogOptions(max_size=10)}),
]


@pytest.mark.parametrize(
    ("field", "fields"), REFUSED, ids=[f"{field}-{n}" for n, (field, _) in enumerate(REFUSED)]
)
def test_malformed_fields_are_named(field: str, fields: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match=f"^{field}") as caught:
        validate(ContainerConfig(**{"image": "i"} | fields))
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_a_full_config_passes() -> None:
    validate(
        ContainerConfig(
            image="i",
            command=["x"],
            env=["A="],
            user="a:b",
            hostname="a.b-c",
            workdir="/x",
            network="mine",
            publish=[Publish(container_port=80, host_port=80, protocol=p) for p in ("tcp", "udp")],
            dns=["::1"],
            extra_hosts=["a:::1", "b:10.0.0.1"],
            restart=RestartPolicy(name="on-failure", max_retries=3),
            mounts=[Mount(type="volume", target="/a")],
            stop_grace=0.5,
        )
    )


def test_ulimits_above_the_engines_own_are_refused_in_time() -> None:
    import resource

    own = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    config = ContainerConfig(image="i", ulimits=[Ulimit(name="nofile", soft=own + 1, hard=own + 1)])
    if "SYS_RESOURCE" in available():
        validate(config)
    else:
        with pytest.raises(NotPermitted, match=f"above {own}"):
            validate(config)


def test_exec_validation() -> None:
    validate_exec(ExecConfig(command=["ls"]))
    for bad in ({"command": []}, {"command": [""]}, {"env": ["x"]}, {"workdir": "x"}, {"user": "a:b:c"}):
        with pytest.raises(BadRequest):
            validate_exec(ExecConfig(**{"command": ["ls"]} | bad))  # type: ignore[arg-type]


def test_it_is_quick() -> None:
    make()
    began = time.process_time()
    for _ in range(100):
        make()
    slow = 50 if "User Mode Linux" in Path("/proc/cpuinfo").read_text() else 1
    assert (time.process_time() - began) / 100 < 0.0005 * slow
