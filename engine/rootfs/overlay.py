"""What overlayfs leaves in its layers to hide things below: whiteouts and opaque folders.

See the kernel's Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories".
"""

from __future__ import annotations

import os
import stat

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
