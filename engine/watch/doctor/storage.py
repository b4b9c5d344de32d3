"""Where the instance's data lies: layers, room, the socket's path."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from engine.instance import Instance
from engine.kernel import mount
from engine.model import Check
from engine.watch.doctor.finding import limited, missing, ok

ENOUGH = 1 << 30  # bytes
SOCKET_PATH = 107  # bytes, sun_path without its end


def checks(instance: Instance) -> Iterator[Check]:
    """All of them."""
    folder = _nearest(instance.state)
    yield _overlay("layers", folder, [])
    yield _overlay("host image", folder, ["/"])
    yield _room(folder)
    yield _socket(instance)


def _nearest(path: Path) -> Path:
    """The state folder, or what of its path exists already."""
    return next(folder for folder in (path, *path.parents) if os.path.isdir(folder))


def _overlay(name: str, folder: Path, lower: list[str]) -> Check:
    """Make the overlay that a container would get, attached nowhere, and drop it."""
    cost = "the `host` image cannot be used; import another one" if lower else "no container can be started"
    remedy = (
        "put the state on ext4, xfs, btrfs or tmpfs with --root"
        if not lower
        else "tiffin import ROOTFS.tar NAME"
    )
    try:
        trial = Path(tempfile.mkdtemp(prefix=".tiffin-doctor-", dir=folder))
    except OSError as error:
        return limited(
            name,
            f"not tried: {folder}: {error.strerror}",
            "whether overlay works is not known",
            "run as root",
        )
    try:
        for part in ("lower", "upper", "work"):
            (trial / part).mkdir()
        options: dict[str, str | None] = {
            "lowerdir": ":".join(lower) or str(trial / "lower"),
            "upperdir": str(trial / "upper"),
            "workdir": str(trial / "work"),
        }
        os.close(mount.filesystem("overlay", options))
    except PermissionError:
        return limited(
            name, "not tried: mounting needs root", "whether overlay works is not known", "run as root"
        )
    except OSError as error:
        return missing(name, f"no overlay in {folder}: {error.strerror}", cost, remedy)
    finally:
        shutil.rmtree(trial, ignore_errors=True)
    return ok(name, f"overlay in {folder}" + (" above the machine's own root" if lower else ""))


def _room(folder: Path) -> Check:
    room = os.statvfs(folder)
    free = room.f_bavail * room.f_frsize
    found = f"{free >> 20} MiB free in {folder}"
    full = bool(room.f_files) and room.f_favail < 10_000
    if free >= ENOUGH and not full:
        return ok("room", found)
    if full:
        found += f", but only {room.f_favail} inodes"
    return limited(
        "room", found, "images and logs may not fit", "tiffin rmi what is not needed, or --root elsewhere"
    )


def _socket(instance: Instance) -> Check:
    length = len(os.fsencode(instance.socket))
    if length <= SOCKET_PATH:
        return ok("socket", str(instance.socket))
    found = f"{instance.socket} is {length} bytes long, more than the {SOCKET_PATH} of a socket's address"
    return limited(
        "socket",
        found,
        "tiffin itself can, but other Docker clients cannot connect",
        "choose a shorter --root",
    )
