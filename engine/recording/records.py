"""Records, which a recording's files are made of: found again after damage, and known to be whole.

A record is a head, `HEAD`, and its payload:

    magic    4 bytes   f7 54 46 52; no UTF-8 text has them
    kind     u8        of Kind; a reader passes over kinds it does not know
    stored   u32       bytes of the payload
    raw      u32       bytes of it when decompressed
    at       f64       Unix seconds
    crc      u32       CRC-32 of the head up to here and of the payload

Numbers are little-endian. A file is records one after the other and nothing else.
"""

from __future__ import annotations

import enum
import mmap
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

MAGIC = b"\xf7TFR"
HEAD = struct.Struct("<4sBIIdI")
SIGNED = HEAD.size - 4  # bytes of the head that the checksum covers
LARGEST = 64 << 20  # bytes of a payload when decompressed: what a reader lets itself be made to hold


class Kind(enum.IntEnum):
    """What a record holds."""

    HEADER = 1  # JSON of Header: how to read what follows, up to the next one
    KEY = 2  # a frame that stands alone, and begins a zstd stream
    NEXT = 3  # a frame that continues the stream, and says what has changed
    MINUTE = 4  # what there was since the key frame before it, in short; stands alone


class Record(NamedTuple):
    """A whole record in a file."""

    kind: int
    at: float
    begin: int  # of its payload in the file
    end: int
    raw: int


class Scan(NamedTuple):
    """What a file turned out to be."""

    records: list[Record]
    gaps: list[tuple[int, int]]  # stretches that are no records, and have records after them
    end: int  # of the last whole record


def pack(kind: Kind, at: float, payload: bytes, raw: int) -> bytes:
    """A record's bytes."""
    head = HEAD.pack(MAGIC, kind, len(payload), raw, at, 0)[:SIGNED]
    crc = zlib.crc32(payload, zlib.crc32(head))
    return head + struct.pack("<I", crc) + payload


def scan(data: bytes | mmap.mmap) -> Scan:
    """All records of a file, each checked; what is damaged is passed over up to the next whole record."""
    records: list[Record] = []
    gaps: list[tuple[int, int]] = []
    place = 0
    view = memoryview(data)
    try:
        while place < len(data):
            record = _at(view, place)
            if record is None:
                begin, place = place, _next(data, view, place + 1)
                if place < 0:
                    break
                gaps.append((begin, place))
            else:
                records.append(record)
                place = record.end
    finally:
        view.release()
    return Scan(records, gaps, records[-1].end if records else 0)


def _at(view: memoryview, place: int) -> Record | None:
    """The whole record at a place; None where there is none."""
    begin = place + HEAD.size
    if begin > len(view):
        return None
    magic, kind, stored, raw, at, crc = HEAD.unpack_from(view, place)
    end = begin + stored
    if magic != MAGIC or end > len(view) or raw > LARGEST or at != at:
        return None
    if zlib.crc32(view[begin:end], zlib.crc32(view[place : place + SIGNED])) != crc:
        return None
    return Record(kind, at, begin, end, raw)


def _next(data: bytes | mmap.mmap, view: memoryview, place: int) -> int:
    """Where the next whole record begins; -1 where there is none."""
    for found in _finds(data, place):
        if _at(view, found) is not None:
            return found
    return -1


def _finds(data: bytes | mmap.mmap, place: int) -> Iterator[int]:
    while (place := data.find(MAGIC, place)) >= 0:
        yield place
        place += 1
