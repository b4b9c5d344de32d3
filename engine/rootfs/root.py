"""Where a container's root is, and how a worker opens it."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

import msgspec

from engine.errors import Conflict, NotFound
from engine.kernel import mount, pidfd
from engine.kernel.paths import open_in_root
from engine.kernel.syscalls import AT_FDCWD, CLONE_NEWNS, unshare
from engine.launch.root import mount_lowers, mount_overlay


class Running(msgspec.Struct, frozen=True, tag=True):
    """The root as a running container's processes see it: its PID 1 on the host, and when that started."""

    pid: int
    pid_start: int


class Bind(msgspec.Struct, frozen=True):
    """A host path that a container will see at `target`."""

    source: str
    target: str
    read_only: bool = False


class Stopped(msgspec.Struct, frozen=True, tag=True):
    """The layers of a stopped container, the topmost (its private one) first, and its volumes and binds."""

    layers: list[Path]
    work: Path
    binds: list[Bind] = []
    read_only: bool = False


Root = Running | Stopped


def open_root(root: Root) -> int:
    """A descriptor of the root's top folder, all mounts in it included.

    A stopped container's is mounted in a mount namespace of this process's own, where the kernel forgets it
    with the process. For single-threaded workers only. Raises Conflict where the container has ended
    meanwhile, OSError.
    """
    return _open_running(root) if isinstance(root, Running) else _open_stopped(root)


def _open_running(root: Running) -> int:
    ended = Conflict("copying: the container has ended meanwhile", "try again")
    try:
        process = pidfd.open_pid(root.pid)
    except ProcessLookupError:
        raise ended from None
    try:
        # Through /proc/PID/root every mount of its namespace is in reach, and none of this one.
        fd = os.open(f"/proc/{root.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        same = pidfd.start_time(root.pid) == root.pid_start
        pidfd.send_signal(process, 0)  # ProcessLookupError: the number may have been another's meanwhile
    except (FileNotFoundError, ProcessLookupError):
        raise ended from None
    finally:
        os.close(process)
    if not same:
        os.close(fd)
        raise ended
    return fd


def _open_stopped(root: Stopped) -> int:
    upper, *lower = map(str, root.layers)
    unshare(CLONE_NEWNS)
    mount.set_propagation("/", mount.MS_REC | mount.MS_PRIVATE)
    mount_overlay({"lower": lower, "upper": upper, "work": str(root.work)}, upper)
    top = os.open(upper, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    if root.read_only:
        mount.set_attributes(top, mount.MOUNT_ATTR_RDONLY)
    for bind in sorted(root.binds, key=lambda bind: bind.target.count("/")):
        _attach(top, bind)
    return top


def open_layers(layers: list[str]) -> int:
    """A descriptor of what the layers, topmost first, show together; read-only, nothing mounted in it.

    Mounted in a mount namespace of this process's own: for single-threaded workers only. The topmost may be
    the private layer of a running container, which then shows through. Raises OSError.
    """
    if len(layers) == 1:
        return os.open(layers[0], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    unshare(CLONE_NEWNS)
    mount.set_propagation("/", mount.MS_REC | mount.MS_PRIVATE)
    mount_lowers(layers, layers[0])
    return os.open(layers[0], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _attach(top: int, bind: Bind) -> None:
    with contextlib.ExitStack() as opened:

        def held(fd: int) -> int:
            opened.callback(os.close, fd)
            return fd

        try:
            tree = held(mount.clone_tree(AT_FDCWD, bind.source, recursive=True))
        except FileNotFoundError:
            gone = f"mounting {bind.source} on {bind.target} of the container: it does not exist any more"
            raise NotFound(gone, "create it again") from None
        if bind.read_only:
            mount.set_attributes(tree, mount.MOUNT_ATTR_RDONLY, recursive=True)
        if stat.S_ISDIR(os.fstat(tree).st_mode):
            target = held(make_folders(top, bind.target))
        else:
            target = held(open_in_root(top, bind.target, os.O_PATH))
        mount.attach(tree, target)


def make_folders(top: int, path: str) -> int:
    """A descriptor of the folder at `path` in the root `top`, made with its parents where missing."""
    try:
        return open_in_root(top, path, os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        parent, _, name = path.rstrip("/").rpartition("/")
        above = make_folders(top, parent or "/")
        try:
            os.mkdir(name, 0o755, dir_fd=above)
        finally:
            os.close(above)
        return open_in_root(top, path, os.O_PATH | os.O_DIRECTORY)
