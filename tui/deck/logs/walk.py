"""Walking a log line by line in both directions, through a filter and from a certain time on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, datetime

from tui.deck.logs.pages import PAGE, Book
from tui.deck.logs.pattern import Pattern
from tui.deck.logs.records import Line
from tui.presentation.quantities import size

FEW = 64  # matches of a page that are remembered, and pages whose matches are

Step = Line | int
"""A line, or, after each page, the offset that was reached: a chance to stop."""


class Walk:
    """Lines of a book that match a filter and are no older than `since`, a Unix time; 0 for all.

    `floor` is the offset where that begins, if it is known.
    """

    def __init__(
        self, book: Book, wanted: Pattern | None = None, since: float = 0, floor: int | None = None
    ) -> None:
        self.book = book
        self.wanted = wanted
        self.since = since
        self._empty: set[int] = set()  # complete pages without a match
        self._few: OrderedDict[int, list[Line]] = OrderedDict()  # complete pages with few
        self.floor = floor if floor is not None else self._at(since) if since else 0

    @property
    def start(self) -> int:
        """The offset at which it begins."""
        return max(self.floor, self.book.first)

    @property
    def note(self) -> Line | None:
        """A line before the first, where that is not the first there ever was."""
        if self.floor > self.book.first:
            text = "what was written before this time is not shown; 0 shows all"
        elif self.book.first:
            text = f"{size(self.book.first)} of older output was dropped to keep the log bounded"
        else:
            return None
        return Line(self.start - 1, b"", False, text.encode(), note=True)

    def forward(self, offset: int, sought: Pattern | None = None) -> Iterator[Step]:
        """From the first line at or after an offset; with `sought` only pages that may have it."""
        note = self.note
        if note is not None and offset <= note.offset:
            yield note
        number = max(offset, self.start) // PAGE
        while number * PAGE < self.book.end:
            for line in self._lines(number, sought):
                if line.offset >= offset and line.offset >= self.start:
                    yield line
            number += 1
            yield number * PAGE

    def backward(self, offset: int, sought: Pattern | None = None) -> Iterator[Step]:
        """From the last line before an offset; with `sought` only pages that may have it."""
        number = (min(offset, self.book.end) - 1) // PAGE
        while number >= self.start // PAGE:
            for line in reversed(self._lines(number, sought)):
                if self.start <= line.offset < offset:
                    yield line
            yield number * PAGE
            number -= 1
        note = self.note
        if note is not None and note.offset < offset:
            yield note

    def _lines(self, number: int, sought: Pattern | None) -> list[Line]:
        if sought is not None and not sought.may_be_in(self.book.page(number).raw):
            return []
        wanted = self.wanted
        if wanted is None:
            return self.book.lines(number)
        if number in self._empty:
            return []
        if number in self._few:
            self._few.move_to_end(number)
            return self._few[number]
        page = self.book.page(number)
        found: list[Line] = []
        if wanted.may_be_in(page.raw):
            found = [line for line in self.book.lines(number) if wanted.matches(line)]
        if len(found) <= FEW and page.complete and (number + 2) * PAGE < self.book.end:
            if not found:
                self._empty.add(number)
            else:
                self._few[number] = found
                if len(self._few) > FEW:
                    self._few.popitem(last=False)
        return found

    def _at(self, since: float) -> int:
        """The offset of the first line of a time, by halving."""
        stamp = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
        low, high = self.book.first // PAGE, self.book.end // PAGE
        while low < high:  # the last page whose first line is older, if any
            middle = (low + high + 1) // 2
            lines = self.book.lines(middle)
            if not lines or lines[0].stamp >= stamp:
                high = middle - 1
            else:
                low = middle
        for number in range(low, self.book.end // PAGE + 1):
            for line in self.book.lines(number):
                if line.stamp >= stamp and line.offset >= self.book.first:
                    return line.offset
        return self.book.end
