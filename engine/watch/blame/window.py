"""The last minute, as far as blame needs it: who stalled, and who used how much of what they stalled for.

A tick keeps only those that did either, so that a thousand idle cgroups cost nothing but a look.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from engine.model import RESOURCES, REST, HostSample, Resource, Sample
from engine.watch.blame.cost import disk_time

ParentOf = Callable[[str], str]
"""The id of the cgroup that one lies in; empty for none that is watched."""

TICKS = 60
FELT = 0.02  # a stall below this is none
LEAST: dict[Resource, float] = {"cpu": 0.005, "memory": 65536.0, "io": 0.0002}
"""Use below this is none: cores, bytes a second, share of a disk's time."""


class Tick(NamedTuple):
    """One moment; use is of all cgroups and, as REST, of what runs in none of them."""

    at: float  # Unix seconds
    busy: float | None  # share of the machine's cores in use
    stall: dict[Resource, dict[str, float]]
    use: dict[Resource, dict[str, float]]


class Window:
    """Takes in samples, keeps the last minute of ticks.

    Without `rest` there is nothing but the cgroups: for scenarios on a machine that does other work too.
    """

    def __init__(self, rest: bool = True) -> None:
        self._with_rest = rest
        self.ticks = deque[Tick](maxlen=TICKS)
        self._held = dict[str, int]()  # bytes at the tick before, by id
        self._held_host: int | None = None

    def add(
        self,
        at: float,
        interval: float,
        host: HostSample,
        samples: Mapping[str, Sample],
        parent_of: ParentOf = lambda id: "",
    ) -> Tick:
        """Take in one tick; `interval` is the seconds it covers."""
        stall: dict[Resource, dict[str, float]] = {resource: {} for resource in RESOURCES}
        cpu, memory, io = dict[str, float](), dict[str, float](), dict[str, float]()
        held = dict[str, int]()
        for id, sample in samples.items():
            if (waited := sample.cpu_stall) and waited >= FELT:
                stall["cpu"][id] = waited
            if sample.memory_some and sample.memory_some >= FELT:
                stall["memory"][id] = sample.memory_some
            if sample.io_some and sample.io_some >= FELT:
                stall["io"][id] = sample.io_some
            if sample.cpu and sample.cpu >= LEAST["cpu"]:
                cpu[id] = sample.cpu
            if sample.io_reads or sample.io_writes or sample.io_read or sample.io_write:
                time = disk_time(sample.io_read, sample.io_write, sample.io_reads, sample.io_writes)
                if time >= LEAST["io"]:
                    io[id] = time
            if sample.memory is not None:
                held[id] = sample.memory + (sample.cache or 0)
                taken = _taken(sample, held[id] - self._held.get(id, held[id]), interval)
                if taken >= LEAST["memory"]:
                    memory[id] = taken
        self._held = held
        use: dict[Resource, dict[str, float]] = {
            "cpu": alone(cpu, parent_of),
            "memory": alone(memory, parent_of),
            "io": alone(io, parent_of),
        }
        if self._with_rest:
            self._rest(use, host, interval)
        busy = None if host.cpu is None or not host.cores else min(host.cpu / host.cores, 1.0)
        tick = Tick(at, busy, stall, use)
        self.ticks.append(tick)
        return tick

    def _rest(self, use: dict[Resource, dict[str, float]], host: HostSample, interval: float) -> None:
        """What the machine used beyond all cgroups that are watched."""
        if host.cpu is not None:
            _put(use, "cpu", host.cpu)
        _put(use, "io", disk_time(host.io_read, host.io_write, host.io_reads, host.io_writes))
        if host.memory is not None:
            total = host.memory + (host.cache or 0)
            if self._held_host is not None:
                _put(use, "memory", (total - self._held_host) / interval)
            self._held_host = total


def _taken(sample: Sample, grown: int, interval: float) -> float:
    """Bytes a second that it took: what it grew by and what was reclaimed from it; v1 counts what is charged."""
    growth = grown / interval + (sample.reclaimed or 0.0)
    return max(growth, sample.charged or 0.0)


def _put(use: dict[Resource, dict[str, float]], resource: Resource, whole: float) -> None:
    rest = whole - sum(use[resource].values())
    if rest >= LEAST[resource]:
        use[resource][REST] = rest


def alone(use: dict[str, float], parent_of: ParentOf) -> dict[str, float]:
    """Use without what cgroups inside used: the levels of a tree count once."""
    left = dict(use)
    for id, used in use.items():
        above = parent_of(id)
        while above and above not in use:
            above = parent_of(above)
        if above:
            left[above] = max(0.0, left[above] - used)
    return left
