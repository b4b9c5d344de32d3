"""Reading a recording: what there is, when, and any frame of it."""

from __future__ import annotations

import mmap
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
import zstandard

from engine.decoding import decode
from engine.errors import BadRequest, Corrupt, KernelError, NotFound
from engine.model import ContainerSummary
from engine.recording import frame as frames
from engine.recording import minute as minutes
from engine.recording.frame import FORMAT, Frame, Header
from engine.recording.minute import Minute
from engine.recording.records import HEAD, Kind, Record, Scan, scan
from engine.recording.writer import OLDER, older

BLOCKS = 4  # whose frames are kept at hand
LARGEST_WINDOW = 32 << 20  # bytes that decompressing may take


class Block:
    """Frames from a key frame on, that are read together, and the minute that tells of them in short."""

    __slots__ = ("data", "header", "minute", "records", "times")

    def __init__(self, data: bytes | mmap.mmap, header: Header) -> None:
        self.data = data
        self.header = header
        self.records: list[Record] = []
        self.times: list[float] = []
        self.minute: Record | None = None


class Recording:
    """A recording that was opened: not what is added to it later. Any thread may read."""

    def __init__(self, path: Path) -> None:
        """Raises NotFound, BadRequest for a file that is something else, Corrupt where nothing of it is left."""
        self.path = path
        self.notes: list[str] = []  # what is missing, a sentence each
        self._blocks: list[Block] = []
        self._kept: OrderedDict[int, list[Frame]] = OrderedDict()
        self._minutes: list[Minute] | None = None
        self._lock = threading.Lock()
        for file in (*(older(path, number) for number in range(OLDER, 0, -1)), path):
            self._take(file)
        self._blocks = [block for block in self._blocks if block.records]
        if not self._blocks:
            raise Corrupt(
                f"{path} has no frame in it", "record again: the recorder was ended within a second"
            )
        self._blocks.sort(key=lambda block: block.times[0])
        self._begins = [block.times[0] for block in self._blocks]

    @property
    def begin(self) -> float:
        """When its first frame was, Unix seconds."""
        return self._begins[0]

    @property
    def end(self) -> float:
        """When its last was."""
        return self._blocks[-1].times[-1]

    @property
    def header(self) -> Header:
        """Of its newest part."""
        return self._blocks[-1].header

    def __len__(self) -> int:
        return sum(len(block.records) for block in self._blocks)

    def times(self) -> list[float]:
        """When every frame was."""
        return [at for block in self._blocks for at in block.times]

    def at(self, moment: float) -> Frame:
        """The frame of a moment: the last not after it, or the first there is."""
        index = max(0, bisect_right(self._begins, moment) - 1)
        got = self._frames(index)
        while not got and index:  # a block that nothing could be read of
            index -= 1
            got = self._frames(index)
        if not got:
            raise Corrupt(f"{self.path} is damaged at that time", "look at another")
        place = bisect_right([frame.at for frame in got], moment) - 1
        return got[max(0, place)]

    def frames(self, begin: float = 0, end: float = float("inf")) -> Iterator[Frame]:
        """Those from one moment up to another, both included."""
        first = max(0, bisect_right(self._begins, begin) - 1)
        for index in range(first, len(self._blocks)):
            if self._begins[index] > end:
                return
            for frame in self._frames(index):
                if begin <= frame.at <= end:
                    yield frame

    def minutes(self) -> list[Minute]:
        """The whole of it in short, oldest first."""
        if self._minutes is None:
            found = (self._minute(index) for index in range(len(self._blocks)))
            self._minutes = [minute for minute in found if minute is not None]
        return self._minutes

    # ── files ───────────────────────────────────────────────────────────────────────────────────────────────

    def _take(self, file: Path) -> None:
        """Take in what one of its files has."""
        data = _mapped(file)
        if data is None:
            if file == self.path and not self._blocks:
                raise NotFound(f"there is no recording {file}", "name a file that tiffin record wrote")
            return
        found = scan(data)
        if not found.records:
            if file == self.path and not self._blocks:
                raise BadRequest(f"{file} is not a recording", "name a file that tiffin record wrote")
            self.notes.append(f"{file.name} has nothing in it that can be read")
            return
        self._sort(data, found, file)
        if (rest := len(data) - found.end) > 0:
            self.notes.append(
                f"the last {rest} bytes of {file.name} are not a whole frame: the recorder was killed, or the"
                " file was cut off"
            )

    def _sort(self, data: bytes | mmap.mmap, found: Scan, file: Path) -> None:
        """Put a file's records into blocks."""
        header: Header | None = None
        block: Block | None = None
        lost, expected = 0, 0
        for record in found.records:
            whole = (
                record.begin - HEAD.size == expected
            )  # nothing is missing between this one and that before
            expected = record.end
            if record.kind == Kind.HEADER:
                header, block = _header(bytes(data[record.begin : record.end]), file), None
            elif record.kind == Kind.KEY and header is not None:
                block = Block(data, header)
                self._blocks.append(block)
            elif record.kind == Kind.MINUTE and block is not None and whole:
                block.minute, block = record, None
            if record.kind in (Kind.KEY, Kind.NEXT):
                if block is None or not (whole or record.kind == Kind.KEY):
                    block = None
                    lost += 1
                else:
                    block.records.append(record)
                    block.times.append(record.at)
        if found.gaps:
            bytes_lost = sum(end - begin for begin, end in found.gaps)
            self.notes.append(
                f"{file.name} is damaged: {bytes_lost} bytes in {len(found.gaps)} places, and {lost} frames"
                " after them, cannot be read"
            )

    # ── frames and minutes ──────────────────────────────────────────────────────────────────────────────────

    def _frames(self, index: int) -> list[Frame]:
        with self._lock:
            if (got := self._kept.get(index)) is None:
                got = self._kept[index] = list(_decoded(self._blocks[index]))
                if len(self._kept) > BLOCKS:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(index)
            return got

    def _minute(self, index: int) -> Minute | None:
        block = self._blocks[index]
        if block.minute is not None:
            record = block.minute
            data = block.data[record.begin : record.end]
            try:
                return minutes.decoded(_Stream(iter([bytes(data)])).read(record.raw), block.header)
            except Corrupt:
                pass
        got = list(_decoded(block))  # the recorder was killed before it was over
        return minutes.minute_of(got) if got else None


