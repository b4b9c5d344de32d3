"""Docker's stream framing: how stdout and stderr share one connection."""

from __future__ import annotations

from engine.docker.times import rfc3339
from engine.model import LogLine

MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
RAW = "application/vnd.docker.raw-stream"
STREAMS = {"stdout": 1, "stderr": 2}


def frame(stream: str, data: bytes) -> bytes:
    """One frame: stream number, three zeros, length, data."""
    return bytes((STREAMS[stream], 0, 0, 0)) + len(data).to_bytes(4, "big") + data


def logged(line: LogLine, tty: bool, timestamps: bool) -> bytes:
    """One line of GET /containers/{id}/logs; a terminal's are not framed."""
    stamp = rfc3339(line.at) + " " if timestamps else ""
    data = f"{stamp}{line.text}\n".encode(errors="surrogateescape")
    return data if tty else frame(line.stream, data)
