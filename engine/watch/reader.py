"""One cgroup's sample: what its files hold now, and the rates since they were read before."""

from __future__ import annotations

import time
from typing import NamedTuple

from engine.cgroups import Hierarchy
from engine.model import Sample
from engine.watch import parse, sources
from engine.watch.disks import Disks
from engine.watch.kept import Budget, Gone
from engine.watch.paging import Pager, Paging
from engine.watch.waits import Share, Waits

Traffic = tuple[int, int, int, int]
"""Of an interface, as the container sees it: bytes received and sent, packets received and sent."""


class Counts(NamedTuple):
    """What only grows, at one moment (monotonic seconds); None is what this host cannot tell."""

    at: float
    cpu: parse.CpuTime | None = None
    throttling: parse.Throttling | None = None
    stalls: sources.Stalls = (None, None, None)
    io: parse.Io | None = None
    net: Traffic | None = None
    waited: int | None = None  # ns, where there is no PSI


class Reader:
    """Reads one cgroup, in whatever hierarchies it is."""

    def __init__(
        self, hierarchy: Hierarchy, path: str, budget: Budget, disks: Disks, share: Share | None = None
    ) -> None:
        self._cpu = sources.Cpu(hierarchy, path, budget)
        self._pressure = sources.Pressure(f"{hierarchy.unified}/{path}" if hierarchy.unified else "", budget)
        self._memory = sources.Memory(hierarchy, path, budget)
        self._io = sources.Io(hierarchy, path, budget, disks)
        self._pids = sources.Pids(hierarchy, path, budget)
        self._waits = Waits(hierarchy, path, share or Share())
        self._pager = Pager()
        self._before: Counts | None = None
        self._still = next(sources.PHASES)
        self._processes: int | None = None
        self._calm: Sample | None = None  # the last sample, where nothing happened in it
        self._rested = self._still

    @property
    def calm(self) -> bool:
        """Whether in the last tick nothing ran, waited, was read or written, in it or below it."""
        return self._calm is not None

    def rest(self) -> Sample | None:
        """The sample of one more tick in which nothing happened, for whoever knows so without reading; None where it
        has to be read: when something happened in the tick before, and now and then, as others may have
        reclaimed its memory.
        """
        if self._calm is None or self._before is None:
            return None
        if self._rested >= sources.STALE:
            self._rested = 0
            return None
        self._rested += 1
        self._before = self._before._replace(at=time.monotonic())
        return self._calm

    def sample(self, net: Traffic | None = None) -> Sample:
        """Read everything; rates are over the time since the last call, None at the first.

        A cgroup that was removed and made again under the same name starts anew. Raises Gone when it is away.
        """
        try:
            return self._sample(net)
        except Gone:
            self.close()
            return self._sample(net)

    @property
    def counts(self) -> Counts | None:
        """What was counted at the last sample."""
        return self._before

    def close(self) -> None:
        """Give all descriptors back and forget what was read."""
        self._before = self._calm = None
        self._pager = Pager()
        for source in (self._cpu, self._pressure, self._memory, self._io, self._pids):
            source.close()

    def _sample(self, net: Traffic | None) -> Sample:
        at = time.monotonic()
        before = self._before or Counts(at)
        cpu = self._cpu.read()
        # Where nothing ran, nothing was throttled, forked or allocated; others may have reclaimed memory.
        # Stalls and IO go on without running.
        still = cpu is not None and cpu is before.cpu and self._still < sources.STALE
        self._still = self._still + 1 if still else 0
        throttling = before.throttling if still else self._cpu.throttling(cpu)
        stalls = self._pressure.read()
        waited = self._waits.read(still) if stalls[0] is None else None
        now = Counts(at, cpu, throttling, stalls, self._io.read(), net, waited)
        memory = self._memory.read(still)
        paging = self._pager.paging(at, memory.stat, still)
        if not still:
            self._processes = self._pids.read()
        self._before = now
        sample = between(before, now, memory, self._processes, paging)
        moved = (
            cpu is None
            or cpu is not before.cpu
            or now.stalls != before.stalls
            or now.io != before.io
            or now.waited != before.waited
        )
        self._calm = None if moved or net else sample
        return sample


