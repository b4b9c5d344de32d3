"""What is done with a private layer as such: copying it, measuring it, comparing one path of it.

Every step is one name below an open folder and never followed by the kernel. For confined workers.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from contextlib import ExitStack
from typing import Literal, NamedTuple

from engine.errors import NotFound, Unsupported
from engine.model import FileChange, FileState
from engine.rootfs.overlay import FOLDER, OPAQUE, WHITEOUT
from engine.rootfs.stack import find_entry
from engine.rootfs.tar import CHUNK
from engine.rootfs.unpack import kept_xattr

DEEPEST = 400
FICLONE = 0x40049409  # ioctl_ficlonerange(2)
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_CLONES = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS)
_OURS = (
    OPAQUE,
    WHITEOUT,
)  # of overlayfs's own attributes: the others lead to places that a copy must not name

Kind = Literal["file", "folder", "link", "device", "pipe", "socket"]
_KINDS: dict[int, Kind] = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "link",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
}


class Copied(NamedTuple):
    """What was copied: files, bytes of their content, and whether they share their data with the originals."""

    files: int
    size: int
    cloned: bool


class Used(NamedTuple):
    """What a folder takes: bytes on disk, and how many files."""

    size: int
    files: int


def copy_layer(source: int, target: int) -> Copied:
    """Copy the content of an open layer into an open, empty folder, whiteouts and opaque folders as such.

    Where the file system can, no data is copied: both share it until one changes. Raises Unsupported for
    folders nested beyond any use, OSError.
    """
    copier = _Copier()
    try:
        copier.folder(source, target, 0)
    finally:
        copier.close()
    return Copied(copier.files, copier.size, copier.cloned and copier.size > 0)


class _Copier:
    def __init__(self) -> None:
        self.files = 0
        self.size = 0
        self.cloned = True  # until a file system says no
        self._links: dict[tuple[int, int], tuple[int, str]] = {}  # folder and name of the first copy

    def close(self) -> None:
        for folder, _ in self._links.values():
            os.close(folder)

    def folder(self, source: int, target: int, depth: int) -> None:
        if depth == DEEPEST:
            raise Unsupported(f"copying a private layer: its folders are nested more than {DEEPEST} deep")
        for name in os.listdir(source):
            status = os.stat(name, dir_fd=source, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                self._inner(source, target, name, depth)
            elif stat.S_ISREG(status.st_mode):
                self._file(source, target, name, status)
            elif not stat.S_ISSOCK(status.st_mode):
                self._special(source, target, name, status)
        copy_metadata(source, target)

    def _inner(self, source: int, target: int, name: str, depth: int) -> None:
        os.mkdir(name, 0o700, dir_fd=target)
        inner, copy = (os.open(name, FOLDER, dir_fd=folder) for folder in (source, target))
        try:
            self.folder(inner, copy, depth + 1)
        finally:
            os.close(inner)
            os.close(copy)

    def _file(self, source: int, target: int, name: str, status: os.stat_result) -> None:
        if status.st_nlink > 1 and self._link(target, name, status):
            return
        original = os.open(name, _FILE, dir_fd=source)
        try:
            copy = os.open(name, _NEW_FILE, 0o600, dir_fd=target)
            try:
                self._content(original, copy, status.st_size)
                copy_metadata(original, copy)
            finally:
                os.close(copy)
        finally:
            os.close(original)
        self.files += 1
        self.size += status.st_size

    def _link(self, target: int, name: str, status: os.stat_result) -> bool:
        """Make a hard link to what was copied before under another name; False where this is the first."""
        known = self._links.get((status.st_dev, status.st_ino))
        if known is None:
            held = os.dup(target)
            self._links[status.st_dev, status.st_ino] = (held, name)
            return False
        os.link(known[1], name, src_dir_fd=known[0], dst_dir_fd=target, follow_symlinks=False)
        return True

    def _content(self, original: int, copy: int, size: int) -> None:
        if self.cloned and size:
            try:
                fcntl.ioctl(copy, FICLONE, original)
                return
            except OSError as e:
                if e.errno not in _NO_CLONES:
                    raise
                self.cloned = False
        end = 0
        while True:
            try:
                start = os.lseek(original, end, os.SEEK_DATA)
            except OSError as e:
                if e.errno != errno.ENXIO:  # ENXIO: nothing but a hole is left
                    raise
                break
            end = os.lseek(original, start, os.SEEK_HOLE)
            while start < end and (piece := os.pread(original, min(CHUNK, end - start), start)):
                os.pwrite(copy, piece, start)
                start += len(piece)
        os.ftruncate(copy, size)

    def _special(self, source: int, target: int, name: str, status: os.stat_result) -> None:
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
        else:
            os.mknod(name, status.st_mode, status.st_rdev, dir_fd=target)
        os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
        times = (status.st_atime_ns, status.st_mtime_ns)
        os.utime(name, ns=times, dir_fd=target, follow_symlinks=False)


def copy_metadata(original: int, copy: int) -> None:
    """Give an open file or folder the owner, mode, attributes and times of another; OSError."""
    status = os.fstat(original)
    os.fchown(copy, status.st_uid, status.st_gid)
    os.fchmod(copy, stat.S_IMODE(status.st_mode))
    for key in os.listxattr(original):
        if kept_xattr(key) or key in _OURS:
            os.setxattr(copy, key, os.getxattr(original, key))
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))


def usage(folder: int, depth: int = 0, seen: set[tuple[int, int]] | None = None) -> Used:
    """What an open folder takes with all below it, hard links counted once; OSError."""
    seen = set() if seen is None else seen
    size, files = os.fstat(folder).st_blocks * 512, 0
    for name in os.listdir(folder) if depth < DEEPEST else ():
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                fd = os.open(name, FOLDER, dir_fd=folder)
                try:
                    inner = usage(fd, depth + 1, seen)
                finally:
                    os.close(fd)
                size, files = size + inner.size, files + inner.files
                continue
        except OSError as e:
            if e.errno in (errno.ENOENT, errno.ENOTDIR):  # gone meanwhile
                continue
            raise
        identity = (status.st_dev, status.st_ino)
        if status.st_nlink == 1 or identity not in seen:
            seen.add(identity)
            size, files = size + status.st_blocks * 512, files + 1
    return Used(size, files)


def compare(layers: list[int], path: str, limit: int) -> FileChange:
    """What the topmost of the open layers has made of a path; texts up to `limit` bytes; NotFound, OSError."""
    with ExitStack() as opened:
        after = _state(layers, path, limit, opened)
        before = _state(layers[1:], path, limit, opened)
    if before is None and after is None:
        raise NotFound(f"there is no {path}, in the container or in its image", "check the path")
    return FileChange(path="/" + path.strip("/"), before=before, after=after)


def _state(layers: list[int], path: str, limit: int, opened: ExitStack) -> FileState | None:
    found = find_entry(layers, path, opened)
    if found is None:
        return None
    folder, name, status = found
    kind = _KINDS[stat.S_IFMT(status.st_mode)]
    state = FileState(
        kind=kind,
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        size=status.st_size,
        modified_at=status.st_mtime,
        text=os.fsencode(os.readlink(name, dir_fd=folder)).decode(errors="backslashreplace")
        if kind == "link"
        else None,
    )
    return _with_text(state, folder, name, limit) if kind == "file" else state


def _with_text(state: FileState, folder: int, name: str, limit: int) -> FileState:
    fd = os.open(name, _FILE, dir_fd=folder)
    with os.fdopen(fd, "rb") as file:
        data = file.read(limit + 1)
    cut, data = len(data) > limit, data[:limit]
    text = _text(data, cut)
    return FileState(
        kind=state.kind,
        mode=state.mode,
        uid=state.uid,
        gid=state.gid,
        size=state.size,
        modified_at=state.modified_at,
        text=text,
        binary=text is None,
        cut=cut,
        digest=f"sha256:{hashlib.sha256(data).hexdigest()}",
    )


def _text(data: bytes, cut: bool) -> str | None:
    """The text that the bytes are, less a character that was cut in two; None where they are none."""
    if b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError as e:
        return data[: e.start].decode() if cut and e.end == len(data) and len(data) - e.start < 4 else None
