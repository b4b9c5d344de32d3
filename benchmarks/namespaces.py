"""Namespaces of the benchmark's own, so that it reaches nothing beyond itself and leaves no mount."""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
from pathlib import Path

CLONE_FS, CLONE_NEWNS, CLONE_NEWNET = 0x200, 0x20000, 0x40000000


def enter() -> None:
    """Move this process, which has one thread, into a network and a mount namespace of its own."""
    _unshare(CLONE_NEWNET | CLONE_NEWNS)
    _mount("--make-rprivate", "/")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for folder in ("/run", "/etc/docker"):  # where dockerd leaves things whatever it is told
        if Path(folder).is_dir():
            _mount("-t", "tmpfs", "tmpfs", folder)


def only_v1_cgroups() -> None:
    """Give this thread mounts of its own, with the v1 hierarchies alone below /sys/fs/cgroup."""
    _unshare(CLONE_FS | CLONE_NEWNS)  # a thread shares its root folder with the others: not with other mounts
    _mount("--make-rprivate", "/")
    scratch = tempfile.mkdtemp()
    _mount("-t", "tmpfs", "tmpfs", scratch)
    for line in Path("/proc/thread-self/mounts").read_text().splitlines():
        _, target, kind, *_ = line.split()
        if kind == "cgroup":
            place = Path(scratch, Path(target).name)
            place.mkdir()
            _mount("--bind", target, str(place))
    _mount("--move", scratch, "/sys/fs/cgroup")
    os.rmdir(scratch)


def _unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags):
        error = ctypes.get_errno()
        raise OSError(error, f"making namespaces: {os.strerror(error)}")


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)
