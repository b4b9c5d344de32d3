"""A log cut into pages by offset, so that any place of it can be shown without reading what is before.

Page k holds the records that begin in [k * PAGE, (k + 1) * PAGE). Which lines a page has depends on that page
and its neighbours alone, so it is the same wherever one comes from: a line belongs to the page in which it
begins, and its pieces are sought there and in the next page. One that goes on after that is shown as several.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from itertools import pairwise

from engine.errors import BadRequest
from engine.model import LogExtent
from tui.deck.logs.records import Line, Record, line, parse

PAGE = 128 << 10  # bytes; a record of the monitor is at most half of that
KEPT = 6  # pages in memory
MORE = 4096  # bytes read at once to find the end of a page's last record

Read = Callable[[int, int], bytes]


class Page:
    """One page, as much of it as there was when it was read."""

    def __init__(self, number: int, first: int) -> None:
        begin = number * PAGE
        # One byte more shows whether a record begins right at the page's begin.
        self.low = first if first >= begin else begin - 1
        self.raw = b""
        self.complete = False
        self.lines: list[Line] | None = None
        self.lines_of = -1  # the log's end for which they were made; -1: they stay as they are
        self._aligned = first >= begin  # the log itself begins here
        self._begin, self._until = begin, begin + PAGE

    def fill(self, read: Read) -> None:
        """Read on until the last record of the page has its end, or the log ends."""
        if self.complete:
            return
        self.__dict__.pop("records", None)
        self.__dict__.pop("ends", None)
        pieces, at = [self.raw], self.low + len(self.raw)
        while at < self._until:
            piece = read(at, self._until - at)
            if not piece:
                self.raw = b"".join(pieces)
                return
            pieces.append(piece)
            at += len(piece)
        self.raw = b"".join(pieces)
        while (end := self.raw.find(b"\n", self._until - 1 - self.low)) < 0:
            piece = read(self.low + len(self.raw), MORE)
            if not piece:
                return
            self.raw += piece
        self.raw = self.raw[: end + 1]
        self.complete = True

    @cached_property
    def records(self) -> list[Record]:
        """The records that begin in it."""
        begin = 0 if self._aligned else self.raw.find(b"\n") + 1
        if begin == 0 and not self._aligned:
            return []
        return parse(self.raw[begin:], self.low + begin)

    @cached_property
    def ends(self) -> dict[bool, tuple[bool, bool]]:
        """By stream: whether its last record is whole, and whether a line begins here after another's end."""
        found: dict[bool, tuple[bool, bool]] = {}
        for record in self.records:
            before = found.get(record.stderr)
            begins = before is not None and (before[1] or before[0])
            found[record.stderr] = (record.whole, begins)
        return found


class Book:
    """The pages of one log; not for several threads. Reading raises the engine's errors."""

    def __init__(self, read: Read, extent: Callable[[], LogExtent]) -> None:
        self._read = read
        self._extent = extent
        self._pages: OrderedDict[int, Page] = OrderedDict()
        self.first = 0  # the lowest offset still kept
        self.end = 0

    def refresh(self) -> bool:
        """See how far the log reaches now; whether it has changed."""
        extent = self._extent()
        changed = (extent.first, extent.end) != (self.first, self.end)
        for number in [number for number in self._pages if number < extent.first // PAGE]:
            del self._pages[number]
        self.first, self.end = extent.first, extent.end
        return changed

    def page(self, number: int) -> Page:
        """One page, as it is now."""
        page = self._pages.get(number)
        if page is None:
            page = Page(number, self.first)
        if not page.complete and page.low + len(page.raw) < self.end:
            try:
                page.fill(self._read)
            except BadRequest:  # dropped since: begin where the log does now
                self.refresh()
                page = Page(number, self.first)
                page.fill(self._read)
        self._pages[number] = page
        self._pages.move_to_end(number)
        while len(self._pages) > KEPT:
            self._pages.popitem(last=False)
        return page

    def lines(self, number: int) -> list[Line]:
        """The lines that begin in a page, by offset."""
        page = self.page(number)
        if page.lines is not None and page.lines_of in (-1, self.end):
            return page.lines
        skipped = self._carried(number)
        begun: dict[bool, list[Record]] = {}
        found: list[Line] = []
        for record in page.records:
            stream = record.stderr
            if stream in skipped:
                if record.whole:
                    skipped.discard(stream)
            elif record.whole and stream not in begun:
                found.append(Line(record.offset, record.stamp, stream, record.text))
            else:
                pieces = begun.setdefault(stream, [])
                pieces.append(record)
                if record.whole:
                    found.append(line(begun.pop(stream)))
        final = page.complete
        if begun:
            going_on = self._carried(number + 1)
            for stream, pieces in begun.items():
                if stream in going_on:
                    after = self.page(number + 1)
                    final = final and after.complete
                    for record in after.records:
                        if record.stderr == stream:
                            pieces.append(record)
                            if record.whole:
                                break
                found.append(line(pieces))
        if len(begun) or any(a.offset > b.offset for a, b in pairwise(found)):
            found.sort()
        page.lines, page.lines_of = found, -1 if final else self.end
        return found

    def _carried(self, number: int) -> set[bool]:
        """Streams whose first record in a page goes on with a line that begins in the page before."""
        if number * PAGE <= self.first:
            return set()
        carried = set()
        for stream, (whole, begins) in self.page(number - 1).ends.items():
            if not whole and (begins or self._whole_before(number - 1, stream)):
                carried.add(stream)
        return carried

    def _whole_before(self, number: int, stream: bool) -> bool:
        """Whether a stream's first record in a page begins a line: none is unfinished in the page before."""
        if number * PAGE <= self.first:
            return True
        return self.page(number - 1).ends.get(stream, (True, False))[0]
