"""Which snapshots become frames, and with what in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from engine.model import HostSample, Sample, Snapshot
from engine.recording.numbers import is_level

S = TypeVar("S", Sample, HostSample)


class Taker:
    """Makes one snapshot of those that come within an interval.

    Rates and shares are averaged over its ticks, and of all else the last is taken. A snapshot for a change of
    state between two ticks repeats their samples, and is none of its own.
    """

    def __init__(self, interval: float = 0) -> None:
        """`interval` in seconds; 0 is every tick."""
        self._interval = interval
        self._ticks: list[Snapshot] = []
        self._last = 0.0  # when the last tick was
        self._due = 0.0

    def take(self, snapshot: Snapshot) -> Snapshot | None:
        """Take one in; what is to be recorded now, if anything."""
        if 0 <= snapshot.at - self._last < snapshot.interval / 2:
            return None
        self._last = snapshot.at
        self._ticks.append(snapshot)
        if not self._due or snapshot.at < self._due - 2 * self._interval:  # the clock was set back
            self._due = snapshot.at + self._interval - snapshot.interval
        if snapshot.at < self._due - snapshot.interval / 2:
            return None
        self._due = max(self._due + self._interval, snapshot.at)
        ticks, self._ticks = self._ticks, []
        return ticks[0] if len(ticks) == 1 else _one(ticks)


def _one(ticks: Sequence[Snapshot]) -> Snapshot:
    last = ticks[-1]
    samples = {
        id: _mean([sample, *(t.samples[id] for t in ticks[:-1] if id in t.samples)])
        for id, sample in last.samples.items()
    }
    return msgspec.structs.replace(
        last, host=_mean([last.host, *(t.host for t in ticks[:-1])]), samples=samples
    )


def _mean(samples: Sequence[S]) -> S:
    """Means of what is a rate or share; of the rest what the first has."""
    first = samples[0]
    changed = {}
    for field in first.__struct_fields__:
        if not is_level(type(first), field):
            told = [value for sample in samples if (value := getattr(sample, field)) is not None]
            changed[field] = sum(told) / len(told) if told else None
    return msgspec.structs.replace(first, **changed)
