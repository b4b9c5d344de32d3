"""How long threads waited for a CPU, for kernels that do not tell pressure (PSI).

The second field of /proc/TID/schedstat, summed over a cgroup's threads. One thread that wants to run all the time
makes this the same as cpu.pressure's `some`, within 2 points; several can wait at once, so the share is cut at 1.
It costs a file to open for each thread, so that only so many are read: then it is a lower bound.
"""

from __future__ import annotations

import contextlib
import os

from engine.cgroups import Hierarchy
from engine.cgroups.files import read_or
from engine.watch import parse

THREADS = 512  # read in one tick at most, of all cgroups together, at about 15 µs each
MOST, LEAST = 64, 2  # of one cgroup


class Share:
    """How many threads each cgroup may read, so that all together stay below THREADS; `cgroups` is set."""

    def __init__(self) -> None:
        self.cgroups = 1

    @property
    def threads(self) -> int:
        """For one cgroup, in one tick."""
        return max(LEAST, min(MOST, THREADS // max(1, self.cgroups)))


class Waits:
    """Waiting of one cgroup's threads, added up since it was first read."""

    def __init__(self, hierarchy: Hierarchy, path: str, share: Share) -> None:
        place = hierarchy.accounting(path)
        names = {1: "tasks", 2: "cgroup.threads"}
        self._file = f"{place.folder}/{names[place.version]}" if place else ""
        self._share = share
        self._before = dict[str, int]()
        self._total = 0

    def read(self, still: bool = False) -> int | None:
        """ns; None where it is not told. A wait is counted when it ends: where nothing ran (`still`), none did."""
        if not self._file:
            return None
        if still:
            return self._total
        now = dict[str, int]()
        for thread in read_or(self._file).split()[: self._share.threads]:
            with contextlib.suppress(OSError, IndexError, ValueError):
                fd = os.open(f"/proc/{thread}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    now[thread] = parse.waited(os.read(fd, 128))
                finally:
                    os.close(fd)
        if not now and not os.path.exists("/proc/self/schedstat"):
            return None
        for thread, waited in now.items():
            self._total += max(0, waited - self._before.get(thread, waited))
        self._before = now
        return self._total
