"""The numbers in the kernel's files; each function takes a file's bytes and looks only for what is needed."""

from __future__ import annotations

import os
from typing import NamedTuple

TICK = 1_000_000 // os.sysconf("SC_CLK_TCK")  # µs


class Throttling(NamedTuple):
    """CFS periods with a quota, and those in which it ran out, since the cgroup was made."""

    periods: int
    throttled: int


class CpuTime(NamedTuple):
    """CPU time since the cgroup was made, µs."""

    usage: int
    user: int
    system: int
    throttling: Throttling | None = None


class MemoryEvents(NamedTuple):
    """OOM kills, failed charges and slow-downs at memory.high (v2) since the cgroup was made.

    v1 of recent kernels (6.18) counts no failures where swap is 0: it is the sum with swap that ends first.
    """

    oom_kills: int | None
    failures: int | None
    highs: int | None = None


class MemoryStat(NamedTuple):
    """What is needed of memory.stat: bytes of cache, and pages counted since the cgroup was made.

    `cache` is page cache without shared memory and tmpfs, which cannot be dropped.
    """

    cache: int
    faults: int | None
    major_faults: int | None
    refaults: int | None
    charged: int | None  # v1 only
    scanned: int | None  # v2 only
    reclaimed: int | None  # v2 only


class Io(NamedTuple):
    """Bytes and operations since the cgroup was made, or the machine started."""

    read: int
    written: int
    reads: int
    writes: int


class Stall(NamedTuple):
    """PSI: µs in which some, in which all non-idle tasks were stalled (Documentation/accounting/psi.rst)."""

    some: int
    full: int | None  # the whole machine's cpu.pressure had no such line before 5.13


def after(data: bytes, key: bytes) -> int | None:
    """The number from the first `key` (which ends with its separator) to the line's end; None without it."""
    start = data.find(key)
    if start < 0:
        return None
    start += len(key)
    end = data.find(b"\n", start)
    return int(data[start:end] if end >= 0 else data[start:])


def cpu_time(data: bytes) -> CpuTime:
    """v2 cpu.stat; its first three lines are always these, those on throttling need the cpu controller."""
    words = data.split(None, 6)
    return CpuTime(int(words[1]), int(words[3]), int(words[5]), throttling(data))


