"""Compressed archives from strangers, decompressed piece by piece within bounds of memory."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Literal

import zstandard

from engine.errors import BadRequest

CHUNK = 1 << 18
WINDOW_LIMIT = 1 << 27  # bytes; what zstd's own command accepts without --long
XZ_MEMORY = 256 << 20  # bytes; xz -9 needs 65 MiB
ZSTD_INPUT = 1 << 12  # bytes fed at once; even then a bomb gives 128 MiB

Compression = Literal["", "gzip", "zstd", "xz"]
Read = Callable[[int], bytes]

_MAGIC: dict[bytes, Compression] = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\0": "xz",
}
_UNKNOWN = {
    b"BZh": "bzip2",
    b"PK\x03\x04": "zip",
    b"LZIP": "lzip",
    b"\x04\x22\x4d\x18": "lz4",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!": "RAR",
    b"hsqs": "squashfs",
    b"\x5d\0\0": "lzma",
    b"\x1f\x9d": "compress",
}
REMEDY = "give a tar archive, as it is or compressed with gzip, zstd or xz"


def recognise(head: bytes) -> Compression:
    """How data that begins with `head` (6 bytes do) is compressed; BadRequest where it cannot be read."""
    if not head:
        raise BadRequest("reading the archive: it is empty", REMEDY)
    for magic, compression in _MAGIC.items():
        if head.startswith(magic):
            return compression
    for magic, name in _UNKNOWN.items():
        if head.startswith(magic):
            raise BadRequest(f"reading the archive: it is {name} data, which tiffin does not read", REMEDY)
    return ""


def decompressed(read: Read, compression: Compression) -> Iterator[bytes]:
    """The data in pieces of some CHUNK bytes; BadRequest where it is damaged or cut."""
    if compression == "":
        return iter(lambda: read(CHUNK), b"")
    pieces = {"gzip": _gzip, "zstd": _zstd, "xz": _xz}[compression](read)
    return _readable(pieces, compression)


def _readable(pieces: Iterator[bytes], compression: str) -> Iterator[bytes]:
    try:
        yield from pieces
    except (zlib.error, lzma.LZMAError, zstandard.ZstdError, MemoryError) as e:
        reason = "it needs too much memory" if isinstance(e, MemoryError) else str(e)
        raise BadRequest(f"decompressing the archive ({compression}): {reason}", "make it anew") from e
    except EOFError as e:
        raise BadRequest(
            f"decompressing the archive: the {compression} data is cut off", "copy or download it again"
        ) from e


def _gzip(read: Read) -> Iterator[bytes]:
    data = read(CHUNK)
    while data:
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            data = data or read(CHUNK)
            if not data:
                raise EOFError
            yield member.decompress(data, CHUNK)
            data = member.unconsumed_tail
        data = _past_padding(member.unused_data, read)


def _xz(read: Read) -> Iterator[bytes]:
    data = read(CHUNK)
    while data:
        stream = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
        while not stream.eof:
            if stream.needs_input and not (data := data or read(CHUNK)):
                raise EOFError
            yield stream.decompress(data, CHUNK)
            data = b""
        data = _past_padding(stream.unused_data, read)


def _zstd(read: Read) -> Iterator[bytes]:
    context = zstandard.ZstdDecompressor(max_window_size=WINDOW_LIMIT)
    data = memoryview(read(CHUNK))
    while data:
        frame = context.decompressobj()
        while not frame.eof:
            data = data or memoryview(read(CHUNK))
            if not data:
                raise EOFError
            yield frame.decompress(data[:ZSTD_INPUT])
            data = data[ZSTD_INPUT:]
        data = memoryview(frame.unused_data + bytes(data)) or memoryview(read(CHUNK))


def _past_padding(data: bytes, read: Read) -> bytes:
    """What follows the zero bytes with which tapes and signers fill up."""
    while not (data := data.lstrip(b"\0")):
        if not (data := read(CHUNK)):
            return b""
    return data
