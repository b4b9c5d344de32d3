"""What lines are searched and filtered by: text, in any case unless it has a capital letter."""

from __future__ import annotations

import re

from tui.deck.logs.records import Line
from tui.deck.logs.text import plain

UNUSUAL = re.compile(rb"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]| P ")
"""What makes the text of a line differ from its bytes; " P " may be a line in pieces."""


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
        """False where no line of a page can have it; far cheaper than looking at each."""
        if not raw.isascii() or UNUSUAL.search(raw):
            return True
        return self._bytes in (raw if self._as_is else raw.lower())

    def spans(self, text: str, begin: int, end: int) -> list[tuple[int, int]]:
        """Where it is in a piece of a line, as first character and the one after the last."""
        reach = len(self.text)
        found = self._find.finditer(text, max(0, begin - reach), end + reach)
        return [match.span() for match in found if match.end() > begin and match.start() < end]
