"""The nouns: what clients and server exchange, as frozen typed data.

Units are in the names or beside the field: bytes, seconds, cores, shares of 0 to 1. `None` means "this host
cannot tell" in a measurement and "no limit" in a limit; `UNSET` in a change means "leave as it is".
Times are Unix seconds, floats.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

# ── what a container is asked to be ─────────────────────────────────────────────────────────────────────────


class Noun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the nouns; fields that hold their default are left out of JSON."""


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


# ── what a container is ─────────────────────────────────────────────────────────────────────────────────────

Status = Literal["created", "running", "paused", "restarting", "exited", "dead", "removing"]
"""Docker's words. "dead": its monitor was killed, so how the program ended is not known."""


class ContainerState(Noun, frozen=True):
    """The state of a container's program, as its monitor recorded it."""

    status: Status = "created"
    pid: int = 0  # of its PID 1, in the host's PID namespace; 0 when not running
    started_at: float = 0
    finished_at: float = 0
    exit_code: int | None = None  # 128 + signal when killed by one; None: not ended, or not known
    oom_killed: bool = False
    oom_limit: int | None = None  # bytes, the memory limit that was hit
    restart_count: int = 0
    error: str = ""  # why it could not start, or what is wrong


class ContainerSummary(Noun, frozen=True):
    """One container as lists and panes show it."""

    id: str
    name: str
    image: str
    image_id: str
    command: str
    created_at: float
    state: ContainerState
    labels: dict[str, str] = {}
    network: str = ""
    address: str = ""  # IPv4 of its interface, empty without one
    publish: list[Publish] = []
    limits: Limits = Limits()
    tty: bool = False
    auto_remove: bool = False


class ExecConfig(Noun, frozen=True):
    """A further program in a running container."""

    command: list[str]
    env: list[str] = []
    workdir: str = ""
    user: str = ""
    tty: bool = False
    stdin: bool = False
    privileged: bool = False


class ExitStatus(Noun, frozen=True):
    """How a program ended."""

    exit_code: int
    oom_killed: bool = False
    error: str = ""


class Change(Noun, frozen=True):
    """One path in which a container's root differs from its image's."""

    path: str
    kind: Literal["modified", "added", "deleted"]
    size: int = 0  # bytes of a regular file
    is_dir: bool = False


class Process(Noun, frozen=True):
    """One process of a container, seen from the host."""

    pid: int  # on the host
    ppid: int
    user: str
    command: str
    cpu_seconds: float
    started_at: float
    rss: int  # bytes
    state: str = ""  # R, S, D, T, Z


class LogLine(Noun, frozen=True):
    """One line of output. `text` has no line end; `stream` is "stdout" or "stderr" ("stdout" for a tty)."""

    at: float
    stream: str
    text: str


class LogExtent(Noun, frozen=True):
    """How far a log reaches, in bytes since the container's first output: `first` grows when old output is dropped."""

    first: int
    end: int


class Event(Noun, frozen=True):
    """Something that happened, Docker's words where it has them ("container" "start", …, "update")."""

    at: float
    type: str
    action: str
    id: str
    name: str = ""
    attributes: dict[str, str] = {}


# ── what is measured ────────────────────────────────────────────────────────────────────────────────────────


class Sample(Noun, frozen=True, omit_defaults=False):
    """What the kernel reported of one cgroup over the last tick. None: this host cannot tell."""

    cpu: float | None = None  # cores
    cpu_user: float | None = None
    cpu_system: float | None = None
    throttled: float | None = None  # share of the tick's CFS periods that were throttled
    cpu_some: float | None = None  # PSI, share of the tick
    cpu_full: float | None = None
    memory: int | None = None  # bytes in use, cache not counted
    cache: int | None = None  # bytes of page cache
    memory_limit: int | None = None  # bytes; None also for no limit
    memory_some: float | None = None
    memory_full: float | None = None
    oom_kills: int | None = None  # since the cgroup was made
    memory_failures: int | None = None  # failed charges (v1 failcnt, v2 memory.events max), since then
    io_read: float | None = None  # bytes a second
    io_write: float | None = None
    io_reads: float | None = None  # operations a second
    io_writes: float | None = None
    io_some: float | None = None
    io_full: float | None = None
    net_rx: float | None = None  # bytes a second into the container
    net_tx: float | None = None
    net_rx_packets: float | None = None  # packets a second
    net_tx_packets: float | None = None
    pids: int | None = None


