"""The files of one controller in one cgroup, v1 or v2, read together.

Memory: what is charged (v1 memory.usage_in_bytes, v2 memory.current) is divided into `cache`, the page cache
without shared memory and tmpfs, and `used`, all the rest: anonymous and shared memory, tmpfs, the kernel's
own (stacks, page tables, sockets, slab). Cache can be dropped and is not use; both together meet the limit.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

from engine.cgroups import Hierarchy
from engine.watch import parse
from engine.watch.disks import Disks
from engine.watch.kept import Budget, Kept

T = TypeVar("T")

STALE = 5  # ticks for which memory.stat, as dear as eight other files, is believed while usage stays
PHASES = itertools.cycle(range(STALE))  # so that not all cgroups' are due in the same tick
Stalls = tuple[parse.Stall | None, parse.Stall | None, parse.Stall | None]


class MemoryUse(NamedTuple):
    """Bytes, and counts since the cgroup was made; None is what this host cannot tell, or no limit."""

    used: int | None = None
    cache: int | None = None
    limit: int | None = None
    oom_kills: int | None = None
    failures: int | None = None
    highs: int | None = None
    stat: parse.MemoryStat | None = None  # the same object while it was not read again


class Source:
    """Some kept files of a folder; without a folder there are none, and all readings are None."""

    def __init__(self, folder: str, budget: Budget) -> None:
        self._folder = folder
        self._budget = budget
        self._files = list[Kept[Any]]()

    def _keep(self, name: str, parser: Callable[[bytes], T]) -> Kept[T]:
        kept = Kept(f"{self._folder}/{name}" if self._folder else "", parser, self._budget)
        self._files.append(kept)
        return kept

    def close(self) -> None:
        """Give all descriptors back; what is read next is read anew."""
        for kept in self._files:
            kept.close()


class Cpu(Source):
    """CPU time and throttling."""

    def __init__(self, hierarchy: Hierarchy, path: str, budget: Budget) -> None:
        accounting, cpu = hierarchy.accounting(path), hierarchy.place("cpu", path)
        super().__init__(accounting.folder if accounting else "", budget)
        if accounting and accounting.version == 2:
            self._time = self._keep("cpu.stat", parse.cpu_time)
        else:
            self._time = self._keep("cpuacct.usage_all", parse.cpu_time_v1)
        self._folder = cpu.folder if cpu and cpu.version == 1 else ""  # v2 tells both in one file
        self._throttling = self._keep("cpu.stat", parse.throttling)

    def read(self) -> parse.CpuTime | None:
        """CPU time since the cgroup was made; the same object while it does not move."""
        return self._time.read()

    def throttling(self, time: parse.CpuTime | None) -> parse.Throttling | None:
        """Throttling since then; `time` is what `read` told, which has it in v2."""
        return self._throttling.read() or (time and time.throttling)


class Pressure(Source):
    """How long tasks were stalled: of a cgroup, which only the v2 tree tells, or of the machine."""

    def __init__(self, folder: str, budget: Budget, suffix: str = ".pressure") -> None:
        super().__init__(folder, budget)
        self._cpu = self._keep(f"cpu{suffix}", parse.stall)
        self._memory = self._keep(f"memory{suffix}", parse.stall)
        self._io = self._keep(f"io{suffix}", parse.stall)

    def read(self) -> Stalls:
        """For CPU, for memory, for IO."""
        return self._cpu.read(), self._memory.read(), self._io.read()


class Memory(Source):
    """Use, limit, and what came of too much use."""

    def __init__(self, hierarchy: Hierarchy, path: str, budget: Budget) -> None:
        place = hierarchy.place("memory", path)
        super().__init__(place.folder if place else "", budget)
        self._v1 = place is not None and place.version == 1
        self._usage = self._keep("memory.usage_in_bytes" if self._v1 else "memory.current", int)
        self._limit = self._keep("memory.limit_in_bytes" if self._v1 else "memory.max", parse.limit)
        self._stat = self._keep("memory.stat", parse.memory_stat_v1 if self._v1 else parse.memory_stat)
        if self._v1:
            self._oom = self._keep("memory.oom_control", partial(parse.after, key=b"\noom_kill "))
            self._failures = self._keep("memory.failcnt", int)
            self._both_failures = self._keep("memory.memsw.failcnt", int)  # where memory and swap end at once
        else:
            self._counts = self._keep("memory.events", parse.memory_events)
        self._usage_then: int | None = None
        self._age = STALE
        self._phase = next(PHASES)
        self._stat_then: parse.MemoryStat | None = None
        self._events_then = parse.MemoryEvents(None, None)

    def read(self, still: bool = False) -> MemoryUse:
        """Now. Cache and events can lag behind by STALE ticks where the usage stays the same to the byte.

        `still` says that nothing ran in the cgroup, so that only its limit is worth reading.
        """
        usage = self._usage_then if still else self._usage.read()
        if usage is None:
            return MemoryUse()
        self._age += 1
        if not still and (usage != self._usage_then or self._age >= STALE):
            self._usage_then, self._stat_then, self._events_then = usage, self._stat.read(), self._events()
            self._age, self._phase = self._phase, 0
        limit = self._limit.read()
        stat = self._stat_then
        if stat is None:
            return MemoryUse(None, None, limit, *self._events_then)
        cache = min(max(stat.cache, 0), usage)  # the two files are not of one moment
        return MemoryUse(usage - cache, cache, limit, *self._events_then, stat)

    def _events(self) -> parse.MemoryEvents:
        if self._v1:
            failures = self._failures.read()
            if failures is not None:
                failures += self._both_failures.read() or 0
            return parse.MemoryEvents(self._oom.read(), failures)
        return self._counts.read() or parse.MemoryEvents(None, None)

    def close(self) -> None:
        """Give all descriptors back; what is read next is read anew."""
        super().close()
        self._age = STALE


class Io(Source):
    """Bytes and operations, of all disks."""

    def __init__(self, hierarchy: Hierarchy, path: str, budget: Budget, disks: Disks) -> None:
        place = hierarchy.place("io", path)
        super().__init__(place.folder if place else "", budget)
        self._v1 = place is not None and place.version == 1
        self._moved: tuple[int, int] | None = None
        self._then: parse.Io | None = None
        if self._v1:

            def parser(data: bytes) -> tuple[int, int]:
                return parse.io_v1(data, disks.layered)

            self._bytes = self._keep("blkio.throttle.io_service_bytes_recursive", parser)
            self._operations = self._keep("blkio.throttle.io_serviced_recursive", parser)
        else:
            self._stat = self._keep("io.stat", lambda data: parse.io(data, disks.layered))

    def read(self) -> parse.Io | None:
        """Since the cgroup was made."""
        if not self._v1:
            return self._stat.read()
        moved = self._bytes.read()
        if self._then is not None and moved is self._moved:
            return self._then  # no byte moved, so no operation did
        operations = self._operations.read()
        self._moved, self._then = moved, parse.Io(*moved, *operations) if moved and operations else None
        return self._then


class Pids(Source):
    """Processes and threads."""

    def __init__(self, hierarchy: Hierarchy, path: str, budget: Budget) -> None:
        place = hierarchy.place("pids", path)
        super().__init__(place.folder if place else "", budget)
        self._current = self._keep("pids.current", int)

    def read(self) -> int | None:
        """Now."""
        return self._current.read()
