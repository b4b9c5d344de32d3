"""Writing a recording: a frame a tick, each with one write, so that whatever ends the writer costs no other."""

from __future__ import annotations

import fcntl
import mmap
import os
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from engine.errors import BadRequest, Conflict, KernelError
from engine.model import SAMPLE_FIELDS, ContainerSummary, Event, Snapshot
from engine.recording import frame as frames
from engine.recording import minute
from engine.recording.frame import FORMAT, Changes, Frame, Header
from engine.recording.numbers import HOST_STEPS, SAMPLE_STEPS, row
from engine.recording.records import HEAD, MAGIC, Kind, pack, scan

LEVEL = 3  # of zstd: higher ones save a twentieth and take twice the time
BLOCK = 60  # frames from key frame to key frame: so many are read to see one
OLDER = 3  # files behind the one that is written: when bounded, at least three quarters of the bound are kept
FIRST = MAGIC + bytes([Kind.HEADER])  # what a recording begins with
LARGEST_HEADER = 1 << 16  # bytes
LEAST = 1 << 20  # bytes that a recording may be bounded to at least


class Writer:
    """Appends to the recording at a path, which one process does at a time.

    An existing recording is continued, after the last frame of it that is whole. With `max_size` it is kept to
    so many bytes: the file becomes PATH.1, that PATH.2 and so on, and the oldest goes.
    """

    def __init__(self, path: Path, interval: float, version: str, max_size: int | None = None) -> None:
        """Raises BadRequest where the file is something else, Conflict where it is being written to."""
        if max_size is not None and max_size < LEAST:
            raise BadRequest("a recording needs a megabyte at least", "allow it 64m or more")
        self.path = path
        self.frames = 0
        self.size = 0  # bytes of the file that is written
        self._interval = interval
        self._version = version
        self._part = None if max_size is None else max_size // (OLDER + 1)
        self._block: list[Frame] = []
        self._events: list[Event] = []
        self._header = self._new_header()
        self._unheaded = True  # what comes next needs a header before it
        self._fd = -1
        self._open()

    def close(self) -> None:
        """End the minute that was begun, and close the file."""
        if self._fd < 0:
            return
        try:
            self._end_block()
        finally:
            os.close(self._fd)
            self._fd = -1

    def add(self, snapshot: Snapshot, events: Iterable[Event] = ()) -> None:
        """Append a frame. Raises OSError where it cannot be written; then nothing of it is in the file.

        `events` are those since the frame before. Several snapshots of one tick are one frame: see Taker.
        """
        full = len(self._block) >= BLOCK or (self._part is not None and self.size >= self._part)
        if full or (self._block and snapshot.at < self._block[-1].at):
            self._end_block()
        before = self._block[-1] if self._block else None
        if before is None:
            self._begin_block(snapshot.at)
        frame = _frame(snapshot, tuple(events), self._header)
        rows = [frame.table[: len(HOST_STEPS)], *_rows(frame)]
        raw = frames.encoded(_changes(before, frame), [tuple(row) for row in rows])
        data = self._compressor.compress(raw) + self._compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        self._write(pack(Kind.NEXT if before else Kind.KEY, snapshot.at, data, len(raw)))
        self._block.append(frame)
        self.frames += 1

    # ── blocks ──────────────────────────────────────────────────────────────────────────────────────────────

    def _begin_block(self, at: float) -> None:
        if self._part is not None and self.size >= self._part:
            self._rotate()
        if self.size == 0 or self._unheaded:
            self._header = self._new_header(at)
            self._write(pack(Kind.HEADER, at, told := msgspec.json.encode(self._header), len(told)))
            self._unheaded = False
        self._compressor = zstandard.ZstdCompressor(level=LEVEL).compressobj()

    def _end_block(self) -> None:
        if not self._block:
            return
        block, self._block = self._block, []
        raw = minute.encoded(minute.minute_of(block))
        data = zstandard.ZstdCompressor(level=LEVEL).compress(raw)
        self._write(pack(Kind.MINUTE, block[-1].at, data, len(raw)))
        os.fdatasync(self._fd)  # a power cut costs a minute

    def _new_header(self, at: float = 0) -> Header:
        return Header(
            format=FORMAT,
            tiffin=self._version,
            hostname=socket.gethostname(),
            began=at,
            interval=self._interval,
        )

    # ── the file ────────────────────────────────────────────────────────────────────────────────────────────

    def _open(self) -> None:
        doing = f"opening {self.path} to record to"
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise KernelError.of(doing, error, "name a file in a folder that can be written to") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.size = _whole(fd, self.path)
            os.ftruncate(fd, self.size)  # a frame that was cut off by a kill
        except BlockingIOError:
            os.close(fd)
            raise Conflict(f"{self.path} is being recorded to already", "name another file") from None
        except OSError as error:
            os.close(fd)
            raise KernelError.of(doing, error, "name a file, or one that does not exist yet") from error
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        self._unheaded = True

    def _write(self, data: bytes) -> None:
        try:
            written = os.write(self._fd, data)
            if written < len(data):  # a disk that is all but full
                written += os.write(self._fd, data[written:])
        except OSError:
            os.ftruncate(self._fd, self.size)
            self._block = []  # the stream of the next frames would miss what was lost
            self._unheaded = True
            raise
        self.size += written

    def _rotate(self) -> None:
        for number in range(OLDER, 0, -1):
            younger = self.path if number == 1 else older(self.path, number - 1)
            if younger.exists():
                younger.replace(older(self.path, number))
        fd, self._fd = self._fd, -1
        os.close(fd)
        self._open()


def older(path: Path, number: int) -> Path:
    """The file that a recording was continued from, `number` files ago."""
    return path.with_name(f"{path.name}.{number}")


def _whole(fd: int, path: Path) -> int:
    """The bytes of a file up to the end of its last whole record; raises BadRequest where it is no recording."""
    size = os.fstat(fd).st_size
    if size == 0:
        return 0
    with mmap.mmap(fd, size, prot=mmap.PROT_READ) as data:
        found, begun = scan(data), data[: len(FIRST)]
    if found.records and found.records[0].begin == HEAD.size:
        return found.end
    if size < LARGEST_HEADER and FIRST.startswith(begun):
        return 0  # killed within its very first write
    raise BadRequest(f"{path} is not a recording, and is left as it is", "name another file")


def _frame(snapshot: Snapshot, events: tuple[Event, ...], header: Header) -> Frame:
    told = msgspec.structs.astuple
    table: list[int] = list(row(told(snapshot.host), HOST_STEPS))
    ids = [container.id for container in snapshot.containers if container.id in snapshot.samples]
    for id in ids:
        table += row(told(snapshot.samples[id]), SAMPLE_STEPS)
    return Frame(
        at=snapshot.at,
        header=header,
        containers={container.id: container for container in snapshot.containers},
        rows=ids,
        table=table,
        events=events,
        rest=frames.rest_of(snapshot),
    )


def _rows(frame: Frame) -> list[Any]:
    wide, place = len(SAMPLE_FIELDS), len(HOST_STEPS)
    return [frame.table[at : at + wide] for at in range(place, len(frame.table), wide)]


def _changes(before: Frame | None, now: Frame) -> Changes:
    known: dict[str, ContainerSummary] = dict(before.containers) if before else {}
    rest = dict(before.rest) if before else {}
    return Changes(
        containers=[c for id, c in now.containers.items() if known.get(id) != c],
        gone=[id for id in known if id not in now.containers],
        rows=list(now.rows) if before is None or before.rows != now.rows else None,
        events=list(now.events),
        rest={name: value for name, value in now.rest.items() if name not in rest or rest[name] != value},
    )