def cpu_time_v1(data: bytes) -> CpuTime:
    """v1 cpuacct.usage_all: a heading, then for each core its number, ns of user and ns of system time."""
    user = system = 0
    for line in data.splitlines()[1:]:
        _, in_user, in_system = line.split()
        user += int(in_user)
        system += int(in_system)
    return CpuTime((user + system) // 1000, user // 1000, system // 1000)


def throttling(data: bytes) -> Throttling | None:
    """cpu.stat of either version; None where it does not tell."""
    periods = after(data, b"nr_periods ")
    throttled = after(data, b"nr_throttled ")
    return None if periods is None or throttled is None else Throttling(periods, throttled)


def stall(data: bytes) -> Stall:
    """A *.pressure file."""
    some, _, full = data.partition(b"\n")
    return Stall(int(some[some.rfind(b"=") + 1 :]), int(full[full.rfind(b"=") + 1 :]) if full else None)


def memory_stat(data: bytes) -> MemoryStat:
    """v2 memory.stat."""
    return MemoryStat(
        (after(data, b"\nfile ") or 0) - (after(data, b"\nshmem ") or 0),
        after(data, b"\npgfault "),
        after(data, b"\npgmajfault "),
        _refaults(data, b"\nworkingset_refault"),
        None,
        after(data, b"\npgscan "),
        after(data, b"\npgsteal "),
    )


def memory_stat_v1(data: bytes) -> MemoryStat:
    """v1 memory.stat: of the cgroup and those below it; it does not tell reclaim."""
    return MemoryStat(
        (after(data, b"\ntotal_cache ") or 0) - (after(data, b"\ntotal_shmem ") or 0),
        after(data, b"\ntotal_pgfault "),
        after(data, b"\ntotal_pgmajfault "),
        _refaults(data, b"\ntotal_workingset_refault"),
        after(data, b"\ntotal_pgpgin "),
        None,
        None,
    )


def _refaults(data: bytes, key: bytes) -> int | None:
    """One number before 5.9, since then one for files and one for the rest."""
    files, others = after(data, key + b"_file "), after(data, key + b"_anon ")
    return after(data, key + b" ") if files is None else files + (others or 0)


def memory_events(data: bytes) -> MemoryEvents:
    """v2 memory.events."""
    return MemoryEvents(after(data, b"\noom_kill "), after(data, b"\nmax "), after(data, b"\nhigh "))


def waited(data: bytes) -> int:
    """/proc/TID/schedstat: ns that a thread has waited on a run queue (Documentation/scheduler/sched-stats.rst)."""
    return int(data.split(None, 2)[1])


def limit(data: bytes) -> int | None:
    """memory.max, memory.limit_in_bytes: bytes; None for no limit, in v1 nearly 2^63."""
    if data.startswith(b"max"):
        return None
    value = int(data)
    return None if value >> 62 else value


def io_v1(data: bytes, layered: set[bytes]) -> tuple[int, int]:
    """blkio.throttle.io_service_bytes and io_serviced, recursive ones too: reads and writes of all devices.

    `layered` are devices (b"253:0") whose requests are counted again at the disks below them.
    """
    read = written = 0
    for line in data.split(b"\n"):
        device, _, rest = line.partition(b" ")
        if rest.startswith(b"Read ") and device not in layered:
            read += int(rest[5:])
        elif rest.startswith(b"Write ") and device not in layered:
            written += int(rest[6:])
    return read, written


def io(data: bytes, layered: set[bytes]) -> Io:
    """v2 io.stat: one line a device, "8:0 rbytes=… wbytes=… rios=… wios=… …"."""
    total = [0, 0, 0, 0]
    for line in data.split(b"\n"):
        device, _, rest = line.partition(b" ")
        if not rest or device in layered:
            continue
        values = dict(pair.split(b"=", 1) for pair in rest.split() if b"=" in pair)
        for index, key in enumerate((b"rbytes", b"wbytes", b"rios", b"wios")):
            total[index] += int(values.get(key, 0))
    return Io(*total)


def diskstats(data: bytes, layered: set[bytes]) -> Io:
    """/proc/diskstats: whole disks only; `layered` has the partitions too. A sector is 512 bytes."""
    reads = read = writes = written = 0
    for line in data.splitlines():
        words = line.split(None, 10)
        if b"%b:%b" % (words[0], words[1]) in layered:
            continue
        reads += int(words[3])
        read += int(words[5])
        writes += int(words[7])
        written += int(words[9])
    return Io(read * 512, written * 512, reads, writes)


def machine_cpu(data: bytes) -> CpuTime:
    """/proc/stat: what the cores ran, in µs; idle, iowait and time stolen by the hypervisor are not that."""
    _, user, nice, system, _, _, irq, softirq, _ = data.split(None, 8)
    in_user, in_system = int(user) + int(nice), int(system) + int(irq) + int(softirq)
    return CpuTime((in_user + in_system) * TICK, in_user * TICK, in_system * TICK)


class Memory(NamedTuple):
    """The machine's memory in bytes; what is in `cache` can be dropped."""

    total: int
    used: int
    cache: int


def meminfo(data: bytes) -> Memory:
    """/proc/meminfo: used is all but free memory and cache; shared memory and tmpfs are use."""

    def kib(key: bytes) -> int:
        start = data.find(key)
        return int(data[start + len(key) : data.find(b" kB", start)]) if start >= 0 else 0

    total = kib(b"MemTotal:")
    cached = kib(b"\nBuffers:") + kib(b"\nCached:") + kib(b"\nSReclaimable:") - kib(b"\nShmem:")
    return Memory(total << 10, (total - kib(b"\nMemFree:") - cached) << 10, cached << 10)
