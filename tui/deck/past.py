"""The last minutes of one container: what the engine remembers, and after it what was seen since."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from engine.model import SAMPLE_FIELDS, History, Sample

Series = list[tuple[float, float | None]]
"""Moments in Unix seconds, oldest first, and what was measured."""


class Past:
    """Samples of the last `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._points: deque[tuple[float, Sample]] = deque()

    def seed(self, history: History) -> None:
        """Put what the engine remembers before what was seen here."""
        end = history.at[-1] if history.at else 0.0
        seen = [point for point in self._points if point[0] > end + 0.01]
        self._points = deque([*zip(history.at, _samples(history), strict=True), *seen])

    def add(self, at: float, sample: Sample, interval: float) -> None:
        """Append; a snapshot between two ticks repeats the last sample and is left out."""
        if self._points and at < self._points[-1][0] - interval:  # as in Store.apply
            self._points.clear()
        if self._points and at - self._points[-1][0] < interval / 2:
            return
        self._points.append((at, sample))
        while self._points[0][0] < at - self.seconds:
            self._points.popleft()

    def series(self, field: str) -> Series:
        """One field of Sample over time."""
        return [(at, getattr(sample, field)) for at, sample in self._points]


def _samples(history: History) -> Iterator[Sample]:
    known = [field for field in SAMPLE_FIELDS if field in history.fields]
    for values in zip(*(history.fields[field] for field in known), strict=True):
        yield Sample(**dict(zip(known, values, strict=True)))
