"""What the engine hands to the launcher: `launch.json` beside an OCI bundle, and a plan for one exec.

The launcher and the monitor read these as plain JSON objects (they do not import msgspec), so every field is
always written.
"""

from __future__ import annotations

import msgspec


class Overlay(msgspec.Struct, frozen=True, kw_only=True):
    """The container's root: read-only layers, topmost first, and the private layer above them."""

    lower: list[str]
    upper: str
    work: str


class Restart(msgspec.Struct, frozen=True, kw_only=True):
    """The restart policy as the monitor applies it: 0.1 s back-off, doubled each time, at most 60 s."""

    name: str = "no"
    max_retries: int = 0


class LaunchPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All that `config.json` cannot say about running a container; all paths are absolute."""

    id: str
    overlay: Overlay
    cgroups: list[str]  # folders that init is in before it unshares its cgroup namespace
    monitor_cgroups: list[str]  # the same for the monitor itself
    oom_files: list[str]  # memory.oom_control (v1) or memory.events (v2): `oom_kill N` is read when it ends
    memory_limit_file: str  # read when OOM-killed, for the record; empty where there is none
    state_file: str
    socket: str
    log_dir: str
    log_max_size: int  # bytes of one segment
    log_max_files: int
    restart: Restart
    stop_signal: int
    stop_grace: float  # seconds
    tty: bool
    stdin: bool
    init: bool  # a small init as PID 1
    seccomp: str  # file with the BPF program as struct sock_filter[], empty for none
    own_network: bool = True  # a network namespace of its own; False: the host's
    auto_start: bool = False  # start without waiting for `go`: no network to wait for


class ExecPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One further program in a running container."""

    id: str
    pid: int  # PID 1 of the container, on the host …
    pid_start: int  # … and its start time (field 22 of /proc/PID/stat), so that a reused pid is noticed
    process: dict[str, object]  # an OCI runtime-spec `process` object
    cgroups: list[str]
    monitor_cgroups: list[str]
    state_file: str
    socket: str
    tty: bool
    stdin: bool
    seccomp: str


class MonitorRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A monitor's `state.json`: its program as it knows it. Times are Unix seconds, 0 for not yet."""

    status: str = "created"  # created, running, restarting or exited
    pid: int = 0  # of PID 1 on the host; 0 when there is none
    pid_start: int = 0
    monitor: int = 0
    boot_id: str = ""
    started_at: float = 0
    finished_at: float = 0
    exit_code: int | None = None
    oom_killed: bool = False
    oom_limit: int | None = None  # bytes
    restart_count: int = 0
    error: str = ""
