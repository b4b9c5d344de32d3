"""Whether anything changed in a tree since it was looked through: by inotify, or by the folders' times."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from engine.kernel.inotify import Watch

# Others change behind the kernel's back (nfs, 9p, fuse), or forget their watches with the inode (hostfs).
HEARD = frozenset(
    {"btrfs", "bcachefs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "tmpfs", "xfs", "zfs"}
)


class Times:
    """Notices what comes and goes in folders, by their times; not what is written to a file in place."""

    def __init__(self, folders: Iterable[str]) -> None:
        self._times = {folder: _times(folder) for folder in folders}

    def changed(self) -> bool:
        """Whether something came or went since this object was made."""
        return any(_times(folder) != known for folder, known in self._times.items())

    def close(self) -> None:
        """Nothing is held."""


def notice(tree: str) -> Watch | Times:
    """A watch on all folders of a tree, the best that its file system and this host offer."""
    folders = [tree]
    for path, names, _ in os.walk(tree):
        folders += [os.path.join(path, name) for name in names]
    if _file_system(tree) in HEARD:
        try:
            return Watch(folders)
        except OSError:  # no watch is left (fs.inotify.max_user_watches)
            pass
    return Times(folders)


def _times(folder: str) -> tuple[int, int, int]:
    try:
        status = os.stat(folder)
    except OSError:
        return 0, 0, 0
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def _file_system(path: str) -> str:
    """The type of the file system that `path` is on; proc_pid_mountinfo(5)."""
    device = os.stat(path).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if before.split()[2] == number:
            return after.split()[0]
    return ""  # btrfs numbers its subvolumes otherwise than its mounts
