"""A confined process for one look into a container's root: `python -sP -m engine.rootfs.worker ORDER`.

What it finds, it writes to standard output: JSON, or a tar stream. A tar stream to unpack comes on standard
input. An error is a JSON object on standard error, and the exit status 1. It dies with its engine.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import stat
import sys
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec

from engine.errors import BadRequest, KernelError, NotFound, NotPermitted, TiffinError
from engine.kernel.paths import open_in_root
from engine.kernel.syscalls import syncfs
from engine.launch.confine import CAP_MKNOD, CAP_SYS_ADMIN, WRITES_FILES, confine
from engine.model import JSON
from engine.rootfs.changes import changes, printable
from engine.rootfs.pack import pack, pack_entry
from engine.rootfs.private import compare, copy_layer, usage
from engine.rootfs.root import Root, open_layers, open_root
from engine.rootfs.stubs import Stubs
from engine.rootfs.unpack import unpack

OPEN_FILES = 16384
DEEP = 4000  # frames, for trees of the depth that `pack` and `changes` allow

_FOLDER = os.O_PATH | os.O_DIRECTORY
NOTHING = {"size": 0, "files": 0}
_READ_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_GO_MODES = {  # Go's os.FileMode, which Docker's clients read
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
}
_FIRST, _LAST = (
    -62135596800,
    253402300799,
)  # Unix seconds of the years 1 and 9999, which dates can be written of
_GO_BITS = {stat.S_ISUID: 1 << 23, stat.S_ISGID: 1 << 22, stat.S_ISVTX: 1 << 20}


class Diff(msgspec.Struct, frozen=True, tag=True):
    """Tell what the topmost layer changes, but for places made to mount on."""

    layers: list[Path]
    stubs: list[str] = []


class Stat(msgspec.Struct, frozen=True, tag=True):
    """Tell what is at a path."""

    root: Root
    path: str


class Out(msgspec.Struct, frozen=True, tag=True):
    """Write what is at a path as a tar stream."""

    root: Root
    path: str


class In(msgspec.Struct, frozen=True, tag=True):
    """Unpack a tar stream in the folder at a path."""

    root: Root
    path: str


class Export(msgspec.Struct, frozen=True, tag=True):
    """Write all that the layers show together as a tar stream."""

    layers: list[Path]


class Copy(msgspec.Struct, frozen=True, tag=True):
    """Copy a layer into an empty folder."""

    source: Path
    target: Path


class Usage(msgspec.Struct, frozen=True, tag=True):
    """Tell what folders take, those that are missing nothing."""

    folders: list[Path]


class Compare(msgspec.Struct, frozen=True, tag=True):
    """Tell what the topmost layer has made of one path."""

    layers: list[Path]
    path: str
    limit: int  # bytes of text


Job = Diff | Stat | Out | In | Export | Copy | Usage | Compare


class Order(msgspec.Struct, frozen=True):
    """A job and the pid of the engine that wants it done."""

    job: Job
    parent: int


class Place:
    """A path in a root: the folder it is in, and its name there; the name "." stands for a folder itself."""

    def __init__(self, root: int, path: str) -> None:
        if "\0" in path:
            raise BadRequest(f"the path {path!r} has a zero byte", "leave it out")
        self.path = "/" + path.lstrip("/")
        parent, _, name = self.path.rstrip("/").rpartition("/")
        # A trailing slash asks for the folder behind a link, "." for its content; so does the root itself.
        follow = self.path.endswith("/") or name in ("", ".", "..")
        self.name = "." if follow else name
        self.label = "." if name in ("", ".", "..") else name
        try:
            self.folder = open_in_root(root, self.path if follow else parent or "/", _FOLDER)
            self.status = os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError) as e:
            raise NotFound(f"there is no {path} in the container", "check the path") from e


def look(root: int, descriptors: int, path: str) -> JSON:
    """Docker's X-Docker-Container-Path-Stat of a path; `descriptors` is this process's /proc/PID/fd."""
    place = Place(root, path)
    status = place.status
    bits = sum(bit for unix, bit in _GO_BITS.items() if status.st_mode & unix)
    seconds, nanoseconds = divmod(status.st_mtime_ns, 10**9)
    at = datetime.fromtimestamp(max(_FIRST, min(seconds, _LAST)), UTC)
    target = ""
    if stat.S_ISLNK(status.st_mode):
        target = os.readlink(place.name, dir_fd=place.folder)
        try:
            fd = open_in_root(root, place.path, os.O_PATH)
            target = os.readlink(str(fd), dir_fd=descriptors)  # where the chain of links ends
        except OSError:  # it leads nowhere: told as it is written
            target = os.path.normpath(os.path.join(os.path.dirname(place.path), target))
    return {
        "name": printable(os.path.split(os.path.normpath(place.path))[1]) or "/",
        "size": status.st_size,
        "mode": _GO_MODES.get(stat.S_IFMT(status.st_mode), 0) | bits | status.st_mode & 0o777,
        "mtime": f"{at:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09}Z",
        "linkTarget": printable(target),
    }


def send(root: int, path: str) -> None:
    """Write what is at a path to standard output; entries of a folder's content are named from "./" on."""
    place = Place(root, path)
    if stat.S_ISSOCK(place.status.st_mode):
        raise BadRequest(f"copying {path}: a tar stream cannot hold a socket")
    with open(1, "wb", buffering=1 << 18, closefd=False) as out:
        if place.label == ".":
            pack(place.folder, out.write)
        else:
            pack_entry(place.folder, place.name, place.label, out.write)


