"""The last ten minutes, tick by tick, in a bounded ring of single-precision columns.

All series share one column of times. A column is only allocated once its values differ, and most never do (no
limit, no OOM kill, no interface), so that an idle container's history takes a tenth of a busy one's.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping

from msgspec.structs import astuple

from engine import model
from engine.errors import BadRequest
from engine.model import SAMPLE_FIELDS, HostSample, Sample

HOST = "host"  # the id of the machine's own series
HOST_FIELDS = HostSample.__struct_fields__
SECONDS = 600.0
FORMER = 256  # series of what is watched no more that are kept at most


class History:
    """A ring for the machine and one for each container, of `seconds` in ticks of `interval` seconds."""

    def __init__(self, interval: float = 1.0, seconds: float = SECONDS) -> None:
        self._interval = interval
        self._size = max(round(seconds / interval), 1)
        self._times = array("d", [0.0]) * self._size
        self._tick = -1
        self._series = dict[str, _Series]()

    def record(self, at: float, host: HostSample, samples: Mapping[str, Sample]) -> None:
        """Take in one tick, at a Unix time. Forgets series that have nothing left in the ring."""
        self._tick += 1
        self._times[self._tick % self._size] = at
        self._of(HOST, len(HOST_FIELDS)).record(self._tick, host)
        for id, sample in samples.items():
            self._of(id, len(SAMPLE_FIELDS)).record(self._tick, sample)
        former = [id for id, series in self._series.items() if series.last != self._tick]
        former.sort(key=lambda id: self._series[id].last)
        for index, id in enumerate(former):
            if len(former) - index > FORMER or self._series[id].last <= self._tick - self._size:
                del self._series[id]

    def ids(self) -> list[str]:
        """What has a series, HOST among them."""
        return list(self._series)

    def history(self, id: str, seconds: float = SECONDS, fields: Iterable[str] = ()) -> model.History:
        """The last `seconds` of one series, from its first sample in them on; empty where there is none.

        None in a column: there was no sample at that tick, or it could not tell. No fields means all; one
        that neither machine nor container has raises BadRequest.
        """
        known = HOST_FIELDS if id == HOST else SAMPLE_FIELDS
        wanted = tuple(fields) or known
        if strange := [name for name in wanted if name not in (*HOST_FIELDS, *SAMPLE_FIELDS)]:
            raise BadRequest(f"history has no field {strange[0]!r}", f"choose from {', '.join(known)}")
        series = self._series.get(id)
        if series is None or not seconds > 0:
            return model.History(id=id, at=[], fields={name: [] for name in wanted})
        asked = math.ceil(min(seconds / self._interval, self._size))
        ticks = min(asked, self._tick - series.first + 1)
        slots = [tick % self._size for tick in range(self._tick - ticks + 1, self._tick + 1)]
        while slots and not series.present[slots[0]]:
            del slots[0]
        columns = dict[str, list[float | None]]()
        for name in wanted:
            columns[name] = series.column(known.index(name), slots) if name in known else [None] * len(slots)
        return model.History(id=id, at=[self._times[slot] for slot in slots], fields=columns)

    def _of(self, id: str, fields: int) -> _Series:
        series = self._series.get(id)
        if series is None:
            series = self._series[id] = _Series(fields, self._size, self._tick)
        return series


class _Series:
    """One cgroup's columns: a number where all values were that one, else a ring of them; NaN is None."""

    __slots__ = ("_columns", "_latest", "_rings", "first", "last", "present")

    def __init__(self, fields: int, size: int, tick: int) -> None:
        self._columns: list[float | array[float]] = [math.nan] * fields
        self._rings: list[array[float]] = []
        self._latest: Sample | HostSample | None = None
        self.present = bytearray(size)  # by slot, whether there was a sample
        self.first = tick
        self.last = tick - 1

    def record(self, tick: int, sample: Sample | HostSample) -> None:
        size, columns = len(self.present), self._columns
        for missed in range(max(self.last + 1, tick - size), tick):
            self.present[missed % size] = 0
        slot, self.last = tick % size, tick
        self.present[slot] = 1
        before = (tick - 1) % size
        if sample is self._latest and self.present[before]:
            for ring in self._rings:
                ring[slot] = ring[before]
            return
        self._latest = sample
        for index, value in enumerate(astuple(sample)):
            number = math.nan if value is None else value
            column = columns[index]
            if not isinstance(column, float):
                column[slot] = number
            elif tick == self.first:
                columns[index] = float(number)
            elif column != number and not (value is None and column != column):
                columns[index] = ring = array("f", [column]) * size
                self._rings.append(ring)
                ring[slot] = number

    def column(self, index: int, slots: list[int]) -> list[float | None]:
        column, present = self._columns[index], self.present
        if isinstance(column, float):
            value = None if column != column else column
            return [value if present[slot] else None for slot in slots]
        values = [column[slot] for slot in slots]
        return [
            round(value, 4) if value == value and present[slot] else None
            for value, slot in zip(values, slots, strict=True)
        ]
