"""What Docker's clients are shown: lists, inspections, usage, times, events, log frames."""

from __future__ import annotations

import time

import pytest

from engine.docker import containers, images, networks, stats, system, times
from engine.docker.logs import Encoder
from engine.errors import BadRequest
from engine.model import (
    ContainerConfig,
    ContainerState,
    ContainerSummary,
    Event,
    ImageConfig,
    ImageSummary,
    Limits,
    Mount,
    NetworkSummary,
    Publish,
    RestartPolicy,
    Sample,
)

NOW = 1_800_000_000.25
ID = "ab" * 32


def summary(state: ContainerState | None = None, **fields: object) -> ContainerSummary:
    known = {
        "id": ID,
        "name": "web",
        "image": "host",
        "image_id": "host",
        "command": "sh",
        "created_at": NOW,
        "state": state or ContainerState(status="running", pid=7, started_at=NOW),
        "network": "bridge",
        "address": "10.88.0.2",
        "publish": [Publish(container_port=80, host_port=8080)],
    }
    return ContainerSummary(**{**known, **fields})  # type: ignore[arg-type]


def test_inspect_has_what_scripts_ask_for() -> None:
    config = ContainerConfig(
        image="host",
        command=["-c", "true"],
        env=["A=2"],
        mounts=[Mount(type="volume", source="box", target="/data", read_only=True)],
        restart=RestartPolicy(name="on-failure", max_retries=3),
        limits=Limits(cpus=1.5, memory=64 << 20),
        publish=[Publish(container_port=80, host_port=8080)],
    )
    state = ContainerState(
        status="exited", exit_code=137, oom_killed=True, started_at=NOW, finished_at=NOW + 1
    )
    facts = containers.Facts(
        image=ImageConfig(entrypoint=["sh"], command=["never"], env=["A=1", "B=1"], workdir="/w"),
        sources={"/data": "/v/box/_data"},
        gateway="10.88.0.1",
        prefix=16,
        mac="02:00:00:00:00:01",
        network_id="net",
        more={"undo": 2},
    )
    found = containers.inspect(summary(state), config, facts)
    assert (found["Id"], found["Name"], found["Path"], found["Args"]) == (ID, "/web", "sh", ["-c", "true"])
    assert found["State"]["OOMKilled"] is True
    assert (found["State"]["ExitCode"], found["State"]["Running"]) == (137, False)
    assert found["State"]["StartedAt"] == "2027-01-15T08:00:00.250000000Z"
    assert found["HostConfig"]["NanoCpus"] == 1_500_000_000
    assert found["HostConfig"]["Memory"] == 64 << 20
    assert found["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert found["HostConfig"]["PortBindings"] == {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}
    assert found["Config"]["Env"] == ["B=1", "A=2"]
    assert found["Config"]["WorkingDir"] == "/w"
    assert found["Config"]["Entrypoint"] == ["sh"]
    settings = found["NetworkSettings"]
    assert (settings["IPAddress"], settings["Gateway"], settings["IPPrefixLen"]) == (
        "10.88.0.2",
        "10.88.0.1",
        16,
    )
    assert settings["Networks"]["bridge"]["NetworkID"] == "net"
    assert settings["Ports"] == {}  # it does not run
    assert found["Mounts"][0]["Source"] == "/v/box/_data"
    assert (found["Mounts"][0]["RW"], found["Mounts"][0]["Name"]) == (False, "box")
    assert found["Tiffin"]["undo"] == 2
    assert found["Tiffin"]["config"]["limits"]["cpus"] == 1.5


def test_a_running_container_shows_its_ports() -> None:
    found = containers.inspect(
        summary(), ContainerConfig(image="host"), containers.Facts(image=ImageConfig())
    )
    assert found["NetworkSettings"]["Ports"] == {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}
    assert containers.listed(summary())["Ports"] == [
        {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}
    ]


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (ContainerState(), "Created"),
        (ContainerState(status="running", started_at=NOW - 200), "Up 3 minutes"),
        (ContainerState(status="paused", started_at=NOW - 5), "Up 5 seconds (Paused)"),
        (ContainerState(status="exited", exit_code=137, finished_at=NOW - 7300), "Exited (137) 2 hours ago"),
        (
            ContainerState(status="restarting", exit_code=1, finished_at=NOW - 1),
            "Restarting (1) 1 second ago",
        ),
        (ContainerState(status="dead"), "Dead"),
    ],
)
def test_status_in_dockers_words(state: ContainerState, text: str) -> None:
    assert containers.status_text(state, NOW) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (61, "About a minute"),
        (3700, "About an hour"),
        (47 * 3600, "47 hours"),
        (49 * 3600, "2 days"),
        (15 * 86400, "2 weeks"),
        (70 * 86400, "2 months"),
        (800 * 86400, "2 years"),
    ],
)
def test_durations_in_dockers_words(seconds: float, text: str) -> None:
    assert times.ago(seconds) == text


