"""What a container is, and what it and its programs did."""

from __future__ import annotations

from typing import Literal

from engine.model.base import Noun
from engine.model.config import Limits, Publish

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
