"""Every cgroup of the host, whosever it is."""

from __future__ import annotations

from typing import Literal

from engine.model.base import Noun
from engine.model.config import LimitReading, Limits
from engine.model.measures import Sample

GroupKind = Literal[
    "root", "slice", "service", "scope", "session", "user", "pod", "container", "helper", "group"
]
"""What a cgroup holds: systemd's units, a login session, a user's manager, a Kubernetes pod, a container, what an
engine needs beside its containers (conmon, lxc.monitor, tiffin's own processes), or something not recognised."""

GROUP_PREFIX = "cgroup:"
GROUP_ROOT = "cgroup:/"


class Group(Noun, frozen=True):
    """One cgroup, one for each path whatever the number of hierarchies it is in.

    `id` is "cgroup:" and the path, with what a terminal could not show escaped; it is stable for as long as the
    path is, and is what samples and history go by.
    """

    id: str
    path: str  # below the hierarchies' mount points, "/system.slice/ssh.service"
    parent: str = ""  # id; the root has none
    kind: GroupKind = "group"
    name: str = ""  # as a person calls it: "ssh", a container's name; else its short id, or the folder's
    engine: str = ""  # whose: systemd, docker, podman, containerd, cri-o, lxc, incus, lxd, nspawn, tiffin, …
    ref: str = ""  # a container's id, with its engine
    image: str = ""
    instance: str = ""  # of tiffin's: the cgroup of the instance, "tiffin" or "tiffin-1a2b3c4d"
    own: bool = False  # of the instance that answers; `ref` is then the id of one of its containers
    inside: str = ""  # id of the container it is nested in
    command: str = ""  # of its first process
    pid: int = 0  # of its first process, 0 where it has none itself
    processes: int = 0  # in it and below it
    cpus: float | None = None  # cores it is limited to
    idle: bool = False  # runs only when nobody else wants to
    frozen: bool = False
    changed: bool = False  # tiffin changed it, and can put it back
    absent: dict[str, str] = {}  # what cannot be told of it, "memory", "io", "net", …: why not


class GroupSnapshot(Noun, frozen=True):
    """The whole tree with the samples of the last tick, parents before their children."""

    seq: int
    at: float
    interval: float
    groups: list[Group]
    samples: dict[str, Sample]  # by id
    omitted: int = 0  # cgroups beyond the number that is watched


class GroupNews(Noun, frozen=True):
    """What is different from the message before; the first has all."""

    seq: int
    at: float
    interval: float
    groups: list[Group]  # new, or other than before
    samples: dict[str, Sample | None]  # those that are other than before; None: it has none any more
    gone: list[str] = []
    omitted: int = 0


class GroupChange(Noun, frozen=True):
    """What tiffin changed of a cgroup that is not its own, and has not put back."""

    id: str
    path: str
    name: str
    engine: str
    at: float  # when it was first changed
    before: Limits
    after: Limits
    was_frozen: bool = False
    frozen: bool = False
    undo_left: int = 0  # how many steps can be taken back one by one


class GroupApplied(Noun, frozen=True):
    """What one act on a cgroup did, as read back from the kernel."""

    id: str
    path: str
    name: str
    before: Limits
    after: Limits
    readings: list[LimitReading]
    was_frozen: bool
    frozen: bool
    undo_left: int
    note: str = ""  # who else writes these files, and when


class PutBack(Noun, frozen=True):
    """One cgroup that was put back as it had been; or why it could not be."""

    id: str
    path: str
    name: str
    before: Limits  # as tiffin had left it
    after: Limits  # as it is now
    was_frozen: bool = False
    frozen: bool = False
    gone: bool = False  # it ended meanwhile, and its changes with it
    problem: str = ""
    remedy: str = ""
