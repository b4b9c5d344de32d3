"""What a container is asked to be, and its limits."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from engine.model.base import Noun


class IoLimit(Noun, frozen=True):
    """Throttles of one block device; None is no limit."""

    read_bps: int | None = None  # bytes a second
    write_bps: int | None = None
    read_iops: int | None = None  # operations a second
    write_iops: int | None = None


class Limits(Noun, frozen=True):
    """All limits of one container; None is no limit (the kernel's default for a weight)."""

    cpus: float | None = None  # cores
    cpu_weight: int | None = None  # 1 to 10000, the kernel's default is 100
    cpu_idle: bool = False  # SCHED_IDLE for the whole cgroup
    cpuset: str | None = None  # "0-1,3"
    memory: int | None = None  # bytes; above it: reclaim, then OOM kill
    memory_high: int | None = None  # bytes; above it: slowed down and reclaimed (cgroup v2 only)
    swap: int | None = None  # bytes of swap on top of memory; 0 forbids swapping
    io_weight: int | None = None  # 1 to 10000, default 100
    io: dict[str, IoLimit] = {}  # by device: "8:0" or "/dev/vda"
    pids: int | None = None  # processes and threads


class LimitsChange(Noun, frozen=True):
    """A change of limits: UNSET leaves, None clears, a value sets."""

    cpus: float | UnsetType | None = UNSET
    cpu_weight: int | UnsetType | None = UNSET
    cpu_idle: bool | UnsetType = UNSET
    cpuset: str | UnsetType | None = UNSET
    memory: int | UnsetType | None = UNSET
    memory_high: int | UnsetType | None = UNSET
    swap: int | UnsetType | None = UNSET
    io_weight: int | UnsetType | None = UNSET
    io: dict[str, IoLimit] | UnsetType = UNSET  # merged by device; an all-None entry clears that device
    pids: int | UnsetType | None = UNSET


class LimitReading(Noun, frozen=True):
    """One limit as the kernel holds it now."""

    name: str  # the field of Limits; "io" readings carry the device in `device`
    value: float | int | str | bool | None  # in the units of Limits; for io the IoLimit as "rbps=… wbps=…"
    file: str  # the kernel file it was read from, for instance "cpu.cfs_quota_us"
    raw: str  # that file's content
    device: str = ""
    supported: bool = True
    why_not: str = ""  # where not supported: one sentence


class LimitsApplied(Noun, frozen=True):
    """What one change did, as read back from the kernel."""

    before: Limits
    after: Limits
    readings: list[LimitReading]
    undo_left: int = 0  # how many changes can still be undone


class Mount(Noun, frozen=True):
    """Something mounted inside a container."""

    type: Literal["bind", "volume", "tmpfs"]
    target: str
    source: str = ""  # host path, or the volume's name
    read_only: bool = False
    size: int | None = None  # bytes, tmpfs only
    mode: int | None = None  # permission bits, tmpfs only


class Publish(Noun, frozen=True):
    """A port of the host that leads to one of the container's."""

    container_port: int
    host_port: int = 0  # 0: the engine picks a free one
    host_ip: str = "0.0.0.0"
    protocol: Literal["tcp", "udp"] = "tcp"


class RestartPolicy(Noun, frozen=True):
    """When the monitor starts the program again."""

    name: Literal["no", "on-failure", "always", "unless-stopped"] = "no"
    max_retries: int = 0  # on-failure only; 0 is without end


class Ulimit(Noun, frozen=True):
    """One rlimit, by its name without RLIMIT_ in lower case; -1 is unlimited."""

    name: str
    soft: int
    hard: int


class LogOptions(Noun, frozen=True):
    """How much of a container's output is kept: at most `max_files` segments of `max_size` bytes."""

    max_size: int = 64 << 20
    max_files: int = 4


class ContainerConfig(Noun, frozen=True):
    """Everything a user asks of a container. Empty means: what the image says."""

    image: str
    command: list[str] = []
    entrypoint: list[str] | None = None  # None: the image's; []: none
    env: list[str] = []  # "NAME=value"
    workdir: str = ""
    user: str = ""  # name|uid[:group|gid]
    hostname: str = ""
    tty: bool = False
    stdin: bool = False  # keep standard input open for attach
    read_only: bool = False
    mounts: list[Mount] = []
    network: str = "bridge"  # "bridge", "none", "host" or a network's name
    publish: list[Publish] = []
    extra_hosts: list[str] = []  # "name:address"
    dns: list[str] = []
    ulimits: list[Ulimit] = []
    labels: dict[str, str] = {}
    stop_signal: str = ""  # "SIGTERM", "TERM" or "15"
    stop_grace: float | None = None  # seconds before SIGKILL; None: 10
    restart: RestartPolicy = RestartPolicy()
    init: bool = False  # a small init as PID 1
    privileged: bool = False
    cap_add: list[str] = []
    cap_drop: list[str] = []
    limits: Limits = Limits()
    auto_remove: bool = False
    log: LogOptions = LogOptions()
