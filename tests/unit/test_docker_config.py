"""Docker's create, update and exec bodies to and from the engine's nouns."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, json

from engine.docker.body import UpdateBody, parse
from engine.docker.config import exec_from_docker, exec_to_docker, from_docker, to_docker
from engine.docker.resources import change_from_resources
from engine.errors import BadRequest, Unsupported
from engine.model import (
    ContainerConfig,
    ExecConfig,
    IoLimit,
    Limits,
    LimitsChange,
    LogOptions,
    Mount,
    Publish,
    RestartPolicy,
    Ulimit,
)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
word = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
port = st.integers(1, 65535)
amount = st.none() | st.integers(1, 1 << 50)

limits = st.builds(
    Limits,
    cpus=st.none() | st.integers(1, 512_000).map(lambda n: n / 1000),
    cpu_weight=st.none() | st.integers(1, 10000),
    cpu_idle=st.booleans(),
    cpuset=st.none() | st.just("0-1,3"),
    memory=amount,
    memory_high=amount,
    swap=st.none() | st.integers(0, 1 << 40),
    io_weight=st.none() | st.integers(1, 10000),
    io=st.dictionaries(
        word,
        st.builds(IoLimit, read_bps=amount, write_bps=amount, read_iops=amount, write_iops=amount).filter(
            lambda limit: limit != IoLimit()
        ),
        max_size=3,
    ),
    pids=amount,
)
mounts = st.one_of(
    st.builds(
        Mount, type=st.sampled_from(["bind", "volume"]), source=word, target=word, read_only=st.booleans()
    ),
    st.builds(
        Mount,
        type=st.just("tmpfs"),
        target=word,
        read_only=st.booleans(),
        size=amount,
        mode=st.none() | st.integers(1, 0o1777),
    ),
)
restarts = st.one_of(
    st.builds(RestartPolicy, name=st.sampled_from(["no", "always", "unless-stopped"])),
    st.builds(RestartPolicy, name=st.just("on-failure"), max_retries=st.integers(0, 99)),
)
configs = st.builds(
    ContainerConfig,
    image=word,
    command=st.lists(text, max_size=3),
    entrypoint=st.none() | st.lists(word, max_size=3),
    env=st.lists(text, max_size=3),
    workdir=text,
    user=text,
    hostname=text,
    tty=st.booleans(),
    stdin=st.booleans(),
    read_only=st.booleans(),
    mounts=st.lists(mounts, max_size=3),
    network=st.sampled_from(["bridge", "none", "host", "lab"]),
    publish=st.lists(
        st.builds(
            Publish,
            container_port=port,
            host_port=st.just(0) | port,
            host_ip=st.sampled_from(["0.0.0.0", "127.0.0.1"]),
            protocol=st.sampled_from(["tcp", "udp"]),
        ),
        max_size=3,
        unique_by=lambda publish: publish.container_port,
    ),
    extra_hosts=st.lists(text, max_size=2),
    dns=st.lists(text, max_size=2),
    ulimits=st.lists(
        st.builds(Ulimit, name=word, soft=st.integers(-1, 99), hard=st.integers(-1, 99)), max_size=2
    ),
    labels=st.dictionaries(text, text, max_size=2),
    stop_signal=text,
    stop_grace=st.none() | st.floats(0, 1e6),
    restart=restarts,
    init=st.booleans(),
    privileged=st.booleans(),
    cap_add=st.lists(text, max_size=2),
    cap_drop=st.lists(text, max_size=2),
    limits=limits,
    auto_remove=st.booleans(),
    log=st.builds(LogOptions, max_size=st.integers(1, 1 << 40), max_files=st.integers(1, 99)),
)


@given(configs)
def test_a_config_survives_the_way_through_dockers_json(config: ContainerConfig) -> None:
    assert from_docker(json.decode(json.encode(to_docker(config)))) == config


@given(
    st.builds(
        ExecConfig,
        command=st.lists(text, min_size=1, max_size=3),
        env=st.lists(text, max_size=2),
        workdir=text,
        user=text,
        tty=st.booleans(),
        stdin=st.booleans(),
        privileged=st.booleans(),
    )
)
def test_an_exec_survives_it_too(config: ExecConfig) -> None:
    assert exec_from_docker(json.decode(json.encode(exec_to_docker(config)))) == config


def body(**host: Any) -> dict[str, Any]:
    return {"Image": "host", "HostConfig": host}


def test_what_the_docker_client_sends_for_a_plain_run_is_the_default_config() -> None:
    raw = {
        "Hostname": "", "Domainname": "", "User": "", "AttachStdin": False, "AttachStdout": True,
        "AttachStderr": True, "Tty": False, "OpenStdin": False, "StdinOnce": False, "Env": None,
        "Cmd": ["true"],
        "Image": "host", "Volumes": {}, "WorkingDir": "", "Entrypoint": None, "OnBuild": None, "Labels": {},
        "HostConfig": {
            "Binds": None, "ContainerIDFile": "", "LogConfig": {"Type": "", "Config": {}},
            "NetworkMode": "default", "PortBindings": {},
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
            "AutoRemove": False, "VolumeDriver": "", "VolumesFrom": None, "CapAdd": None, "CapDrop": None,
            "CgroupnsMode": "", "Dns": [], "DnsOptions": [], "DnsSearch": [], "ExtraHosts": None,
            "GroupAdd": None,
            "IpcMode": "", "Cgroup": "", "Links": None, "OomScoreAdj": 0, "PidMode": "", "Privileged": False,
            "PublishAllPorts": False, "ReadonlyRootfs": False, "SecurityOpt": None, "UTSMode": "",
            "UsernsMode": "", "ShmSize": 0, "ConsoleSize": [24, 80], "Isolation": "", "CpuShares": 0,
            "Memory": 0,
            "NanoCpus": 0, "CgroupParent": "", "BlkioWeight": 0, "BlkioWeightDevice": [],
            "BlkioDeviceReadBps": None, "CpuPeriod": 0, "CpuQuota": 0, "Devices": [], "DeviceRequests": None,
            "MemorySwap": 0, "MemorySwappiness": -1, "OomKillDisable": False, "PidsLimit": 0, "Ulimits": None,
            "MaskedPaths": None, "ReadonlyPaths": None,
        },
        "NetworkingConfig": {"EndpointsConfig": {}},
    }  # fmt: skip
    assert from_docker(raw) == ContainerConfig(image="host", command=["true"])


@pytest.mark.parametrize(
    ("host", "limits"),
    [
        ({"Memory": 64 << 20}, Limits(memory=64 << 20, swap=64 << 20)),
        ({"Memory": 64 << 20, "MemorySwap": 64 << 20}, Limits(memory=64 << 20, swap=0)),
        ({"Memory": 64 << 20, "MemorySwap": -1}, Limits(memory=64 << 20)),
        ({"NanoCpus": 1_500_000_000}, Limits(cpus=1.5)),
        ({"CpuQuota": 50_000}, Limits(cpus=0.5)),
        ({"CpuQuota": 50_000, "CpuPeriod": 25_000}, Limits(cpus=2.0)),
        ({"CpuShares": 1024}, Limits(cpu_weight=100)),
        ({"CpuShares": 2}, Limits(cpu_weight=1)),
        ({"BlkioWeight": 500}, Limits(io_weight=100)),
        ({"PidsLimit": -1}, Limits()),
        ({"PidsLimit": 7}, Limits(pids=7)),
        ({"CpusetCpus": "0"}, Limits(cpuset="0")),
        (
            {"BlkioDeviceReadBps": [{"Path": "/dev/vda", "Rate": 5}],
             "BlkioDeviceWriteIOps": [{"Path": "/dev/vda", "Rate": 6}]},
            Limits(io={"/dev/vda": IoLimit(read_bps=5, write_iops=6)}),
        ),
    ],
)  # fmt: skip
def test_limits_mean_what_docker_says_they_mean(host: dict[str, Any], limits: Limits) -> None:
    assert from_docker(body(**host)).limits == limits


@pytest.mark.parametrize(
    ("host", "mount"),
    [
        ({"Binds": ["/srv:/data:ro"]}, Mount(type="bind", source="/srv", target="/data", read_only=True)),
        ({"Binds": ["box:/data"]}, Mount(type="volume", source="box", target="/data")),
        ({"Tmpfs": {"/x": "size=16m,mode=700"}}, Mount(type="tmpfs", target="/x", size=16 << 20, mode=0o700)),
        ({"ShmSize": 1 << 20}, Mount(type="tmpfs", target="/dev/shm", size=1 << 20, mode=0o1777)),
    ],
)
def test_every_way_to_ask_for_a_mount(host: dict[str, Any], mount: Mount) -> None:
    assert from_docker(body(**host)).mounts == [mount]


@pytest.mark.parametrize(
    ("raw", "error", "names"),
    [
        ({"Image": 5}, BadRequest, "Image"),
        ({}, BadRequest, "Image"),
        (body(Memory="64m"), BadRequest, "HostConfig.Memory"),
        (body(Memory=-5), BadRequest, "Memory"),
        (body(NanoCpus=1, CpuQuota=1), BadRequest, "NanoCpus"),
        (body(Memory=10, MemorySwap=5), BadRequest, "MemorySwap"),
        (body(MemorySwap=5), BadRequest, "MemorySwap"),
        (body(RestartPolicy={"Name": "often"}), BadRequest, "RestartPolicy.Name"),
        (body(RestartPolicy={"Name": "always", "MaximumRetryCount": 3}), BadRequest, "MaximumRetryCount"),
        (body(PortBindings={"x/tcp": None}), BadRequest, "PortBindings"),
        (body(PortBindings={"80/tcp": [{"HostPort": "70000"}]}), BadRequest, "PortBindings"),
        (body(PortBindings={"80/sctp": None}), Unsupported, "PortBindings"),
        (body(Binds=["a:b:c:d"]), BadRequest, "Binds"),
        (body(Binds=["/a:/b:rshared"]), Unsupported, "rshared"),
        (body(Mounts=[{"Type": "npipe", "Target": "/x"}]), Unsupported, "npipe"),
        (body(Mounts=[{"Type": "bind"}]), BadRequest, "HostConfig.Mounts"),
        (body(Mounts=[{"Type": "bind", "Target": "/b", "BindOptions": {"NonRecursive": True}}]),
         Unsupported, "NonRecursive"),
        (body(LogConfig={"Type": "syslog"}), Unsupported, "LogConfig.Type"),
        (body(LogConfig={"Config": {"max-size": "ten"}}), BadRequest, "max-size"),
        (body(PidMode="host"), Unsupported, "HostConfig.PidMode"),
        (body(IpcMode="host"), Unsupported, "HostConfig.IpcMode"),
        (body(SecurityOpt=["seccomp=unconfined"]), Unsupported, "HostConfig.SecurityOpt"),
        (body(Sysctls={"a": "b"}), Unsupported, "HostConfig.Sysctls"),
        (body(NetworkMode="container:x"), Unsupported, "NetworkMode"),
        (body(FutureField=1), Unsupported, "HostConfig.FutureField"),
        ({"Image": "host", "Healthcheck": {"Test": ["CMD", "true"]}}, Unsupported, "Healthcheck"),
        ({"Image": "host", "StopTimeout": -1}, BadRequest, "StopTimeout"),
        ({"Image": "host", "Cmd": [5]}, BadRequest, "Cmd"),
        ({"Image": "host", "NetworkingConfig": {"EndpointsConfig": {"x": {}}}}, Unsupported, "second"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_refused_by_name(raw: Any, error: type[Exception], names: str) -> None:
    with pytest.raises(error, match=names):
        from_docker(raw)


@pytest.mark.parametrize(
    ("raw", "change"),
    [
        ({"Memory": 0, "NanoCpus": 0, "PidsLimit": None, "CpuShares": 0}, LimitsChange()),
        ({"NanoCpus": 500_000_000, "Memory": 1 << 26}, LimitsChange(cpus=0.5, memory=1 << 26)),
        ({"CpuQuota": -1}, LimitsChange(cpus=None)),
        ({"PidsLimit": -1}, LimitsChange(pids=None)),
        ({"PidsLimit": 0}, LimitsChange(pids=None)),
        ({"MemorySwap": -1}, LimitsChange(swap=None)),
        ({"MemorySwap": 150}, LimitsChange(swap=50)),
        ({"Memory": 120, "MemorySwap": 150}, LimitsChange(memory=120, swap=30)),
        ({"BlkioWeight": 100, "CpuShares": 512}, LimitsChange(io_weight=20, cpu_weight=50)),
    ],
)
def test_an_update_changes_what_it_names_and_nothing_else(raw: Any, change: LimitsChange) -> None:
    found = change_from_resources(parse(raw, UpdateBody), Limits(memory=100))
    assert found == change
    assert (found.io, found.cpu_idle, found.memory_high) == (UNSET, UNSET, UNSET)


FIELDS = "Image Cmd Entrypoint Env Volumes StopTimeout Tiffin NetworkingConfig Healthcheck Labels Tty"
HOST_FIELDS = (
    "Memory MemorySwap NanoCpus CpuQuota CpuPeriod Binds Mounts Tmpfs PortBindings RestartPolicy LogConfig "
    "Ulimits NetworkMode SecurityOpt ShmSize PidsLimit BlkioDeviceReadBps Other"
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
    max_leaves=6,
)
hosts = st.dictionaries(
    st.sampled_from(HOST_FIELDS.split()),
    json_values,
    max_size=4,
)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "Image",
                "Cmd",
                "Entrypoint",
                "Env",
                "Volumes",
                "StopTimeout",
                "Tiffin",
                "NetworkingConfig",
                "Healthcheck",
                "Labels",
                "Tty",
            ]
        ),
        json_values,
        max_size=4,
    ),
    st.none() | hosts,
)
def test_whatever_is_sent_is_understood_or_refused(raw: dict[str, Any], host: dict[str, Any] | None) -> None:
    with contextlib.suppress(BadRequest, Unsupported):
        from_docker({"Image": "host", **raw, "HostConfig": host})
