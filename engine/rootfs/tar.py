"""The tar format, read strictly and within bounds: ustar, pax, GNU long names and sparse files.

The standard library's reader takes a damaged header for the end of the archive, believes any size a pax
header claims, and loops on a cut sparse map; what comes from strangers needs a stricter one. Formats: POSIX
pax(1), GNU tar manual, appendix "Tar Internals".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

from engine.errors import BadRequest

BLOCK = 512
CHUNK = 1 << 18
EXTENSION_LIMIT = 1 << 20  # bytes of one pax header, long name or sparse map
SIZE_LIMIT = 1 << 62  # what is below cannot overflow the kernel's loff_t when rounded and added
XATTR = "SCHILY.xattr."

Kind = Literal["file", "dir", "symlink", "link", "fifo", "char", "block"]
Extents = list[tuple[int, int]]

_KINDS: dict[bytes, Kind] = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",  # "contiguous"
    b"S": "file",  # GNU sparse
    b"1": "link",
    b"2": "symlink",
    b"3": "char",
    b"4": "block",
    b"5": "dir",
    b"D": "dir",  # GNU incremental: its data lists the folder
    b"6": "fifo",
}


class Input(Protocol):
    """What an archive is read from."""

    def read(self, count: int, /) -> bytes:
        """At most `count` bytes; empty at the end."""


class Member(NamedTuple):
    """One entry of an archive; text is decoded as file names are (surrogateescape)."""

    name: str
    kind: Kind
    mode: int = 0o644  # permission bits with setuid, setgid and sticky
    uid: int = 0
    gid: int = 0
    size: int = 0  # bytes of content, holes included
    mtime_ns: int = 0
    target: str = ""  # of a symbolic or hard link
    device: tuple[int, int] = (0, 0)
    xattrs: Mapping[str, bytes] = MappingProxyType({})
    extents: Extents | None = None  # (offset, length) of stored data where the file has holes


def malformed(what: str) -> BadRequest:
    """The error for an archive that breaks the format."""
    return BadRequest(f"reading the archive: {what}", "make it anew; it is damaged or no tar archive")


class Reader:
    """Members of a tar stream, each once, in order; their content is read by `content` before the next."""

    def __init__(self, stream: Input) -> None:
        self._stream = stream
        self._unread = 0  # bytes of content left of the current member
        self._padding = 0
        self._global: dict[str, bytes] = {}
        self._extents: Extents | None = None

    def __iter__(self) -> Iterator[Member]:
        pax = dict(self._global)
        while (header := self._header()) is not None:
            flag = header[156:157]
            size = _number(header[124:136])
            if flag in b"xXgLK":
                data = self._extension(size)
                if flag == b"L":
                    pax.setdefault("path", _text(data))
                elif flag == b"K":
                    pax.setdefault("linkpath", _text(data))
                elif flag == b"g":
                    self._global.update(_records(data))
                    pax = {**self._global, **pax}
                else:
                    pax.update(_records(data))
                continue
            if flag == b"V":  # GNU volume label
                continue
            yield self._member(header, flag, size, pax)
            self._skip(self._unread)
            self._read(self._padding)  # umoci leaves it out after the last member
            self._unread = self._padding = 0
            pax = dict(self._global)

    def content(self) -> Iterator[tuple[int, bytes]]:
        """Pieces of the current member's stored data, each with its offset in the file."""
        for start, length in self._extents or [(0, self._unread)]:
            offset, end = start, start + length
            while offset < end:
                piece = self._exactly(min(CHUNK, end - offset))
                self._unread -= len(piece)
                yield offset, piece
                offset += len(piece)

    def _member(self, header: bytes, flag: bytes, size: int, pax: dict[str, bytes]) -> Member:
        kind = _KINDS.get(flag)
        if kind is None:
            raise malformed(f"a member has the unknown type {flag!r}")
        name = pax.get("GNU.sparse.name") or pax.get("path") or _name(header)
        if "size" in pax:
            size = _decimal(pax["size"], "size")
        if not 0 <= size < SIZE_LIMIT:
            raise malformed(f"{os.fsdecode(name)!r} has the size {size}")
        if flag == b"\0" and name.endswith(b"/"):
            kind = "dir"
        stored = size if kind == "file" or flag == b"D" else 0
        self._unread, self._padding = stored, -stored % BLOCK
        self._extents = None
        if kind == "file":
            if flag == b"S":
                size = _number(header[483:495])
                self._extents = self._old_sparse(header)
            elif any(key.startswith("GNU.sparse.") for key in pax):
                size = self._pax_sparse(pax, stored)
            if self._extents is not None:
                _check_extents(self._extents, size, self._unread)
        links = kind in ("link", "symlink")
        nodes = kind in ("char", "block")
        return Member(
            name=_path(name, "name"),
            kind=kind,
            mode=_number(header[100:108]) & 0o7777,
            uid=_decimal(pax["uid"], "uid") if "uid" in pax else _number(header[108:116]),
            gid=_decimal(pax["gid"], "gid") if "gid" in pax else _number(header[116:124]),
            size=size if kind == "file" else 0,
            mtime_ns=_nanoseconds(pax["mtime"]) if "mtime" in pax else _number(header[136:148]) * 10**9,
            target=_path(pax.get("linkpath") or _text(header[157:257]), "link target") if links else "",
            device=(_number(header[329:337]), _number(header[337:345])) if nodes else (0, 0),
            xattrs={key[len(XATTR) :]: value for key, value in pax.items() if key.startswith(XATTR)},
            extents=self._extents if kind == "file" else None,
        )

    def _header(self) -> bytes | None:
        block = self._read(BLOCK)
        if not block or block == bytes(BLOCK):
            return None
        if len(block) < BLOCK:
            raise malformed("it ends within a header")
        # The checksum is of all bytes with its own field as spaces; some old tars summed signed chars.
        checksum = _number(block[148:156])
        summed = block[:148] + b" " * 8 + block[156:]
        if checksum != sum(summed) and checksum != sum(b - 256 if b > 127 else b for b in summed):
            raise malformed("a header has a wrong checksum")
        return block

    def _extension(self, size: int) -> bytes:
        if not 0 <= size <= EXTENSION_LIMIT:
            raise malformed(f"an extension header claims {size} bytes")
        data = self._exactly(size)
        self._skip(-size % BLOCK)
        return data

    def _old_sparse(self, header: bytes) -> Extents:
        extents = _old_extents(header[386:482])
        more = header[482]
        while more:
            block = self._exactly(BLOCK)
            extents += _old_extents(block[:504])
            more = block[504]
            if len(extents) * 24 > EXTENSION_LIMIT:
                raise malformed("a sparse map is too long")
        return extents

    def _pax_sparse(self, pax: dict[str, bytes], stored: int) -> int:
        if pax.get("GNU.sparse.major") == b"1":
            lines: list[int] = []
            buffer, count = b"", 1
            while len(lines) < count:  # the map precedes the data: count, then offset and length of each
                if b"\n" not in buffer:
                    if self._unread < BLOCK or stored - self._unread > EXTENSION_LIMIT:
                        raise malformed("a sparse map is cut or too long")
                    buffer += self._exactly(BLOCK)
                    self._unread -= BLOCK
                    continue
                line, buffer = buffer.split(b"\n", 1)
                lines.append(_decimal(line, "sparse map"))
                count = 1 + 2 * lines[0]
            numbers = lines[1:]
        else:
            numbers = [_decimal(n, "sparse map") for n in pax.get("GNU.sparse.map", b"").split(b",") if n]
        if len(numbers) % 2:
            raise malformed("a sparse map has an odd count of numbers")
        self._extents = list(zip(numbers[::2], numbers[1::2], strict=True))
        size = pax.get("GNU.sparse.realsize", pax.get("GNU.sparse.size"))
        if size is None:
            raise malformed("a sparse file without its size")
        return _decimal(size, "sparse size")

    def _read(self, count: int) -> bytes:
        data = self._stream.read(count)
        while len(data) < count and (more := self._stream.read(count - len(data))):
            data += more
        return data

    def _exactly(self, count: int) -> bytes:
        data = self._read(count)
        if len(data) < count:
            raise malformed("it ends within a member")
        return data

    def _skip(self, count: int) -> None:
        while count:
            count -= len(self._exactly(min(count, CHUNK)))


