"""Which cgroup hierarchies this host has, and where a cgroup of a given path lies in each of them.

Controllers are called by their v2 names ("io" is v1's blkio) throughout this room.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from engine.cgroups.files import read_or
from engine.errors import Unsupported

Mode = Literal["v1", "v2", "hybrid"]

CONTROLLERS = ("memory", "cpu", "cpuset", "io", "pids")
"""The controllers with figures and limits, where the host has them."""

V1_NAMES = {"io": "blkio"}
FREEZE_SINCE = (5, 2)  # cgroup.freeze, Documentation/admin-guide/cgroup-v2.rst


class Place(msgspec.Struct, frozen=True):
    """Where one controller's files of one cgroup are."""

    version: Literal[1, 2]
    folder: str


class Hierarchy(msgspec.Struct, frozen=True):
    """The mounted hierarchies. A controller sits in exactly one of them, so it is either v1 or v2."""

    unified: str  # mount point of the v2 tree, empty without one
    v2: frozenset[str]  # controllers the v2 tree has at its root
    v1: dict[str, str]  # mount point by controller, v2 names; several may share one
    v2_freezer: bool  # the v2 tree can freeze
    named: str = ""  # mount point of systemd's own v1 hierarchy, which has no controller

    @property
    def mode(self) -> Mode:
        """hybrid: controllers in v1 hierarchies and a v2 tree beside them."""
        if not self.unified:
            return "v1"
        return "hybrid" if self.v1 else "v2"

    @property
    def mounts(self) -> list[str]:
        """Every hierarchy's mount point, the v2 tree's first."""
        return list(dict.fromkeys(mount for mount in (self.unified, *self.v1.values(), self.named) if mount))

    def within(self, mounts: Container[str], controllers: Container[str]) -> Hierarchy:
        """What is left of it for a cgroup that is only in these `mounts`, and has these v2 `controllers`."""
        unified = self.unified if self.unified in mounts else ""
        return Hierarchy(
            unified,
            frozenset(name for name in self.v2 if unified and name in controllers),
            {name: mount for name, mount in self.v1.items() if mount in mounts},
            self.v2_freezer and bool(unified),
            self.named if self.named in mounts else "",
        )

    def version(self, controller: str) -> Literal[1, 2] | None:
        """Which version serves a controller; None where the host lacks it."""
        if controller in self.v2:
            return 2
        return 1 if controller in self.v1 else None

    def place(self, controller: str, path: str) -> Place | None:
        """Where the controller's files of the cgroup `path` are; None where the host lacks the controller."""
        match self.version(controller):
            case 2:
                return Place(2, f"{self.unified}/{path}")
            case 1:
                return Place(1, f"{self.v1[controller]}/{path}")
        return None

    def accounting(self, path: str) -> Place | None:
        """Where CPU time is counted: the v2 tree does so even without the cpu controller (since 4.15)."""
        return Place(2, f"{self.unified}/{path}") if self.unified else self.place("cpuacct", path)

    def freezer(self, path: str) -> Place | None:
        """Where the cgroup is frozen: in the v2 tree where that can, for its freezing is killable."""
        return Place(2, f"{self.unified}/{path}") if self.v2_freezer else self.place("freezer", path)

    def devices(self, path: str) -> Place | None:
        """Where devices are filtered: in the v2 tree, by a program, or else by v1's controller."""
        return Place(2, f"{self.unified}/{path}") if self.unified else self.place("devices", path)

    def folders(
        self, path: str, controllers: tuple[str, ...] = CONTROLLERS, *, all_devices: bool = False
    ) -> list[str]:
        """The cgroup's folder in each hierarchy that counts, freezes or has these controllers.

        It is also in the one that filters devices, unless it may use `all_devices`. The v2 tree comes first.
        """
        places = [
            self.accounting(path),
            *(self.place(name, path) for name in controllers),
            self.freezer(path),
        ]
        if not all_devices:
            places.append(self.devices(path))
        return list(dict.fromkeys(place.folder for place in places if place))


def detect(root: str | os.PathLike[str] = "/") -> Hierarchy:
    """Find the hierarchies from /proc/self/mountinfo; `root` is a prefix of all paths, for made-up trees.

    A container's cgroup is made below the mount points themselves, wherever the engine itself was started,
    so that no limit of the caller's session bears on it. Raises Unsupported without any cgroup mount.
    """
    prefix = str(root).rstrip("/")
    unified, named, v1 = "", "", dict[str, str]()
    for mount_point, kind, options in cgroup_mounts(read_or(f"{prefix}/proc/self/mountinfo")):
        if kind == "cgroup2":
            unified = unified or prefix + mount_point
            continue
        for option in options:
            if option == "name=systemd":
                named = named or prefix + mount_point
            name = {v1_name: name for name, v1_name in V1_NAMES.items()}.get(option, option)
            if name in (*CONTROLLERS, "cpuacct", "freezer", "devices"):
                v1.setdefault(name, prefix + mount_point)
    if not unified and not v1:
        raise Unsupported(
            "no cgroup hierarchy is mounted on this host", "mount one: mount -t cgroup2 none /sys/fs/cgroup"
        )
    v2 = frozenset(read_or(f"{unified}/cgroup.controllers").split()) if unified else frozenset[str]()
    release = re.match(r"(\d+)\.(\d+)", read_or(f"{prefix}/proc/sys/kernel/osrelease"))
    freezes = bool(unified and release and (int(release[1]), int(release[2])) >= FREEZE_SINCE)
    return Hierarchy(unified, v2, v1, freezes, named)


def cgroup_mounts(mountinfo: str) -> Iterator[tuple[str, str, list[str]]]:
    """Mount point, file system type and superblock options of each visible cgroup mount (proc(5))."""
    visible = dict[str, tuple[str, list[str]]]()
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        mount_point = re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), left.split(" ")[4])
        kind, _, options = right.split(" ", 2)
        visible[mount_point] = (kind, options.split(","))  # a later mount hides an earlier one there
    for mount_point, (kind, listed) in visible.items():
        if kind in ("cgroup", "cgroup2"):
            yield mount_point, kind, listed


def below(folder: str) -> list[str]:
    """All cgroup folders under `folder`, the deepest first, without itself."""
    return [str(Path(parent)) for parent, _, _ in os.walk(folder, topdown=False) if parent != folder]
