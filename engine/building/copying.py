"""COPY and ADD: what an instruction copies becomes one tar stream, named from the target's root.

The stream is what determines the layer: its digest, times left out, is the cache's key. Everything is resolved by
openat2(RESOLVE_IN_ROOT) below the source's and the target's root. Runs in a worker.
"""

from __future__ import annotations

import bz2
import hashlib
import os
import posixpath
import re
import stat
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from engine.errors import BadRequest, NotFound
from engine.images.compression import CHUNK, decompressed, recognise
from engine.images.unpacking import begins_archive
from engine.kernel.paths import open_in_root
from engine.rootfs.header import header
from engine.rootfs.pack import Packer
from engine.rootfs.tar import BLOCK, Member, Reader
from engine.rootfs.unpack import TooLarge

_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_WILD = re.compile(r"[*?\[\\]")
MOST = 100_000  # files that one pattern may name


class Inline(msgspec.Struct, frozen=True):
    """A file whose content stands in the Containerfile."""

    name: str
    text: str


class Wanted(msgspec.Struct, frozen=True):
    """What is copied, and how it is to look in the target."""

    sources: list[str]  # paths or patterns below the source's root
    target: str  # absolute; with a slash at its end it is a folder
    where: str = "the context"  # what the source's root is, for messages
    inline: list[Inline] = []
    owner: tuple[int, int] | None = None  # None: as in the source
    mode: int | None = None
    archives: bool = False  # unpack local archives, as ADD does


class Gathered(msgspec.Struct, frozen=True):
    """What was found."""

    digest: str  # of names, kinds, modes, owners and contents, but not of times
    entries: int
    size: int  # bytes of the files' content


def gather(wanted: Wanted, source: int, target: int, out: BinaryIO, limit: int) -> Gathered:
    """Write the tar stream of what is wanted to `out`; `source` and `target` are open folders.

    Raises BadRequest, NotFound, TooLarge beyond `limit` bytes, OSError.
    """
    tape = _Tape(out, wanted, limit)
    found = [path for pattern in wanted.sources for path in _matching(source, pattern, wanted.where)]
    many = wanted.target.endswith("/") or len(found) + len(wanted.inline) > 1
    into = many or _is_folder(target, wanted.target)
    base = posixpath.normpath(wanted.target).strip("/")
    for path in found:
        fd = _open(source, path, wanted.where)
        try:
            mode = os.fstat(fd).st_mode
            name = posixpath.join(base, posixpath.basename(path)) if into else base
            if stat.S_ISDIR(mode):
                _folder(tape, fd, base, _is_folder(target, wanted.target))
            elif not stat.S_ISREG(mode):
                raise BadRequest(f"{path!r} is neither a file nor a folder", "leave it out")
            elif not (wanted.archives and _archive(tape, fd, base)):
                tape.open_file(fd, name)
        finally:
            os.close(fd)
    for inline in wanted.inline:
        tape.text(posixpath.join(base, inline.name) if into else base, inline.text.encode())
    return tape.end()