def test_times_are_read_in_all_of_dockers_ways() -> None:
    assert times.parse_time("", "since") == 0
    assert times.parse_time("12.5", "since") == 12.5
    assert times.parse_time("1h30m", "since") == pytest.approx(time.time() - 5400, abs=5)
    assert times.parse_time("2027-01-15T08:00:00.250000000Z", "since") == NOW
    assert times.parse_time("2027-01-15T09:00:00.25+01:00", "since") == NOW
    for strange in ("yesterday", "-5", "nan", "inf", "1e99", "99999-01-01"):
        with pytest.raises(BadRequest, match="since"):
            times.parse_time(strange, "since")
    assert times.rfc3339(0) == times.NEVER


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ({}, True),
        ({"name": ["we"]}, True),
        ({"name": ["x", "web"]}, True),
        ({"name": ["x"]}, False),
        ({"id": ["abab"]}, True),
        ({"status": ["exited"]}, False),
        ({"status": ["running"], "network": ["bridge"]}, True),
        ({"label": ["a", "b=2"]}, True),
        ({"label": ["a", "b=3"]}, False),
        ({"ancestor": ["host"]}, True),
        ({"ancestor": ["other"]}, False),
    ],
)
def test_list_filters(filters: dict[str, list[str]], passes: bool) -> None:
    assert containers.matches(summary(labels={"a": "1", "b": "2"}), filters, ["host"]) is passes


def cpu_percent(found: dict) -> float:  # type: ignore[type-arg]
    """As docker's command computes it (cli/command/container/stats_helpers.go)."""
    now, before = found["cpu_stats"], found["precpu_stats"]
    cpu = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    machine = now["system_cpu_usage"] - before["system_cpu_usage"]
    return cpu / machine * now["online_cpus"] * 100


def test_the_docker_client_computes_the_right_percentages_from_stats() -> None:
    before = stats.Counters(at=NOW, uptime=9000, cpu=10.0)
    now = stats.Counters(at=NOW + 2, uptime=9002, cpu=11.0, io_read=5, net_rx=7)
    sample = Sample(memory=30, cache=12, memory_limit=None, pids=3)
    found = stats.stats(summary(), sample, now, before, cores=4, memory_total=1000)
    assert cpu_percent(found) == pytest.approx(50.0, abs=0.1)
    memory = found["memory_stats"]
    assert memory["usage"] - memory["stats"]["total_inactive_file"] == 30
    assert memory["limit"] == 1000
    assert found["pids_stats"]["current"] == 3
    assert found["networks"]["eth0"]["rx_bytes"] == 7
    assert found["blkio_stats"]["io_service_bytes_recursive"][0]["value"] == 5


def test_an_event_has_todays_names_and_yesterdays() -> None:
    event = Event(at=NOW, type="container", action="die", id=ID, name="web", attributes={"image": "host"})
    found = system.event(event)
    assert found["Actor"] == {"ID": ID, "Attributes": {"image": "host", "name": "web"}}
    assert (found["status"], found["id"], found["from"]) == ("die", ID, "host")
    assert found["timeNano"] == 1_800_000_000_250_000_000


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ({"type": ["container"], "event": ["die"]}, True),
        ({"container": ["web"]}, True),
        ({"container": ["abab"]}, True),
        ({"image": ["host"]}, True),
        ({"event": ["start"]}, False),
        ({"network": ["web"]}, False),
    ],
)
def test_event_filters(filters: dict[str, list[str]], passes: bool) -> None:
    event = Event(at=NOW, type="container", action="die", id=ID, name="web", attributes={"image": "host"})
    assert system.event_matches(event, filters) is passes


def test_log_records_are_framed_by_stream_and_a_lines_pieces_stamped_once() -> None:
    records = [(b"T1", "stdout", False, b"a"), (b"T2", "stderr", True, b"e"), (b"T3", "stdout", True, b"b")]
    assert Encoder(tty=False, timestamps=True).encode(records) == (
        b"\1\0\0\0\0\0\0\4T1 a" + b"\2\0\0\0\0\0\0\5T2 e\n" + b"\1\0\0\0\0\0\0\2b\n"
    )
    assert Encoder(tty=True, timestamps=False).encode(records) == b"ae\nb\n"


def test_images_and_networks() -> None:
    image = ImageSummary(id="sha256:12", names=["box:latest"], created_at=NOW, size=5, digest="sha256:34")
    assert images.listed(image)["RepoDigests"] == ["box@sha256:34"]
    assert images.inspect(image)["RepoTags"] == ["box:latest"]
    network = NetworkSummary(
        id="n",
        name="lab",
        driver="bridge",
        subnet="10.1.0.0/16",
        gateway="10.1.0.1",
        containers={ID: "10.1.0.2"},
    )
    found = networks.network(network, {ID: "web"})
    assert found["Containers"][ID]["IPv4Address"] == "10.1.0.2/16"
    assert found["IPAM"]["Config"] == [{"Subnet": "10.1.0.0/16", "Gateway": "10.1.0.1"}]
    assert networks.network(NetworkSummary(id="x", name="none", driver="none"), {})["Driver"] == "null"
