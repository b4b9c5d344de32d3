"""The layers of a container's root, and the seccomp filter of a program in it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine import rootfs
from engine.containers.container import Container, recorded
from engine.containers.rooms import Rooms
from engine.kernel.paths import delete
from engine.launch.seccomp import program
from engine.model import JSON

HALF_REMOVED = ".removing-"
NEW, OLD = ".new-upper", ".old-upper"  # a private layer about to be put in place, and what it replaces
HELD = ".held"  # marks a container that is frozen only until its layer is read


async def layers_of(rooms: Rooms, container: Container) -> list[Path]:
    """Its private layer, and below it its image's, the topmost first."""
    lower = await rooms.images.lower(rooms.images.get(container.record.image_id))
    return [container.folder / "upper", *lower]


def seccomp_program(rooms: Rooms, process: JSON) -> str:
    """The file with the filter for a runtime-spec process; empty, for none, where it is privileged."""
    if not process["noNewPrivileges"]:
        return ""
    return str(program(frozenset(process["capabilities"]["bounding"]), rooms.instance.state / "seccomp"))


async def root_of(rooms: Rooms, container: Container) -> rootfs.Root:
    """Its root for copying: as its processes see it where it runs, else its layers and volumes."""
    record = recorded(container.folder)
    if container.alive and record.pid:
        return rootfs.Running(record.pid, record.pid_start)
    config = container.record.config
    volumes = rooms.volumes.paths(config, container.record.anonymous_volumes)
    binds = [
        rootfs.Bind(volumes.get(mount.source, mount.source), mount.target, mount.read_only)
        for mount in config.mounts
        if mount.type != "tmpfs"
    ]
    layers = await layers_of(rooms, container)
    return rootfs.Stopped(layers, container.folder / "work", binds, config.read_only)


def stubs_of(container: Container) -> list[str]:
    """Where something was mounted in a container at its last start: empty places may have been made for it."""
    try:
        spec: JSON = msgspec.json.decode((container.folder / "config.json").read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):  # it was never started
        return []
    return [mount["destination"] for mount in spec["mounts"]]


def recover(folder: Path) -> None:
    """End what a killed engine was about to do with the private layer in a container's folder; OSError."""
    upper = folder / "upper"
    for other in (NEW, OLD):  # what is at NEW is whole where the layer had to make way for it
        if not upper.exists() and (folder / other).exists():
            (folder / other).rename(upper)
    for leftover in (folder / NEW, folder / OLD, *(folder / "snapshots").glob(".new-*")):
        delete(leftover)