def between(
    before: Counts,
    now: Counts,
    memory: sources.MemoryUse,
    pids: int | None,
    paging: Paging = Paging(),
) -> Sample:
    """The sample of the time from `before` to `now`."""
    seconds = now.at - before.at
    cpu, cpu_user, cpu_system = _cpu(before.cpu, now.cpu, seconds)
    cpu_some, cpu_full = _stalled(before.stalls[0], now.stalls[0], seconds)
    memory_some, memory_full = _stalled(before.stalls[1], now.stalls[1], seconds)
    io_some, io_full = _stalled(before.stalls[2], now.stalls[2], seconds)
    io_read, io_write, io_reads, io_writes = _four(before.io, now.io, seconds)
    net_rx, net_tx, net_rx_packets, net_tx_packets = _four(before.net, now.net, seconds)
    return Sample(
        cpu=cpu,
        cpu_user=cpu_user,
        cpu_system=cpu_system,
        throttled=_throttled(before.throttling, now.throttling),
        cpu_some=cpu_some,
        cpu_full=cpu_full,
        cpu_wait=_waited(before.waited, now.waited, seconds),
        memory=memory.used,
        cache=memory.cache,
        memory_limit=memory.limit,
        memory_some=memory_some,
        memory_full=memory_full,
        oom_kills=memory.oom_kills,
        memory_failures=memory.failures,
        memory_highs=memory.highs,
        faults=paging.faults,
        major_faults=paging.major_faults,
        refaults=paging.refaults,
        charged=paging.charged,
        scanned=paging.scanned,
        reclaimed=paging.reclaimed,
        io_read=io_read,
        io_write=io_write,
        io_reads=io_reads,
        io_writes=io_writes,
        io_some=io_some,
        io_full=io_full,
        net_rx=net_rx,
        net_tx=net_tx,
        net_rx_packets=net_rx_packets,
        net_tx_packets=net_tx_packets,
        pids=pids,
    )


def rate(before: int, now: int, seconds: float) -> float:
    """Units a second; a counter that went backwards was reset, and counts as unmoved."""
    return (now - before) / seconds if now > before else 0.0


def share(before: int, now: int, seconds: float) -> float:
    """What part of the time a counter of µs moved, 0 to 1."""
    return min(rate(before, now, seconds) / 1e6, 1.0)


def _cpu(
    before: parse.CpuTime | None, now: parse.CpuTime | None, seconds: float
) -> tuple[float | None, float | None, float | None]:
    if now is None or before is None:
        return None, None, None
    if now is before:
        return 0.0, 0.0, 0.0
    micros = seconds * 1e6
    return (
        rate(before.usage, now.usage, micros),
        rate(before.user, now.user, micros),
        rate(before.system, now.system, micros),
    )


def _throttled(before: parse.Throttling | None, now: parse.Throttling | None) -> float | None:
    if now is None or before is None:
        return None
    periods = now.periods - before.periods
    return min(max((now.throttled - before.throttled) / periods, 0.0), 1.0) if periods > 0 else 0.0


def _waited(before: int | None, now: int | None, seconds: float) -> float | None:
    if now is None or before is None:
        return None
    return min(rate(before, now, seconds * 1e9), 1.0)


def _stalled(
    before: parse.Stall | None, now: parse.Stall | None, seconds: float
) -> tuple[float | None, float | None]:
    if now is None or before is None:
        return None, None
    if now is before:
        return 0.0, 0.0
    full = None if now.full is None or before.full is None else share(before.full, now.full, seconds)
    return share(before.some, now.some, seconds), full


def _four(
    before: tuple[int, int, int, int] | None, now: tuple[int, int, int, int] | None, seconds: float
) -> tuple[float | None, float | None, float | None, float | None]:
    if now is None or before is None:
        return None, None, None, None
    if now == before:
        return 0.0, 0.0, 0.0, 0.0
    return (
        rate(before[0], now[0], seconds),
        rate(before[1], now[1], seconds),
        rate(before[2], now[2], seconds),
        rate(before[3], now[3], seconds),
    )