def _records(data: bytes) -> dict[str, bytes]:
    records: dict[str, bytes] = {}
    sparse: list[bytes] = []  # GNU sparse 0.0 repeats a key for each number
    position = 0
    while position < len(data):
        length, space, _ = data[position : position + 20].partition(b" ")
        if not space:
            raise malformed("a pax header has a record without a length")
        end = position + _decimal(length, "pax record length")
        record = data[position + len(length) + 1 : end]
        key, equals, value = record.partition(b"=")
        if end > len(data) or not equals or not value.endswith(b"\n"):
            raise malformed("a pax header has a broken record")
        if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
            sparse.append(value[:-1])
        else:
            records[key.decode(errors="surrogateescape")] = value[:-1]
        position = end
    if sparse:
        records["GNU.sparse.map"] = b",".join(sparse)
    return records


def _number(field: bytes) -> int:
    if field[0] in (0x80, 0xFF):  # GNU: a big-endian two's complement
        return int.from_bytes(field[1:], "big") - (256 ** (len(field) - 1) if field[0] == 0xFF else 0)
    digits = field.split(b"\0", 1)[0].strip()
    if digits.strip(b"01234567"):
        raise malformed(f"a header has {field!r} for a number")
    return int(digits or b"0", 8)


def _decimal(text: bytes, what: str) -> int:
    digits = text[1:] if text[:1] == b"-" else text
    if not digits.isdigit() or len(digits) > 20:
        raise malformed(f"it has {text[:40]!r} as {what}")
    value = int(text)
    if value < 0 and what != "mtime":
        raise malformed(f"it has {value} as {what}")
    return value