class _Tape(Packer):
    """Writes members with the owner and mode that are wanted, and hashes them without their times."""

    def __init__(self, out: BinaryIO, wanted: Wanted, limit: int) -> None:
        super().__init__(self.content)
        self._out = out
        self._wanted = wanted
        self._left = limit
        self._hash = hashlib.sha256()
        self._entries = self._size = 0

    def add(self, member: Member) -> None:
        if self._wanted.owner is not None:
            member = member._replace(uid=self._wanted.owner[0], gid=self._wanted.owner[1])
        if self._wanted.mode is not None and member.kind in ("file", "dir"):
            member = member._replace(mode=self._wanted.mode)
        self._entries += 1
        self._size += member.size
        self._hash.update(header(member._replace(mtime_ns=0)))
        self._write_out(header(member))

    def content(self, data: bytes) -> None:
        self._hash.update(data)
        self._write_out(data)

    def _write_out(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            raise TooLarge(
                "copying: it is more than all that is free for it", "free some space for tiffin's state"
            )
        self._out.write(data)

    def text(self, name: str, data: bytes) -> None:
        self.add(Member(name, "file", mode=0o644, size=len(data)))
        self.content(data + bytes(-len(data) % BLOCK))

    def end(self) -> Gathered:
        self._out.write(bytes(2 * BLOCK))
        self._out.flush()
        return Gathered(f"sha256:{self._hash.hexdigest()}", self._entries, self._size)


def _folder(tape: _Tape, fd: int, base: str, there: bool) -> None:
    """What is in a folder; the folder itself is the target, and is made if it is not there."""
    if base and not there:
        tape.add(Member(f"{base}/", "dir", mode=0o755, mtime_ns=os.fstat(fd).st_mtime_ns))
    readable = os.open(".", _FOLDER, dir_fd=fd)
    try:
        for name in sorted(os.listdir(readable)):
            tape.entry(readable, name, posixpath.join(base, name))
    finally:
        os.close(readable)


def _is_folder(root: int, path: str) -> bool:
    try:
        os.close(open_in_root(root, path, os.O_PATH | os.O_DIRECTORY))
    except OSError:
        return False
    return True


def _open(root: int, path: str, where: str) -> int:
    try:
        return open_in_root(root, path, os.O_RDONLY | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError) as error:
        ignored = ", or an ignore file leaves it out" if where == "the context" else ""
        raise NotFound(f"there is no {path!r} in {where}", f"check the path{ignored}") from error


def _matching(root: int, pattern: str, where: str) -> Iterator[str]:
    """The paths that a pattern names, sorted; it is taken as it is where it has no wildcard."""
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise BadRequest(f"{pattern!r} leads out of {where}", "copy what is needed into it")
    if not _WILD.search(pattern):
        yield "/".join(parts) or "."
        return
    found = [""]
    for part in parts:
        matches = matcher(part)
        found = [
            posixpath.join(folder, name)
            for folder in found
            for name in _names(root, folder)
            if matches.fullmatch(name)
        ]
        if len(found) > MOST:
            raise BadRequest(f"{pattern!r} names more than {MOST} files in {where}", "name their folder")
    if not found:
        raise NotFound(f"nothing in {where} matches {pattern!r}", "check the pattern")
    yield from found


def _names(root: int, folder: str) -> list[str]:
    try:
        fd = open_in_root(root, folder or ".", _FOLDER)
    except OSError:
        return []
    try:
        return sorted(os.listdir(fd))
    finally:
        os.close(fd)


def matcher(part: str) -> re.Pattern[str]:
    """A part of a path with Go's wildcards (filepath.Match) as a regular expression; raises BadRequest."""
    found, at = "", 0
    while at < len(part):
        char = part[at]
        at += 1
        if char == "*":
            found += ".*"
        elif char == "?":
            found += "."
        elif char == "\\" and at < len(part):
            found += re.escape(part[at])
            at += 1
        elif char == "[" and (end := part.find("]", at + 1)) > 0:
            inner = part[at:end].replace("[", "\\[").replace("&&", "&\\&")
            found += f"[{inner}]"
            at = end + 1
        else:
            found += re.escape(char)
    try:
        return re.compile(found, re.DOTALL)
    except re.error as error:
        raise BadRequest(f"{part!r} is no pattern: {error}", "close its '[' with ']'") from error


def _archive(tape: _Tape, fd: int, base: str) -> bool:
    """Write an archive's members below `base`; False, and nothing is written, for what is no archive."""
    try:
        stream = _Stream(_decompressed(fd))
        first = stream.peek(BLOCK)
    except (BadRequest, OSError, EOFError):
        first = b""
    if not any(first) or not begins_archive(first):
        os.lseek(fd, 0, os.SEEK_SET)
        return False
    reader = Reader(stream)
    for member in reader:
        if ".." in member.name.split("/"):
            raise BadRequest(f"the archive's member {member.name!r} leads upwards", "make the archive anew")
        name = posixpath.join(base, member.name.lstrip("/"))
        target = posixpath.join(base, member.target.lstrip("/")) if member.kind == "link" else member.target
        tape.add(member._replace(name=name, target=target, extents=None))
        at = 0
        if member.kind == "file":
            for offset, piece in reader.content():
                _zeros(tape, offset - at)
                tape.content(piece)
                at = offset + len(piece)
            _zeros(tape, member.size - at + -member.size % BLOCK)
    return True


def _zeros(tape: _Tape, count: int) -> None:
    while count:
        tape.content(bytes(min(count, CHUNK)))
        count -= min(count, CHUNK)


def _decompressed(fd: int) -> Iterator[bytes]:
    head = os.pread(fd, 6, 0)
    if head.startswith(b"BZh"):
        with bz2.BZ2File(os.fdopen(os.dup(fd), "rb")) as file:
            while piece := file.read(CHUNK):
                yield piece
        return
    yield from decompressed(lambda count: os.read(fd, count), recognise(head))


class _Stream:
    """Pieces as a file to read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = b""

    def read(self, count: int) -> bytes:
        if not self._piece:
            self._piece = next(self._pieces, b"")
        taken, self._piece = self._piece[:count], self._piece[count:]
        return taken

    def peek(self, count: int) -> bytes:
        while len(self._piece) < count and (more := next(self._pieces, b"")):
            self._piece += more
        return self._piece[:count]
