"""What tiffin itself costs: engine, launcher and monitors."""

from __future__ import annotations

import os
import time

from engine.cgroups import Group
from engine.cgroups.files import read_or
from engine.watch import parse, sources
from engine.watch.kept import Budget, Gone
from engine.watch.reader import rate

MEASURE_EACH = 30.0  # seconds: smaps_rollup walks every page of a process
AT_ONCE = 8  # processes measured in one tick, at about 0.2 ms each


class Own:
    """CPU of the engine's and the monitors' cgroups, and their processes' memory.

    Without cgroups of its own, as without root, this process is all it can tell of.
    """

    def __init__(self, group: Group, budget: Budget) -> None:
        hierarchy = group.hierarchy
        folders = [folders[0] for folders in (group.engine_folders, group.monitor_folders) if folders]
        self._folders = folders if all(os.path.isdir(folder) for folder in folders) else []
        paths = group.path("engine"), group.path("monitors")
        self._cpu = [sources.Cpu(hierarchy, path, budget) for path in paths]
        self._before: tuple[float, int] | None = None
        self._pss = dict[int, tuple[float, int]]()  # by pid: when measured, bytes

    def cpu(self) -> float | None:
        """Cores used since the last call; None at the first."""
        at, usage = time.monotonic(), self._usage()
        before, self._before = self._before, None if usage is None else (at, usage)
        if before is None or usage is None:
            return None
        return rate(before[1], usage, (at - before[0]) * 1e6)

    def memory(self) -> int | None:
        """Bytes, proportional set size; None until every process has been measured once."""
        pids = self.pids()
        self._pss = {pid: self._pss.get(pid, (0.0, -1)) for pid in pids}
        now = time.monotonic()
        due = sorted((at, pid) for pid, (at, _) in self._pss.items() if at == 0 or now - at > MEASURE_EACH)
        for _, pid in due[:AT_ONCE]:
            self._pss[pid] = (now, pss(pid))
        sizes = [size for _, size in self._pss.values()]
        return None if min(sizes, default=-1) < 0 else sum(sizes)

    def close(self) -> None:
        """Give all descriptors back."""
        for source in self._cpu:
            source.close()

    def pids(self) -> list[int]:
        """Its processes."""
        pids = [int(pid) for folder in self._folders for pid in read_or(f"{folder}/cgroup.procs").split()]
        return pids or [os.getpid()]

    def _usage(self) -> int | None:
        """CPU time in µs; None where the cgroups have just gone."""
        if not self._folders:
            return time.process_time_ns() // 1000
        try:
            times = [source.read() for source in self._cpu]
        except Gone:
            return None
        return sum(used.usage for used in times if used)


def pss(pid: int) -> int:
    """Proportional set size in bytes: a shared page counts in parts, one for each sharer; 0 when gone."""
    kib = parse.after(read_or(f"/proc/{pid}/smaps_rollup").replace(" kB", "").encode(), b"\nPss:")
    return (kib or 0) << 10
