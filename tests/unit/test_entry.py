"""What a person typed, read strictly."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadRequest
from engine.model import Mount, Publish, RestartPolicy, Ulimit
from tui.presentation import entry, options

NOW = 1_000_000.0


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("4096", 4096),
        ("64m", 64 << 20),
        ("1.5G", 3 << 29),
        ("10MiB", 10 << 20),
        ("1kb", 1024),
        ("7b", 7),
    ],
)
def test_sizes(text: str, count: int) -> None:
    assert entry.size(text) == count


@pytest.mark.parametrize(
    ("text", "seconds"), [("10", 10), ("1.5", 1.5), ("1m30s", 90), ("250ms", 0.25), ("2h", 7200), ("0", 0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert entry.duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("10m", NOW - 600),
        ("12.5", 12.5),
        ("1970-01-02T00:00:00Z", 86400),
        ("1970-01-01T02:00:00+01:00", 3600),
    ],
)
def test_moments(text: str, at: float) -> None:
    assert entry.moment(text, NOW) == at


REFUSED: list[tuple[Callable[[str], Any], list[str]]] = [
    (
        entry.size,
        ["", "64x", "-1", "m", "1e9", "64 m b", "٣", "9e99", "8E8E", str(2**63), "0x10", "nan", "inf"],
    ),
    (entry.duration, ["", "-1", "10x", "1m 30s", "s", "1d", "nan"]),
    (lambda text: entry.moment(text, NOW), ["", "yesterday", "2026-13-01", "-5"]),
    (entry.cores, ["", "0", "-1", "0.0", "1,5", "two", "nan", "inf"]),
    (entry.cpuset, ["", "a", "3-1", "0-", ",1", "0,,1"]),
    (entry.weight, ["0", "10001", "1.5", "", "+5"]),
    (entry.pids, ["0", "-5", "many"]),
    (entry.signal_name, ["", "SIGFOO", "0", "99", "-9"]),
    (entry.boolean, ["", "maybe"]),
    (
        options.publish,
        ["", "0:80", "80:", "x:80", "8080:70000", "a.b:1:2", "80/sctp", "1-2:3-5", "5-4:1-2", "1:2:3:4"],
    ),
    (options.volume, ["", "a", "a:b", ":/x", "/x:", "/a:/b:rw:z", "/a:/b:exec", "/a:/", "a/b:/c", "a b:/c"]),
    (
        options.mount,
        ["", "type=bind,target=/x", "type=bind,source=x,target=/x", "type=nfs,target=/x", "target=x"],
    ),
    (options.mount, ["type=tmpfs,source=/a,target=/x", "type=bind,source=/a,target=/x,propagation=shared"]),
    (options.mount, ["type=tmpfs,target=/x,tmpfs-mode=9", "type=volume,target=/x,readonly=maybe"]),
    (options.tmpfs, ["", "run", "/run:size=x", "/run:mode=8", "/run:uid=1", "/"]),
    (options.ulimit, ["", "nofile", "files=1", "nofile=x", "nofile=5:4", "nofile=-1:4", "nofile=-2"]),
    (options.restart, ["", "sometimes", "always:3", "on-failure:", "on-failure:x", "on-failure:-1"]),
    (options.label, ["", "=x"]),
    (options.extra_host, ["", "db", "db:", ":10.0.0.1", "db:300.0.0.1", "d b:10.0.0.1"]),
    (options.ip_address, ["", "localhost", "1.2.3"]),
    (options.log_option, ["", "max-size", "max-size=1", "max-file=0", "mode=x"]),
    (lambda text: options.env(text, {}), ["", "=x", "A\0=1"]),
    (
        lambda text: options.device_rate(text, bytes_each=True),
        ["", "sda:1m", "/dev/sda", "/dev/sda:x", "8:1m"],
    ),
]


@pytest.mark.parametrize(("read", "text"), [(read, text) for read, texts in REFUSED for text in texts])
def test_malformed_words_are_refused_with_a_sentence_and_a_remedy(
    read: Callable[[str], Any], text: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        read(text)
    assert refused.value.message
    assert refused.value.remedy
    assert "\n" not in refused.value.message


READERS = [read for read, _ in REFUSED]


@given(st.sampled_from(READERS), st.text(max_size=40))
def test_no_text_breaks_a_reader(read: Callable[[str], Any], text: str) -> None:
    with contextlib.suppress(BadRequest):
        read(text)


def test_signals_by_name_and_number() -> None:
    assert entry.signal_name("term") == entry.signal_name("SIGTERM") == entry.signal_name("15") == "SIGTERM"
    assert entry.signal_name("rtmin+3") == "SIGRTMIN+3"


def test_published_ports() -> None:
    assert options.publish("8080:80") == [Publish(container_port=80, host_port=8080)]
    assert options.publish("80") == [Publish(container_port=80, host_port=0)]
    assert options.publish("127.0.0.1:53:5353/UDP") == [
        Publish(container_port=5353, host_port=53, host_ip="127.0.0.1", protocol="udp")
    ]
    assert options.publish("127.0.0.1::80") == [Publish(container_port=80, host_ip="127.0.0.1")]
    assert options.publish("[::1]:1:2") == [Publish(container_port=2, host_port=1, host_ip="::1")]
    assert [(p.host_port, p.container_port) for p in options.publish("8000-8002:80-82")] == [
        (8000, 80), (8001, 81), (8002, 82),
    ]  # fmt: skip


def test_volumes_and_mounts() -> None:
    assert options.volume("/src:/dst:ro") == Mount(type="bind", source="/src", target="/dst", read_only=True)
    assert options.volume("data:/var/lib/x") == Mount(type="volume", source="data", target="/var/lib/x")
    assert options.volume("/cache") == Mount(type="volume", source="", target="/cache")
    assert options.volume("./here:/x").source.startswith("/")
    assert options.volume("/a/../b:/x/./y/") == Mount(type="bind", source="/b", target="/x/y")
    assert options.tmpfs("/run:size=64m,mode=1777") == Mount(
        type="tmpfs", target="/run", size=64 << 20, mode=0o1777
    )
    assert options.mount("type=bind,src=/a,dst=/b,readonly") == options.volume("/a:/b:ro")
    assert options.mount('type=bind,"source=/a,b",target=/c').source == "/a,b"


def test_other_compound_words() -> None:
    assert options.ulimit("nofile=1024:4096") == Ulimit(name="nofile", soft=1024, hard=4096)
    assert options.ulimit("core=-1") == Ulimit(name="core", soft=-1, hard=-1)
    assert options.restart("on-failure:3") == RestartPolicy(name="on-failure", max_retries=3)
    assert options.extra_host("db:fd00::1") == "db:fd00::1"
    assert options.device_rate("8:0:max", bytes_each=True) == ("8:0", None)
    assert options.device_rate("/dev/vda:10m", bytes_each=True) == ("/dev/vda", 10 << 20)


def test_variables_come_from_here_when_they_have_no_value() -> None:
    lines = ["# comment", "", "A=1", "  B=x y \n", "HOME", "NOT_SET"]
    assert options.env_lines(lines, {"HOME": "/root"}) == ["A=1", "B=x y ", "HOME=/root"]


def test_a_mount_of_two_lines_is_refused() -> None:
    with pytest.raises(BadRequest, match="one line"):
        options.mount("\n0")


@pytest.mark.parametrize("line", ["bad line", "BAD NAME=1", "=x"])
def test_a_line_that_is_no_variable_is_refused_and_named(line: str) -> None:
    with pytest.raises(BadRequest, match=line):
        options.env_lines(["A=1", line], {})
