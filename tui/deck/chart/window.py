"""Which part of time a chart shows, and where in it the cursor is; pure."""

from __future__ import annotations

import msgspec

MINUTES = (60.0, 300.0, 600.0)  # what can be seen at once, in seconds


class Window(msgspec.Struct, frozen=True):
    """From `back` seconds before the latest, `seconds` into the past."""

    seconds: float = MINUTES[2]
    back: float = 0.0
    cursor: float | None = None  # Unix time; None: none is shown

    def span(self, latest: float) -> tuple[float, float]:
        """From when to when."""
        end = latest - self.back
        return end - self.seconds, end

    def zoomed(self, step: int, whole: float) -> Window:
        """The next larger part, or smaller; `whole` is how long all of the past is."""
        parts = [*(part for part in MINUTES if part < whole), whole] if whole > MINUTES[-1] else list(MINUTES)
        place = min(range(len(parts)), key=lambda n: abs(parts[n] - self.seconds))
        seconds = parts[max(0, min(len(parts) - 1, place + step))]
        return msgspec.structs.replace(self, seconds=seconds).panned(0, whole)

    def panned(self, parts: float, whole: float) -> Window:
        """Moved by so many parts of itself, into the past where negative; not beyond what there is."""
        most = max(0.0, whole - self.seconds)
        return msgspec.structs.replace(self, back=max(0.0, min(most, self.back - parts * self.seconds)))

    def around(self, moment: float, latest: float, whole: float) -> Window:
        """Moved so that a moment is in the middle of it, as far as there is past on both sides."""
        back = latest - moment - self.seconds / 2
        return msgspec.structs.replace(self, back=max(0.0, back)).panned(0, whole)

    def pointed(self, by: float, latest: float, whole: float) -> Window:
        """With the cursor moved by so many seconds, and the part moved where it would leave it."""
        begin, end = self.span(latest)
        cursor = (end if self.cursor is None else self.cursor) + by
        cursor = min(max(cursor, latest - whole), latest)
        moved = msgspec.structs.replace(self, cursor=cursor)
        if cursor < begin:
            return moved.panned(-0.5, whole)
        return moved.panned(0.5, whole) if cursor > end else moved
