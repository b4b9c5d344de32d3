"""Reading one file out of a stack of layers as overlayfs would show it, without mounting anything.

Every step is one name below an open folder and never followed by the kernel: links are walked here, so none
leads out of the layers.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from engine.errors import BadRequest
from engine.rootfs.overlay import FOLDER, is_whiteout, opaque

MOST_LINKS = 40  # as the kernel's own limit
MOST_BYTES = 4 << 20
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_text(layers: Sequence[Path], path: str) -> str:
    """The text of a file in the layers, the topmost first; empty where there is none.

    Bytes that are no UTF-8 are kept by surrogateescape. Raises BadRequest for a file above 4 MiB, OSError.
    """
    with ExitStack() as opened:
        fd = _find([_open(layer, None, opened) for layer in layers], path, opened)
        if fd is None:
            return ""
        with os.fdopen(fd, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise BadRequest(f"reading {path} of the container: it is larger than {MOST_BYTES} bytes")
    return data.decode(errors="surrogateescape")


def find_entry(layers: list[int], path: str, opened: ExitStack) -> tuple[int, str, os.stat_result] | None:
    """What is at a path in open layers, the topmost first, no link followed: folder, name, status; OSError."""
    folders = layers
    names = [name for name in path.split("/") if name not in ("", ".")]
    for name in names[:-1]:
        folders, status = _look_up(folders, name, opened)
        if not folders or not stat.S_ISDIR(status.st_mode):
            return None
    if not names or ".." in names:
        return None
    found, status = _look_up(folders, names[-1], opened)
    if found and stat.S_ISDIR(status.st_mode):
        return found[0], ".", status
    return (found[0], names[-1], status) if found else None


def _find(top: list[int], path: str, opened: ExitStack) -> int | None:
    """A descriptor of the regular file at `path`; None where there is none."""
    trail = [top]  # the folders on the way, each as its parts in all layers
    ahead = path.split("/")[::-1]
    links = 0
    while ahead:
        name = ahead.pop()
        if name in ("", "."):
            continue
        if name == "..":
            trail = trail[:-1] or [top]
            continue
        folders, status = _look_up(trail[-1], name, opened)
        if folders and stat.S_ISDIR(status.st_mode):
            trail.append(folders)
        elif folders and stat.S_ISLNK(status.st_mode) and links < MOST_LINKS:
            target = os.readlink(name, dir_fd=folders[0])
            links += 1
            ahead += target.split("/")[::-1]
            trail = [top] if target.startswith("/") else trail
        elif folders and stat.S_ISREG(status.st_mode) and not ahead:
            return os.open(name, _FILE, dir_fd=folders[0])
        else:
            return None
    return None


def _look_up(folders: list[int], name: str, opened: ExitStack) -> tuple[list[int], os.stat_result]:
    """The parts of the folder `name` in all layers, of anything else the folder it is in; and its status."""
    found: list[int] = []
    status = os.stat_result(range(10))
    for folder in folders:
        try:
            here = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if is_whiteout(here, folder, name):
            break
        if not stat.S_ISDIR(here.st_mode):
            return (found, status) if found else ([folder], here)  # a folder above hides it
        status = status if found else here
        found.append(_open(name, folder, opened))
        if opaque(found[-1]) == b"y":
            break
    return found, status


def _open(name: str | Path, above: int | None, opened: ExitStack) -> int:
    fd = os.open(name, FOLDER, dir_fd=above)
    opened.callback(os.close, fd)
    return fd
