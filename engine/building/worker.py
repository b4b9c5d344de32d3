"""A confined process for one step of a build: `python -sP -m engine.building.worker ORDER`, a JSON object.

It answers as engine.images.worker does.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import msgspec

from engine.building.copying import Gathered, Wanted, gather
from engine.errors import BadRequest
from engine.images.compression import CHUNK, REMEDY, decompressed, recognise
from engine.images.unpacking import begins_archive
from engine.images.worker import Progress, main
from engine.kernel.paths import open_in_root
from engine.launch.confine import WRITES_FILES, confine
from engine.rootfs.root import Stopped, make_folders, open_root
from engine.rootfs.tar import BLOCK
from engine.rootfs.unpack import unpack

OPEN_FILES = 16384
DEEP = 4000  # frames, for trees of the depth that `pack` allows


class Receive(msgspec.Struct, frozen=True, tag=True):
    """Unpack the context on standard input, plain or compressed, in a folder; at most `limit` bytes."""

    folder: Path
    limit: int


class Read(msgspec.Struct, frozen=True, tag=True):
    """Tell the text of a file in a context."""

    folder: Path
    path: str
    limit: int


class Gather(msgspec.Struct, frozen=True, tag=True):
    """Write what COPY or ADD copies to the new file `out`, as a tar stream."""

    wanted: Wanted
    source: Stopped | str  # a stage's or image's root, or a context's folder
    target: Stopped
    out: Path
    limit: int


class Put(msgspec.Struct, frozen=True, tag=True):
    """Unpack the tar stream on standard input, which `Gather` wrote, in a root."""

    target: Stopped


class Make(msgspec.Struct, frozen=True, tag=True):
    """Make a folder in a root, with its parents."""

    target: Stopped
    path: str


class Done(msgspec.Struct, frozen=True):
    """What became of a job: the bytes it unpacked, the text it read, whether it changed anything."""

    size: int = 0
    text: str = ""
    changed: bool = True


class Order(msgspec.Struct, frozen=True):
    """A job and the pid of the engine that wants it done."""

    job: Receive | Read | Gather | Put | Make
    parent: int


def run(order: Order, progress: Progress) -> msgspec.Struct:
    """Do one job, confined; raises TiffinError, OSError."""
    sys.setrecursionlimit(DEEP)
    match order.job:
        case Receive(folder, limit):
            root = _confined(order, folder)
            return Done(size=unpack(_Input(progress), root, whiteouts=False, limit=limit))
        case Read(folder, path, limit):
            return Done(text=_text(_confined(order, folder), path, limit))
        case Gather():
            return _gather(order.job, order.parent)
        case Put(target):
            with open(0, "rb", buffering=CHUNK, closefd=False) as stream:
                return Done(size=unpack(stream, _confined(order, target), whiteouts=False))
        case Make(target, path):
            return Done(changed=_make(_confined(order, target), path))


def _confined(order: Order, where: Stopped | Path) -> int:
    root = open_root(where) if isinstance(where, Stopped) else _open(where)
    confine(order.parent, capabilities=WRITES_FILES, open_files=OPEN_FILES, root=root)
    return root


def _open(folder: Path | str) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _gather(job: Gather, parent: int) -> Gathered:
    source = open_root(job.source) if isinstance(job.source, Stopped) else _open(job.source)
    target = open_root(job.target)
    with job.out.open("xb", buffering=CHUNK) as out:
        confine(parent, capabilities=WRITES_FILES, open_files=OPEN_FILES, root=target)
        return gather(job.wanted, source, target, out, job.limit)


def _make(root: int, path: str) -> bool:
    try:
        os.close(open_in_root(root, path, os.O_PATH | os.O_DIRECTORY))
    except FileNotFoundError:
        os.umask(0o022)
        os.close(make_folders(root, path))
        return True
    except NotADirectoryError:
        raise BadRequest(f"{path} is there and is no folder", "choose another") from None
    return False


def _text(root: int, path: str, limit: int) -> str:
    try:
        fd = open_in_root(root, path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise BadRequest(f"reading {path!r} of the context: {error.strerror}", "name a file in it") from error
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise BadRequest(f"reading {path!r} of the context: it is no file", "name a file in it")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise BadRequest(f"reading {path!r} of the context: it is larger than {limit} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"reading {path!r} of the context: it is no text", "name a Containerfile") from error


class _Input:
    """Standard input, decompressed."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done = 0
        self._head = b""
        while len(self._head) < BLOCK and (piece := os.read(0, CHUNK)):
            self._head += piece
        if not self._head:
            raise BadRequest("reading the context: it is empty", "send a tar archive, if only an empty one")
        compression = recognise(self._head[:6])
        if not compression and not begins_archive(self._head[:BLOCK]):
            raise BadRequest("reading the context: it is no tar archive", REMEDY)
        self._pieces = decompressed(self._raw, compression)
        self._piece = memoryview(b"")

    def _raw(self, count: int) -> bytes:
        piece, self._head = (self._head, b"") if self._head else (os.read(0, count), b"")
        self._done += len(piece)
        self._progress(self._done)
        return piece

    def read(self, count: int) -> bytes:
        if not self._piece:
            self._piece = memoryview(next(self._pieces, b""))
        taken, self._piece = self._piece[:count], self._piece[count:]
        return bytes(taken)


if __name__ == "__main__":
    order = msgspec.json.decode(sys.argv[1], type=Order, dec_hook=lambda type, value: type(value))
    sys.exit(main(order, run))