def receive(root: int, path: str) -> None:
    """Unpack standard input, compressed or not, in the folder at a path."""
    place = Place(root, path)
    try:
        folder = open_in_root(root, place.path, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError as e:
        raise NotFound(f"there is no {path} in the container", "check the path") from e
    except NotADirectoryError as e:
        raise BadRequest(f"copying into {path}: it is not a folder", "name the folder to copy into") from e
    try:
        source = _decompressed()
        unpack(source, folder, whiteouts=False)
        while source.read(1 << 18):  # to its end, where the compressed ones have their checksum
            pass
    except (EOFError, zlib.error, lzma.LZMAError, OSError) as e:
        if isinstance(e, OSError) and e.errno is not None:
            raise
        raise BadRequest(f"reading the archive: {e}", "compress it anew") from e
    except KernelError as e:
        if e.errno == errno.EROFS:
            raise NotPermitted(f"{e.message} in {path}", "choose a folder that is not read-only") from e
        raise


def _decompressed() -> BinaryIO:
    source = io.BufferedReader(io.FileIO(0, closefd=False), 1 << 18)
    magic = source.peek(6)[:6]
    if magic.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=source))
    if magic.startswith(b"BZh"):
        return cast(BinaryIO, bz2.BZ2File(source))
    if magic.startswith(b"\xfd7zXZ"):
        return cast(BinaryIO, lzma.LZMAFile(source))
    return cast(BinaryIO, source)


def run(order: Order) -> None:
    """Do one job; raises TiffinError, OSError."""
    job = order.job
    sys.setrecursionlimit(DEEP)
    if isinstance(job, Diff | Compare):
        upper, *lower = layers = [os.open(layer, _READ_FOLDER) for layer in job.layers]
        _confine(order, upper)
        _say(
            changes(upper, lower, Stubs(job.stubs))
            if isinstance(job, Diff)
            else compare(layers, job.path, job.limit)
        )
        return
    if isinstance(job, Copy):
        source, target = (os.open(folder, _READ_FOLDER) for folder in (job.source, job.target))
        _confine(order, target, CAP_MKNOD)
        os.umask(0)
        copied = copy_layer(source, target)
        syncfs(target)  # else a power cut leaves files without their content
        _say(copied._asdict())
        return
    if isinstance(job, Usage):
        folders = [os.open(path, _READ_FOLDER) if path.is_dir() else None for path in job.folders]
        _confine(order, next((folder for folder in folders if folder is not None), None))
        _say([usage(folder)._asdict() if folder is not None else NOTHING for folder in folders])
        return
    if isinstance(job, Export):
        root = open_layers([str(layer) for layer in job.layers])
        _confine(order, root)
        with open(1, "wb", buffering=1 << 18, closefd=False) as out:
            pack(root, out.write)
        return
    descriptors = os.open(f"/proc/{os.getpid()}/fd", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    root = open_root(job.root)
    confine(order.parent, capabilities=WRITES_FILES, open_files=OPEN_FILES, root=root)
    if isinstance(job, Stat):
        _say(look(root, descriptors, job.path))
    elif isinstance(job, Out):
        send(root, job.path)
    else:
        receive(root, job.path)


def _confine(order: Order, root: int | None, *more: int) -> None:
    # trusted.* attributes are for CAP_SYS_ADMIN only
    confine(
        order.parent, capabilities=(*WRITES_FILES, CAP_SYS_ADMIN, *more), open_files=OPEN_FILES, root=root
    )


def _say(answer: object) -> None:
    with open(1, "wb", closefd=False) as out:
        out.write(msgspec.json.encode(answer))


def main(text: str) -> int:
    """Answer one order; returns the exit status."""
    try:
        try:
            run(msgspec.json.decode(text, type=Order, dec_hook=_path))
        except OSError as e:
            where = f" at {e.filename}" if e.filename else ""
            raise KernelError.of(f"looking into a container's root{where}", e) from e
    except BrokenPipeError:
        return 1
    except TiffinError as e:
        failure = {"kind": e.kind, "message": e.message, "remedy": e.remedy}
        os.write(2, msgspec.json.encode(failure))
        return 1
    return 0


def _path(kind: type, value: Any) -> Any:
    return Path(value) if kind is Path else value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