def _nanoseconds(text: bytes) -> int:
    seconds, _, fraction = text.partition(b".")
    if fraction and not fraction.isdigit():
        raise malformed(f"it has {text[:40]!r} as mtime")
    whole = _decimal(seconds or b"0", "mtime") * 10**9
    nanoseconds = int(fraction[:9].ljust(9, b"0")) if fraction else 0
    return whole - nanoseconds if text.startswith(b"-") else whole + nanoseconds


def _text(field: bytes) -> bytes:
    return field.split(b"\0", 1)[0]


def _name(header: bytes) -> bytes:
    name = _text(header[:100])
    if header[257:263] == b"ustar\0" and (prefix := _text(header[345:500])):
        return prefix + b"/" + name
    return name


def _path(raw: bytes, what: str) -> str:
    if b"\0" in raw:
        raise malformed(f"a {what} has a zero byte: {raw[:80]!r}")
    return os.fsdecode(raw)


def _old_extents(field: bytes) -> Extents:
    pairs = [(field[i : i + 12], field[i + 12 : i + 24]) for i in range(0, len(field), 24)]
    return [(_number(offset), _number(length)) for offset, length in pairs if offset[0]]


def _check_extents(extents: Extents, size: int, stored: int) -> None:
    end = 0
    for offset, length in extents:
        if offset < end or length < 0:
            raise malformed("a sparse map overlaps or goes backwards")
        end = offset + length
    if not end <= size < SIZE_LIMIT:
        raise malformed("a sparse map reaches beyond the file's end")
    if sum(length for _, length in extents) != stored:
        raise malformed("a sparse map does not match the data")
