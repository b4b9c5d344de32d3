"""A container's log as the engine hands it over: records of the Kubernetes CRI format.

Source of the format: kubernetes/design-proposals-archive, kubelet-cri-logging.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import NamedTuple


class Record(NamedTuple):
    """One record; a line is one that is whole, or pieces of the same stream and the whole one after them."""

    offset: int  # of its first byte in the log
    stamp: bytes  # RFC 3339, UTC
    stderr: bool
    whole: bool  # False: the line goes on in the stream's next record
    text: bytes


class Line(NamedTuple):
    """One line of output; `offset` is that of its first record and names it."""

    offset: int
    stamp: bytes
    stderr: bool
    text: bytes
    note: bool = False  # said by tiffin, not by the program


def parse(raw: bytes, offset: int) -> list[Record]:
    """The records in `raw`, which begins at `offset` with one; what has no line end yet is left for later.

    What is not a record (a monitor was killed while it wrote one) is passed over.
    """
    found = []
    pieces = raw.split(b"\n")
    pieces.pop()
    for piece in pieces:
        parts = piece.split(b" ", 3)
        if len(parts) == 4 and parts[2] in (b"F", b"P"):
            stamp, stream, tag, text = parts
            found.append(Record(offset, stamp, stream == b"stderr", tag == b"F", text))
        offset += len(piece) + 1
    return found


def line(pieces: list[Record]) -> Line:
    """The line that records of one stream make."""
    first = pieces[0]
    text = first.text if len(pieces) == 1 else b"".join([piece.text for piece in pieces])
    return Line(first.offset, first.stamp, first.stderr, text)


@lru_cache(maxsize=1024)
def moment(stamp: bytes) -> float:
    """The Unix time of a record's stamp; 0 for one that is none."""
    try:
        return datetime.fromisoformat(stamp.decode()).timestamp()
    except ValueError:
        return 0.0
