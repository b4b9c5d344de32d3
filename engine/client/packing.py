"""A local file or folder as a tar stream, made piece by piece."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from engine.errors import BadRequest, KernelError

CHUNK = 256 << 10
_TYPES = {stat.S_IFREG: tarfile.REGTYPE, stat.S_IFDIR: tarfile.DIRTYPE, stat.S_IFLNK: tarfile.SYMTYPE}
_TYPES |= {stat.S_IFIFO: tarfile.FIFOTYPE}


# Of a path in the archive: into it, not itself but perhaps what is below it, nothing of it.
Verdict = Literal["take", "look", "leave"]
Select = Callable[[str], Verdict]


def everything(_: str) -> Verdict:
    """Leaves nothing out."""
    return "take"


def packed(
    source: Path, name: str, *, keep_owner: bool = False, select: Select = everything
) -> Iterator[bytes]:
    """`source` and all below it, called `name` in the archive; "" packs only what is below it.

    Symbolic links stay links, sockets and devices are left out. Owners become root unless `keep_owner`.
    Raises KernelError where something cannot be read.
    """
    try:
        yield from _entry(os.fspath(source), name, keep_owner, select)
    except OSError as error:
        raise KernelError.of(f"reading {error.filename or source}", error) from error
    yield bytes(2 * tarfile.BLOCKSIZE)


def _entry(path: str, name: str, keep_owner: bool, select: Select) -> Iterator[bytes]:
    verdict = select(name) if name else "take"
    if verdict == "leave":
        return
    found = os.lstat(path)
    kind = _TYPES.get(stat.S_IFMT(found.st_mode))
    if kind is None:
        return
    if verdict == "look" and kind != tarfile.DIRTYPE:
        return
    if kind == tarfile.REGTYPE:
        yield from _file(path, name, keep_owner)
        return
    if name and verdict == "take":
        head = _head(found, kind, name, keep_owner)
        if kind == tarfile.SYMTYPE:
            head.linkname = os.readlink(path)  # noqa: PTH115 - bytes that are no UTF-8 stay as they are
        yield _encoded(head)
    if kind == tarfile.DIRTYPE:
        for inner in sorted(os.listdir(path)):
            yield from _entry(f"{path}/{inner}", f"{name}/{inner}" if name else inner, keep_owner, select)


def _file(path: str, name: str, keep_owner: bool) -> Iterator[bytes]:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        found = os.fstat(file.fileno())
        head = _head(found, tarfile.REGTYPE, name, keep_owner)
        head.size = left = found.st_size
        yield _encoded(head)
        while left:
            piece = file.read(min(left, CHUNK))
            if not piece:
                raise BadRequest(
                    f"reading {path}: it became shorter meanwhile", "copy it when nobody writes it"
                )
            left -= len(piece)
            yield piece
        yield bytes(-found.st_size % tarfile.BLOCKSIZE)


def _head(found: os.stat_result, kind: bytes, name: str, keep_owner: bool) -> tarfile.TarInfo:
    head = tarfile.TarInfo(name)
    head.type = kind
    head.mode = stat.S_IMODE(found.st_mode)
    head.mtime = int(found.st_mtime)
    if keep_owner:
        head.uid, head.gid = found.st_uid, found.st_gid
    return head


def _encoded(head: tarfile.TarInfo) -> bytes:
    return head.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
