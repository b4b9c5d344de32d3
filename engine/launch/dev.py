"""A container's private /dev: a tmpfs with the few devices that programs expect, and its terminal."""

from __future__ import annotations

import fcntl
import os
import stat
import struct
import termios

from engine.kernel import mount, paths
from engine.launch.child import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
    "core": "/proc/kcore",
}
KINDS = {"c": stat.S_IFCHR, "u": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}
TIOCSPTLCK, TIOCGPTPEER = 0x40045431, 0x5441
DEVPTS = 0x1CD1


def populate(dev: int, devices: list[dict[str, Any]], console: bool) -> None:
    """Fill the detached tmpfs `dev`, which nobody else can reach yet; `devices` are runtime-spec entries."""
    mask = os.umask(0)
    try:
        for name, (major, minor) in DEVICES.items():
            os.mknod(name, stat.S_IFCHR | 0o666, os.makedev(major, minor), dir_fd=dev)
        for name, target in LINKS.items():
            os.symlink(target, name, dir_fd=dev)
        for device in devices:
            name = os.path.normpath(device["path"]).removeprefix("/dev/")
            if name in DEVICES or name.startswith("/"):
                continue
            for folder in _parents(name):
                os.makedirs(f"/proc/self/fd/{dev}/{folder}", 0o755, exist_ok=True)
            kind = KINDS[device["type"]] | device.get("fileMode", 0o666)
            os.mknod(name, kind, os.makedev(device.get("major", 0), device.get("minor", 0)), dir_fd=dev)
            os.chown(name, device.get("uid", 0), device.get("gid", 0), dir_fd=dev)
        if console:  # what the terminal will be bound over
            os.close(os.open("console", os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=dev))
    finally:
        os.umask(mask)


def _parents(name: str) -> list[str]:
    folder = os.path.dirname(name)
    return [folder] if folder else []


def open_terminal(pts: int, size: dict[str, int] | None, uid: int) -> tuple[int, int]:
    """A new terminal of the devpts mount `pts`: (master, slave).

    The slave is opened through the master (TIOCGPTPEER), not by a path that something else could be put at.
    """
    master = os.open("ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC, dir_fd=pts)
    fcntl.ioctl(master, TIOCSPTLCK, struct.pack("i", 0))
    slave = fcntl.ioctl(master, TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    os.fchown(slave, uid, -1)
    if size and size.get("height") and size.get("width"):
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", size["height"], size["width"], 0, 0))
    return master, slave


def take_terminal(slave: int) -> None:
    """Make a terminal the standard streams and the controlling terminal of this session's leader."""
    for number in range(3):
        os.dup2(slave, number)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def bind_console(dev: int, slave: int) -> None:
    """Show the terminal as /dev/console, too."""
    tree = mount.clone_tree(slave)
    target = os.open("console", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dev)
    mount.attach(tree, target)
    os.close(tree)
    os.close(target)


def take_null(root: int) -> None:
    """Read standard input from the container's own /dev/null; the host's would show where it comes from.

    A running container may have put anything in its place: a pipe, say, that would block who opens it.
    """
    null = paths.open_in_root(root, "/dev/null", os.O_RDONLY | os.O_NONBLOCK)
    found = os.fstat(null)
    if not stat.S_ISCHR(found.st_mode) or found.st_rdev != os.makedev(1, 3):
        raise Failed("the container's /dev/null is no longer the null device")
    os.set_blocking(null, True)
    os.dup2(null, 0)
    os.close(null)
