"""A tar stream from a container, unpacked in a local folder without ever leaving it.

What a container holds is a stranger's. Every member is reached from the folder's descriptor, one component at
a time and through no symbolic link, and replaces what is in its place; so no order of members can lead a
write out. Devices and sockets are left out, set-user-id bits are dropped.
"""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

from engine.errors import BadRequest, KernelError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PERMISSIONS = 0o777
CHUNK = 256 << 10

Parts = tuple[str, ...]


def unpack(
    tar: Iterator[bytes], folder: Path, name: str, *, contents: bool, keep_owner: bool = False
) -> list[str]:
    """Put the archive's one member into `folder` as `name`; returns what had to be left out.

    With `contents` the archive holds what is in a folder, and goes below `name`, or with "" into `folder`.

    Raises BadRequest where the archive or what is in the way does not fit, KernelError where a write fails.
    """
    try:
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise KernelError.of(f"opening {folder}", error) from error
    try:
        with tarfile.open(fileobj=io.BufferedReader(_Pieces(tar), CHUNK), mode="r|") as archive:
            unpacker = _Unpacker(archive, top, name, contents, keep_owner)
            for member in archive:
                unpacker.add(member)
            unpacker.finish()
            return unpacker.left_out
    except tarfile.TarError as error:
        raise BadRequest(f"reading the archive: {error}") from error
    except OSError as error:
        raise KernelError.of(f"writing {error.filename or ''} in {folder}", error) from error
    finally:
        os.close(top)


class _Unpacker:
    def __init__(
        self, archive: tarfile.TarFile, top: int, name: str, contents: bool, keep_owner: bool
    ) -> None:
        self._archive = archive
        self._top = top
        self._name = name
        self._contents = contents
        self._keep_owner = keep_owner
        self._folders: list[tuple[Parts, tarfile.TarInfo]] = []
        self.left_out: list[str] = []
        if contents and name:
            self._folder(top, name)

    def add(self, member: tarfile.TarInfo) -> None:
        parts = self._place(member.name)
        if member.isdir():
            self._folders.append((parts, member))
        if not parts:
            return  # the folder itself, which is there
        with _Parent(self._top, parts) as parent:
            self._make(member, parent, parts[-1])

    def finish(self) -> None:
        """Folders get modes and times last: a folder without write permission could not be filled."""
        for parts, member in reversed(self._folders):
            if parts:
                with _Parent(self._top, (*parts, "")) as folder:
                    self._finish_fd(folder, member)

    def _make(self, member: tarfile.TarInfo, parent: int, name: str) -> None:
        if member.isdir():
            self._folder(parent, name)
            return
        make = self._maker(member)
        if make is None:
            self.left_out.append(member.name)
            return
        try:
            os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            pass
        except IsADirectoryError as error:
            raise BadRequest(f"{member.name} would replace a folder", "move that folder away") from error
        make(member, parent, name)

    def _folder(self, parent: int, name: str) -> None:
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            os.close(os.open(name, _FOLDER, dir_fd=parent))  # refuses anything that is no folder

    def _maker(self, member: tarfile.TarInfo) -> Callable[[tarfile.TarInfo, int, str], None] | None:
        if member.isreg():
            return self._file
        if member.issym():
            return lambda member, parent, name: os.symlink(member.linkname, name, dir_fd=parent)
        if member.islnk():
            return self._link
        if member.isfifo():
            return lambda member, parent, name: os.mkfifo(name, member.mode & _PERMISSIONS, dir_fd=parent)
        return None

    def _file(self, member: tarfile.TarInfo, parent: int, name: str) -> None:
        content = self._archive.extractfile(member)
        assert content is not None  # a regular file has content
        with os.fdopen(os.open(name, _NEW_FILE, 0o600, dir_fd=parent), "wb") as file:
            while piece := content.read(CHUNK):
                file.write(piece)
            file.flush()
            self._finish_fd(file.fileno(), member)

    def _link(self, member: tarfile.TarInfo, parent: int, name: str) -> None:
        target = self._place(member.linkname)
        with _Parent(self._top, target) as other:
            os.link(target[-1], name, src_dir_fd=other, dst_dir_fd=parent, follow_symlinks=False)

    def _finish_fd(self, fd: int, member: tarfile.TarInfo) -> None:
        if self._keep_owner and os.geteuid() == 0:
            os.fchown(fd, member.uid, member.gid)
        os.fchmod(fd, stat.S_IMODE(member.mode) & _PERMISSIONS)
        os.utime(fd, (member.mtime, member.mtime))

    def _place(self, name: str) -> Parts:
        """Where a member goes, below the folder."""
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        if ".." in parts or name.startswith("/"):
            raise BadRequest(f"the archive has a member that leads out of it: {name!r}")
        if self._contents:
            return (self._name, *parts) if self._name else parts
        return (self._name, *parts[1:])  # the first component is the thing that was asked for


class _Parent:
    """The descriptor of the folder that holds `parts[-1]`, reached without following a link."""

    def __init__(self, top: int, parts: Parts) -> None:
        self._top = top
        self._parts = parts

    def __enter__(self) -> int:
        self._fd = os.dup(self._top)
        try:
            for part in self._parts[:-1]:
                inner = os.open(part, _FOLDER, dir_fd=self._fd)
                os.close(self._fd)
                self._fd = inner
        except BaseException:
            os.close(self._fd)
            raise
        return self._fd

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


class _Pieces(io.RawIOBase):
    """An iterator of bytes as a readable file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, into: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(into), len(self._rest))
        into[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