SAMPLE_FIELDS = Sample.__struct_fields__


class HostSample(Noun, frozen=True, omit_defaults=False):
    """The whole machine over the last tick."""

    cores: int
    cpu: float | None = None  # cores busy
    cpu_some: float | None = None
    memory_total: int = 0
    memory: int | None = None
    cache: int | None = None
    memory_some: float | None = None
    memory_full: float | None = None
    io_read: float | None = None
    io_write: float | None = None
    io_some: float | None = None
    io_full: float | None = None
    net_rx: float | None = None
    net_tx: float | None = None
    self_cpu: float | None = None  # cores used by tiffin's engine, launcher and monitors
    self_memory: int | None = None  # bytes, proportional set size of the same


class Snapshot(Noun, frozen=True):
    """Everything a live view draws, once a tick and at every change of state."""

    seq: int
    at: float
    interval: float  # seconds between ticks
    host: HostSample
    containers: list[ContainerSummary]
    samples: dict[str, Sample]  # by container id, running ones only
    undo: dict[str, int] = {}  # by container id: how many limit changes can be undone


class History(Noun, frozen=True):
    """Past samples of one cgroup, oldest first; all columns have the length of `at`."""

    id: str
    at: list[float]
    fields: dict[str, list[float | None]]


# ── images, networks, volumes ───────────────────────────────────────────────────────────────────────────────


class ImageConfig(Noun, frozen=True):
    """The part of an OCI image config that a container inherits."""

    env: list[str] = []
    entrypoint: list[str] = []
    command: list[str] = []
    workdir: str = ""
    user: str = ""
    labels: dict[str, str] = {}
    stop_signal: str = ""
    volumes: list[str] = []
    exposed: list[str] = []


class ImageSummary(Noun, frozen=True):
    """One image in the store."""

    id: str  # digest of its config, "sha256:…"; "host" for the built-in one
    names: list[str]  # "name:tag"
    created_at: float
    size: int  # bytes of its unpacked layers
    digest: str = ""  # of its manifest
    architecture: str = ""
    os: str = ""
    layers: list[str] = []  # diff ids, lowest first
    config: ImageConfig = ImageConfig()


class ImageRemoval(Noun, frozen=True):
    """What removing an image did: names taken away, and digests of what was deleted with the last of them."""

    untagged: list[str] = []
    deleted: list[str] = []


class NetworkSummary(Noun, frozen=True):
    """One network of the instance."""

    id: str
    name: str
    driver: Literal["bridge", "none", "host"]
    created_at: float = 0
    bridge: str = ""
    subnet: str = ""  # "10.88.0.0/16"
    gateway: str = ""
    containers: dict[str, str] = {}  # address by container id


class VolumeSummary(Noun, frozen=True):
    """One named volume."""

    name: str
    path: str
    created_at: float
    labels: dict[str, str] = {}
    used_by: list[str] = []  # container ids


# ── the engine itself ───────────────────────────────────────────────────────────────────────────────────────


class ProcessCost(Noun, frozen=True):
    """One process of tiffin's own."""

    role: Literal["engine", "launcher", "monitor"]
    pid: int
    pss: int  # bytes, proportional set size
    cpu_seconds: float
    container: str = ""


class EngineStatus(Noun, frozen=True):
    """What `tiffin engine status` tells."""

    version: str
    pid: int
    socket: str
    state: str
    started_at: float
    cgroup_mode: str  # "v1", "v2", "hybrid"
    containers: int
    running: int
    processes: list[ProcessCost]


class Check(Noun, frozen=True):
    """One finding of the doctor."""

    name: str
    verdict: Literal["ok", "limited", "missing"]
    found: str  # what this host has
    cost: str = ""  # what its lack costs
    remedy: str = ""


class DoctorReport(Noun, frozen=True):
    """What this host has, what is missing, what that costs."""

    kernel: str
    cgroup_mode: str
    root: bool
    checks: list[Check]


class Problem(Noun, frozen=True):
    """Body of an error answer; Docker's clients read `message`, tiffin's also the rest."""

    message: str
    remedy: str = ""
    kind: str = ""  # class name in engine.errors
    exit_code: int = 1


JSON = dict[str, Any]
