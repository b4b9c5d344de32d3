"""What lines are searched and filtered by: text, in any case unless it has a capital letter."""

from __future__ import annotations

import re

from tui.deck.logs.records import Line
from tui.deck.logs.text import plain

CONTROL = bytes(n for n in (*range(32), 127) if n not in b"\n\r")
"""Bytes that make the text of a line differ from what was written; after a return only less of it is shown."""
HEAD = re.compile(rb"\n[^ \n]+ std(?:out|err) ([FP]) ")


class Pattern:
    """Looks for `text`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._as_is = text != text.lower()
        self._wanted = text if self._as_is else text.lower()
        self._find = re.compile(re.escape(text), 0 if self._as_is else re.IGNORECASE)
        self._bytes = self._wanted.encode()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def matches(self, line: Line) -> bool:
        """Whether it is in a line."""
        text = plain(line.text)
        return self._wanted in (text if self._as_is else text.lower())

    def may_be_in(self, raw: bytes) -> bool:
        """False where no line that begins in a page can have it; far cheaper than looking at each."""
        if not raw.isascii() or len(raw.translate(None, CONTROL)) < len(raw):
            return True
        text = raw if self._as_is else raw.lower()
        return self._bytes in text or self._may_be_over_pieces(raw)

    def _may_be_over_pieces(self, raw: bytes) -> bool:
        """Whether it may be in a line that is in several pieces, though in none of them."""
        at = raw.find(b" P ")
        if at >= 0 and b" stderr " in raw and b" stdout " in raw:
            return True  # pieces of one line may be apart
        while at >= 0:
            end = raw.find(b"\n", at)
            head = HEAD.match(raw, end) if end >= 0 else None
            if head is None or head[1] == b"P":
                return True  # it goes on in the next page, or in more than one piece
            line = raw[at + 3 : end] + raw[head.end() : raw.find(b"\n", head.end())]
            if self._bytes in (line if self._as_is else line.lower()):
                return True
            at = raw.find(b" P ", end)
        return False

    def spans(self, text: str, begin: int, end: int) -> list[tuple[int, int]]:
        """Where it is in a piece of a line, as first character and the one after the last."""
        reach = len(self.text)
        found = self._find.finditer(text, max(0, begin - reach), end + reach)
        return [match.span() for match in found if match.end() > begin and match.start() < end]
