"""What overlayfs leaves in its layers to hide things below: whiteouts and opaque folders.

See the kernel's Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories".
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

OPAQUE = "trusted.overlay.opaque"
WHITEOUT = "trusted.overlay.whiteout"
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def opaque(folder: int) -> bytes:
    """b"y" where the open folder hides the one below it, b"x" where it may hold whiteouts that are files."""
    try:
        return os.getxattr(folder, OPAQUE)
    except OSError:  # it has none, or the file system has no attributes
        return b""


def is_whiteout(status: os.stat_result, folder: int, name: str) -> bool:
    """Whether an entry of a folder hides what is below: a device 0:0, or an empty file so marked; OSError."""
    if stat.S_ISCHR(status.st_mode):
        return status.st_rdev == 0
    if not stat.S_ISREG(status.st_mode) or status.st_size or opaque(folder) != b"x":
        return False
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        return WHITEOUT in os.listxattr(fd)
    finally:
        os.close(fd)


def seen_below(lowers: list[int], name: str) -> tuple[int, os.stat_result] | None:
    """What the layers below show under `name`, and the folder it is in."""
    for folder in lowers:
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            continue
        return None if is_whiteout(status, folder, name) else (folder, status)
    return None


@contextmanager
def folders_below(lowers: list[int], name: str) -> Iterator[list[int]]:
    """The visible parts of the folder `name` in the layers below."""
    parts: list[int] = []
    try:
        for folder in lowers:
            try:
                parts.append(os.open(name, FOLDER, dir_fd=folder))
            except FileNotFoundError:
                continue
            except OSError:  # no folder, or a whiteout: what is further down does not show
                break
            if opaque(parts[-1]) == b"y":
                break
        yield parts
    finally:
        for fd in parts:
            os.close(fd)


def shown_below(lowers: list[int]) -> Iterator[tuple[str, os.stat_result]]:
    """Everything the layers below show in a folder."""
    for name in sorted({name for folder in lowers for name in os.listdir(folder)}):
        below = seen_below(lowers, name)
        if below is not None:
            yield name, below[1]
