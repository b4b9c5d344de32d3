"""Builds the layer that hides this machine's secrets in containers from `host`; runs in a worker.

overlayfs refuses a lower layer that lies below another one on the same file system, and the machine's "/" is
above everything on its own. So the layer is kept on another: the first place that a trial mount accepts.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Sequence

import msgspec

from engine.errors import KernelError, Unsupported
from engine.images import secrets
from engine.kernel import mount
from engine.kernel.syscalls import AT_FDCWD

PREFIX = "host-"
OPAQUE_XATTR = "trusted.overlay.opaque"
ELSEWHERE = "use --root with a folder on a tmpfs or on a disk's own file system (ext4, xfs, btrfs)"


class HostJob(msgspec.Struct, frozen=True, tag=True):
    """The paths of tiffin's `own` to hide, and the `places` that may hold the layer, best first.

    `private` is a folder on the file system where containers have their private layers.
    """

    own: list[str]
    places: list[str]
    private: str


class HostLayer(msgspec.Struct, frozen=True):
    """The layer's folder, its `place` among the job's, the folders it empties because they hold too much."""

    layer: str
    place: str
    unsearched: list[str]


def make(job: HostJob) -> HostLayer:
    """Find out what is to be hidden now, and build the layer unless it is there. Changes this process's root.

    Raises Unsupported where no overlay of the machine's root can be mounted, KernelError.
    """
    place = _place(job.places, job.private)
    folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    os.fchdir(mount.clone_tree(AT_FDCWD, "/"))
    os.chroot(".")
    sys.meta_path.clear()  # what Python would import may be on one of the mounts that are missing now
    try:
        plan = secrets.plan(job.own)
    except OSError as e:
        raise KernelError.of(f"looking through {e.filename or '/'} for secrets to hide", e) from e
    name = PREFIX + hashlib.sha256(msgspec.json.encode(plan.entries)).hexdigest()[:16]
    try:
        if not _exists(name, folder):
            _build(plan.entries, folder, name)
    except OSError as e:
        raise KernelError.of(f"writing the layer that hides this machine's secrets in {place}", e) from e
    return HostLayer(os.path.join(place, name), place, plan.unsearched)


def _exists(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _place(places: Sequence[str], private: str) -> str:
    """The first of the places from which a layer can be mounted above "/"."""
    refusal = errno.ELOOP
    for place in places:
        try:
            _private_folder(place)
            _trial(place, private)
        except OSError as e:
            refusal = e.errno or 0
        else:
            return place
    raise Unsupported(
        f"mounting an overlay over this machine's root, with its files in {private}: {os.strerror(refusal)}",
        ELSEWHERE,
    )


def _private_folder(path: str) -> None:
    """Make the folder, for this user alone; in a shared place like /dev/shm it may be a trap."""
    os.makedirs(os.path.dirname(path), mode=0o711, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), path)


def _trial(place: str, private: str) -> None:
    """Make the file system that a container will have, attached nowhere, and let go of it."""
    with (
        tempfile.TemporaryDirectory(prefix=".trial-", dir=place) as layer,
        tempfile.TemporaryDirectory(prefix=".trial-", dir=private) as upper,
        tempfile.TemporaryDirectory(prefix=".trial-", dir=private) as work,
        contextlib.ExitStack() as stack,
    ):
        os.setxattr(layer, OPAQUE_XATTR, b"n")  # a tmpfs can be built without these
        names = []
        for path in (layer, upper, work):  # by descriptor, because fsconfig(2) takes at most 255 bytes
            fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, fd)
            names.append(f"/proc/self/fd/{fd}")
        options: dict[str, str | None] = {
            "lowerdir": f"{names[0]}:/",
            "upperdir": names[1],
            "workdir": names[2],
        }
        os.close(mount.filesystem("overlay", options))


def _build(entries: list[secrets.Entry], folder: int, name: str) -> None:
    temporary = f".{name}.{os.getpid()}"
    os.mkdir(temporary, 0o700, dir_fd=folder)
    layer = os.open(temporary, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        for entry in entries:
            _write(entry, layer)
        for entry in reversed(entries):  # filling a folder changed its time
            if entry.kind in ("dir", "opaque"):
                status = os.stat(entry.path)
                os.utime(_below(entry), ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=layer)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError as e:
        shutil.rmtree(temporary, ignore_errors=True, dir_fd=folder)
        if e.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # another engine's worker was faster
            raise
    finally:
        os.close(layer)


def _below(entry: secrets.Entry) -> str:
    return entry.path.lstrip("/") or "."


def _write(entry: secrets.Entry, layer: int) -> None:
    path = _below(entry)
    if entry.kind == "whiteout":
        os.mknod(path, stat.S_IFCHR, os.makedev(0, 0), dir_fd=layer)
        return
    if entry.kind == "file":
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    else:
        if path != ".":
            os.mkdir(path, 0o700, dir_fd=layer)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    fd = os.open(path, flags, 0o600, dir_fd=layer)
    try:
        if entry.kind == "file":
            os.write(fd, entry.content)
        elif entry.kind == "opaque":
            os.setxattr(fd, OPAQUE_XATTR, b"y")
        os.fchown(fd, entry.uid, entry.gid)
        os.fchmod(fd, entry.mode)
    finally:
        os.close(fd)