def _mapped(file: Path) -> bytes | mmap.mmap | None:
    """A file's bytes; None where there is no such file."""
    try:
        with file.open("rb") as opened:
            if opened.seek(0, 2) == 0:
                return b""
            return mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KernelError.of(f"reading {file}", error, "name a file that tiffin record wrote") from error
    except ValueError as error:  # something that cannot be mapped
        raise BadRequest(
            f"{file} is not a recording: {error}", "name a file that tiffin record wrote"
        ) from error


def _header(data: bytes, file: Path) -> Header:
    try:
        header = decode(data, Header)
    except msgspec.MsgspecError as error:
        raise BadRequest(f"{file} is not a recording of tiffin's: {error}", "name another file") from error
    if header.format > FORMAT:
        raise BadRequest(
            f"{file} was written by tiffin {header.tiffin} in format {header.format}; this one reads {FORMAT}",
            "replay it with that version",
        )
    if len(header.fields) != len(header.steps) or len(header.host_fields) != len(header.host_steps):
        raise BadRequest(f"{file} is not a recording of tiffin's", "name another file")
    if not all(step > 0 for step in (*header.steps, *header.host_steps)):
        raise BadRequest(f"{file} is not a recording of tiffin's", "name another file")
    return header


def _decoded(block: Block) -> Iterator[Frame]:
    """Its frames, up to the first that cannot be read."""
    chunks = (bytes(block.data[record.begin : record.end]) for record in block.records)
    reader = _Stream(chunks)
    containers: dict[str, ContainerSummary] = {}
    rows: list[str] = []
    rest: dict[str, Any] = {}
    width, wide = len(block.header.host_fields), len(block.header.fields)
    for record in block.records:
        try:
            changes, table = frames.decoded(reader.read(record.raw))
        except Corrupt:
            return
        gone = set(changes.gone)
        if changes.containers or gone:
            new = {container.id: container for container in changes.containers}
            containers = {id: c for id, c in {**containers, **new}.items() if id not in gone}
        rows = rows if changes.rows is None else changes.rows
        rest = {**rest, **changes.rest} if changes.rest else rest
        if len(table) != width + wide * len(rows):
            return
        yield Frame(record.at, block.header, containers, rows, table, changes.events, rest)


class _Chunks:
    """Chunks as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def read(self, size: int) -> bytes:
        return next(self._chunks, b"")


class _Stream:
    """A compressed stream in chunks, of which no more is decompressed than was announced."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        decompressor = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
        self._reader = decompressor.stream_reader(cast("BinaryIO", _Chunks(chunks)))

    def read(self, size: int) -> bytes:
        """The next `size` bytes; raises Corrupt."""
        try:
            data = self._reader.read(size)
        except zstandard.ZstdError as error:
            raise Corrupt(f"a frame cannot be decompressed: {error}") from error
        if len(data) != size:
            raise Corrupt("a frame is shorter than announced")
        return data
