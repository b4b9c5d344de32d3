"""Docker's stream framing: how stdout and stderr share one connection."""

from __future__ import annotations

from collections.abc import Iterable

MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
RAW = "application/vnd.docker.raw-stream"
Record = tuple[bytes, str, bool, bytes]
"""Time stamp, stream, whether the line ends with it, text."""

STREAMS = {"stdout": 1, "stderr": 2}


def frame(stream: str, data: bytes) -> bytes:
    """One frame: stream number, three zeros, length, data."""
    return bytes((STREAMS[stream], 0, 0, 0)) + len(data).to_bytes(4, "big") + data


class Encoder:
    """Turns records of a log into what GET /containers/{id}/logs sends; a terminal's are not framed."""

    def __init__(self, tty: bool, timestamps: bool) -> None:
        self._tty = tty
        self._timestamps = timestamps
        self._inside: dict[str, bool] = {}  # by stream, whether its line has begun

    def encode(self, records: Iterable[Record]) -> bytes:
        """The next records' bytes; the pieces of one line have one time stamp."""
        found = []
        for stamp, stream, whole, text in records:
            data = text + b"\n" if whole else text
            if self._timestamps and not self._inside.get(stream):
                data = stamp + b" " + data
            self._inside[stream] = not whole
            found.append(data if self._tty else frame(stream, data))
        return b"".join(found)
