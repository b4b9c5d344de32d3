"""Reading containers' logs: by offset for a pane that scrolls, in batches of records for `logs`.

What is read are the monitor's segments (see engine.launch.logwriter): no record is ever spread over two.
"""

from __future__ import annotations

import asyncio
import os
import time
from calendar import timegm
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from engine.errors import BadRequest
from engine.kernel.inotify import IN_CREATE, IN_MODIFY, Queue
from engine.model import LogExtent, LogLine

CHUNK = 256 << 10  # bytes read at once; a record is far shorter
HALF = 5e-7  # seconds: a float of today's time is exact to about 0.2 µs
LINE_MAX = 1 << 20  # bytes of a line put together from pieces; a longer one is told as several


class Record(NamedTuple):
    """One record of the log."""

    stamp: bytes  # "2026-01-02T03:04:05.123456789Z": always as long, so that they compare as the times do
    stream: str
    whole: bool  # False: the line goes on in the stream's next record
    text: bytes


def extent(folder: Path) -> LogExtent:
    """How far a log reaches."""
    segments = _segments(folder)
    if not segments:
        return LogExtent(first=0, end=0)
    return LogExtent(first=segments[0], end=segments[-1] + _size(folder, segments[-1]))


def read(folder: Path, offset: int, size: int) -> bytes:
    """Raw records from `offset` on, at most `size` bytes, fewer at the end of a segment; empty at the end.

    Raises BadRequest below the first byte that is still kept.
    """
    while True:
        segments = _segments(folder)
        if segments and offset < segments[0]:
            raise BadRequest(
                f"reading the log at {offset}: it begins at {segments[0]} by now", "read on from there"
            )
        start = max((s for s in segments if s <= offset), default=None)
        if start is None:
            return b""
        try:
            fd = os.open(folder / f"{start:020d}", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # dropped since it was listed
            continue
        try:
            return os.pread(fd, size, offset - start)
        finally:
            os.close(fd)


async def records(
    folder: Path, *, since: float = 0, until: float = 0, tail: int | None = None, follow: Follow | None = None
) -> AsyncGenerator[list[Record]]:
    """Batches of records, oldest first; times are Unix seconds, 0 is no bound, `tail` counts lines.

    With `follow` it goes on as the log grows, until `until` has passed or the program has ended.
    """
    earliest, latest = _stamp(since - HALF), _stamp(until + HALF) if until else b"9"
    with follow.growth.of(folder) if follow else nullcontext() as grown:
        offset = _beginning(folder, earliest, tail)
        while True:
            over = (
                not follow or follow.ended.done()
            )  # asked before reading: what was written until then is read
            try:
                raw = read(folder, offset, CHUNK)
            except BadRequest:  # this reader was slower than the log's rotation
                first = extent(folder).first
                note = f"[tiffin: {first - offset} bytes of log were dropped before they could be read]"
                yield [Record(_stamp(time.time()), "stderr", True, note.encode())]
                offset = first
                continue
            torn = raw[raw.rfind(b"\n") + 1 :]
            if torn != raw or extent(folder).end <= offset + len(raw):
                raw = raw[: len(raw) - len(torn)]  # else a monitor was killed in its segment's last record
            offset += len(raw)
            found = list(_parse(raw))
            if wanted := [record for record in found if earliest <= record.stamp <= latest]:
                yield wanted
            if found and found[-1].stamp > latest:
                return
            if raw:
                await asyncio.sleep(0)  # a long log must not hold up the loop
            elif over or grown is None or not follow or (until and time.time() > until):
                return
            else:
                await _either(grown, follow.ended, until - time.time() if until else None)
                grown.clear()


async def lines(batches: AsyncIterator[list[Record]]) -> AsyncIterator[list[LogLine]]:
    """Records as whole lines, put together from their pieces."""
    pieces: dict[str, list[Record]] = {}
    async for batch in batches:
        found = []
        for record in batch:
            begun = pieces.setdefault(record.stream, [])
            begun.append(record)
            if record.whole or sum(len(piece.text) for piece in begun) > LINE_MAX:
                found.append(_line(begun))
                begun.clear()
        if found:
            yield found
    if rest := [_line(begun) for begun in pieces.values() if begun]:
        yield rest


def _line(pieces: list[Record]) -> LogLine:
    text = b"".join(piece.text for piece in pieces).decode(errors="replace")
    return LogLine(at=_seconds(pieces[0].stamp), stream=pieces[0].stream, text=text)


class Growth:
    """Tells any number of readers when the logs they follow have grown; lives in one event loop."""

    def __init__(self) -> None:
        self._queue = Queue()
        self._waiting: dict[int, set[asyncio.Event]] = {}  # by watch
        asyncio.get_running_loop().add_reader(self._queue.fileno(), self._tell)

    def close(self) -> None:
        """Tell nobody any more."""
        asyncio.get_running_loop().remove_reader(self._queue.fileno())
        self._queue.close()

    @contextmanager
    def of(self, folder: Path) -> Generator[asyncio.Event]:
        """An event that is set whenever the log in `folder` has grown."""
        grown = asyncio.Event()
        try:
            watch = self._queue.add(str(folder), IN_MODIFY | IN_CREATE)
        except FileNotFoundError:  # its container was removed: it ends soon
            yield grown
            return
        self._waiting.setdefault(watch, set()).add(grown)
        try:
            yield grown
        finally:
            self._waiting[watch].discard(grown)
            if not self._waiting[watch]:
                del self._waiting[watch]
                self._queue.remove(watch)

    def _tell(self) -> None:
        for watch in self._queue.happened():
            for grown in self._waiting.get(watch, ()):
                grown.set()


class Follow(NamedTuple):
    """How to go on at the end of a log: until `ended` is done and all is read."""

    growth: Growth
    ended: asyncio.Future[None]


def _segments(folder: Path) -> list[int]:
    try:
        return sorted(int(name) for name in os.listdir(folder) if name.isdecimal())
    except FileNotFoundError:  # its container was removed
        return []


def _size(folder: Path, segment: int) -> int:
    try:
        return (folder / f"{segment:020d}").stat().st_size
    except FileNotFoundError:
        return 0


def _parse(raw: bytes) -> Iterator[Record]:
    """The records of a piece of log; what is not one (a monitor was killed) is passed over."""
    for line in raw.split(b"\n"):
        parts = line.split(b" ", 3)
        if len(parts) == 4 and len(parts[0]) == 30:
            stamp, stream, tag, text = parts
            yield Record(stamp, "stderr" if stream == b"stderr" else "stdout", tag == b"F", text)


def _beginning(folder: Path, earliest: bytes, tail: int | None) -> int:
    """The offset at which to begin: of the last `tail` lines, or of the segment in which `earliest` lies."""
    segments = _segments(folder)
    if tail is not None:
        return _tail(folder, segments, tail)
    for start in reversed(segments):
        if read(folder, start, 31).lstrip(b"\n")[:30] <= earliest:
            return start
    return segments[0] if segments else 0


def _tail(folder: Path, segments: list[int], count: int) -> int:
    """The offset at which the last `count` lines begin, found by reading backwards."""
    left, at_end = count, True
    for start in reversed(segments):
        high = start + _size(folder, start)
        rest = b""  # the end of a record that begins before `high`
        while high > start:
            low = max(start, high - CHUNK)
            block = read(folder, low, high - low) + rest
            head = block.find(b"\n") + 1 if low > start else 0  # where the first whole record begins
            end = len(block)
            while end > head:
                begin = block.rfind(b"\n", head, end - 1) + 1 or head
                # A piece ends a line too where nothing has followed it.
                if at_end or block[begin:end].split(b" ", 3)[2:3] == [b"F"]:
                    if not left:
                        return low + end
                    left, at_end = left - 1, False
                end = begin
            rest, high = block[:head], low
    return segments[0] if segments else 0


async def _either(grown: asyncio.Event, ended: asyncio.Future[None], timeout: float | None) -> None:
    waiting: asyncio.Future[Any] = asyncio.ensure_future(grown.wait())
    try:
        await asyncio.wait((waiting, ended), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


def _stamp(at: float) -> bytes:
    second, nanoseconds = divmod(max(0, round(at * 1e9)), 10**9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode() + b".%09dZ" % nanoseconds


def _seconds(stamp: bytes) -> float:
    return _second(stamp[:19]) + int(stamp[20:29]) / 1e9


@lru_cache(maxsize=64)
def _second(text: bytes) -> int:
    return timegm(time.strptime(text.decode(), "%Y-%m-%dT%H:%M:%S"))
