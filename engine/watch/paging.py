"""Rates of what memory.stat counts, which is not read at every tick."""

from __future__ import annotations

import os
from typing import NamedTuple

from engine.watch import parse

PAGE = os.sysconf("SC_PAGE_SIZE")


class Paging(NamedTuple):
    """Per second; None where this host cannot tell."""

    faults: float | None = None
    major_faults: float | None = None
    refaults: float | None = None
    charged: float | None = None  # bytes, as are those below
    scanned: float | None = None
    reclaimed: float | None = None


class Pager:
    """Makes rates of one cgroup's counts; they hold until memory.stat is read again."""

    def __init__(self) -> None:
        self._before: tuple[float, parse.MemoryStat] | None = None
        self._rates = Paging()

    def paging(self, at: float, stat: parse.MemoryStat | None, still: bool) -> Paging:
        """The rates at a moment (monotonic seconds); `still` says that nothing ran since the last one."""
        if stat is None:
            return Paging()
        before = self._before
        if before is None or stat is not before[1]:
            self._before = (at, stat)
            self._rates = _between(before[1], stat, at - before[0]) if before else Paging()
        elif still:  # others may reclaim from it, and that shows at the next reading
            self._rates = Paging(*(None if rate is None else 0.0 for rate in self._rates))
        return self._rates


def _between(before: parse.MemoryStat, now: parse.MemoryStat, seconds: float) -> Paging:
    def rate(then: int | None, count: int | None, unit: int = 1) -> float | None:
        if then is None or count is None:
            return None
        return (count - then) * unit / seconds if count > then else 0.0

    return Paging(
        rate(before.faults, now.faults),
        rate(before.major_faults, now.major_faults),
        rate(before.refaults, now.refaults),
        rate(before.charged, now.charged, PAGE),
        rate(before.scanned, now.scanned, PAGE),
        rate(before.reclaimed, now.reclaimed, PAGE),
    )
