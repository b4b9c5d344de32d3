"""A folder, or one path in it, as a tar stream; symbolic links are packed, never followed.

For single-threaded workers only: reading an extended attribute of a symbolic link takes the process's working
directory.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from engine.errors import Unsupported
from engine.kernel.paths import is_pseudo
from engine.rootfs.header import header
from engine.rootfs.tar import BLOCK, CHUNK, Kind, Member
from engine.rootfs.unpack import kept_xattr

DEEPEST = 400
Write = Callable[[bytes], object]

_KINDS: dict[int, Kind] = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
}
_GONE = (errno.ENOENT, errno.ESTALE)


def pack(dirfd: int, write: Write) -> None:
    """Write the content of the folder `dirfd` as a tar stream, its own entry as `./` first; OSError."""
    packer = Packer(write)
    packer.folder(dirfd, ".", ".")
    write(bytes(2 * BLOCK))


def pack_entry(parent: int, name: str, as_name: str, write: Write) -> None:
    """Write one entry of the folder `parent`, with all below it, under the name `as_name`; raises OSError."""
    packer = Packer(write)
    packer.entry(parent, name, as_name)
    write(bytes(2 * BLOCK))


class Packer:
    """Writes entries of folders as members of one tar stream; no time in it is later than `latest`, in ns."""

    def __init__(self, write: Write, latest: int | None = None) -> None:
        self._write = write
        self._latest = latest
        self._depth = 0
        self._seen: dict[tuple[int, int], str] = {}  # first name by device and inode

    def add(self, member: Member) -> None:
        """Write a member's header."""
        if self._latest is not None and member.mtime_ns > self._latest:
            member = member._replace(mtime_ns=self._latest)
        self._write(header(member))

    def entry(self, parent: int, name: str, path: str) -> None:
        """Write what is in a folder under `name`, a folder with all below it."""
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        kind = _KINDS.get(stat.S_IFMT(status.st_mode))
        if kind is None:  # a socket: tar has no such member, and without its server it is nothing
            return
        if kind == "dir":
            self.folder(parent, name, path)
            return
        if status.st_nlink > 1:
            identity = (status.st_dev, status.st_ino)
            if (first := self._seen.setdefault(identity, path)) is not path:
                self.add(member_of(status, path, "link", target=first))
                return
        if kind == "file":
            self._file(parent, name, path)
            return
        os.fchdir(parent)
        target = os.readlink(name, dir_fd=parent) if kind == "symlink" else ""
        self.add(member_of(status, path, kind, target=target, xattrs=xattrs_of(name)))

    def folder(self, parent: int, name: str, path: str) -> None:
        """Write a folder and all below it."""
        if self._depth == DEEPEST:  # each level costs a descriptor and stack
            raise Unsupported(f"packing {path[:80]!r}: folders are nested over {DEEPEST} deep", "copy a part")
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        self._depth += 1
        try:
            self.add(member_of(os.fstat(fd), path + "/", "dir", xattrs=xattrs_of(fd)))
            if is_pseudo(fd):  # a running container's /proc and the like
                return
            for entry in sorted(os.listdir(fd)):
                try:
                    self.entry(fd, entry, entry if path == "." else f"{path}/{entry}")
                except OSError as e:
                    if e.errno not in _GONE:  # a running container may have deleted it meanwhile
                        raise
        finally:
            self._depth -= 1
            os.close(fd)

    def _file(self, parent: int, name: str, path: str) -> None:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
        try:
            if stat.S_ISREG(os.fstat(fd).st_mode):  # else it was replaced meanwhile
                self.open_file(fd, path)
        finally:
            os.close(fd)

    def open_file(self, fd: int, path: str) -> None:
        """Write an open regular file as the member `path`."""
        status = os.fstat(fd)
        self.add(member_of(status, path, "file", xattrs=xattrs_of(fd)))
        left = status.st_size
        # Exactly the announced size, whatever a writer does meanwhile: cut, or filled with zeros.
        while left:
            piece = os.read(fd, min(CHUNK, left)) or bytes(min(CHUNK, left))
            self._write(piece)
            left -= len(piece)
        self._write(bytes(-status.st_size % BLOCK))


def member_of(
    status: os.stat_result, path: str, kind: Kind, *, target: str = "", xattrs: dict[str, bytes] | None = None
) -> Member:
    """The member that stands for a file of this status."""
    return Member(
        name=path,
        kind=kind,
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        size=status.st_size if kind == "file" else 0,
        mtime_ns=status.st_mtime_ns,
        target=target,
        device=(os.major(status.st_rdev), os.minor(status.st_rdev)) if kind in ("char", "block") else (0, 0),
        xattrs=xattrs or {},
    )


def xattrs_of(target: int | str) -> dict[str, bytes]:
    """The extended attributes that travel in archives, of an open file or a name in the working directory."""
    try:
        if isinstance(target, int):
            return {key: os.getxattr(target, key) for key in os.listxattr(target) if kept_xattr(key)}
        names = os.listxattr(target, follow_symlinks=False)
        return {key: os.getxattr(target, key, follow_symlinks=False) for key in names if kept_xattr(key)}
    except OSError as e:
        if e.errno in (errno.EOPNOTSUPP, errno.ENODATA, errno.ENOENT):
            return {}
        raise
