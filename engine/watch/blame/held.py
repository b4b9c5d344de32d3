"""Whether a cgroup is held by a limit of its own, which one, and what it would have to be."""

from __future__ import annotations

import math
from collections.abc import Sequence

from engine.model import Held, HostSample, IoLimit, Limits, Resource, Sample

THROTTLED = 0.1  # share of periods in which a quota ran out
FULL = 0.97  # share of a memory limit
REACHED = 0.85  # share of a throttle: what is let through comes in bursts
MORE = 1.25  # by how much a limit is raised of which only is known that it is too low
MIB = 1 << 20


def held(resource: Resource, samples: Sequence[Sample], limits: Limits, host: HostSample) -> Held | None:
    """The limit that holds it, from its latest samples, oldest first."""
    if not samples:
        return None
    if resource == "cpu":
        return _cpu(samples, limits, host)
    return _memory(samples, limits) if resource == "memory" else _io(samples, limits)


def _cpu(samples: Sequence[Sample], limits: Limits, host: HostSample) -> Held | None:
    if limits.cpus and _mean([sample.throttled for sample in samples]) >= THROTTLED:
        return Held(limit="cpus", now=limits.cpus, advice=quota(samples, limits.cpus, host.cores))
    if limits.cpu_idle:
        return Held(limit="cpu_idle", now=1, advice=0)
    if limits.cpuset:
        cores = len(cores_of(limits.cpuset))
        if cores and cores < host.cores and _mean([sample.cpu for sample in samples]) >= REACHED * cores:
            return Held(limit="cpuset", now=cores, advice=host.cores)
    return None


def quota(samples: Sequence[Sample], now: float, cores: int) -> float:
    """Cores with which a quota would not have run out.

    While it is throttled nothing of it runs, which is PSI's `full`; what it used in the rest of the time is the
    rate at which it runs when it is let.
    """
    used = _mean([sample.cpu for sample in samples])
    stopped = [sample.cpu_wait if sample.cpu_full is None else sample.cpu_full for sample in samples]
    wanted = used / (1 - min(_mean(stopped), 0.95))
    return min(float(cores), max(math.ceil(wanted * 10) / 10, math.ceil(now * 11) / 10))


def _memory(samples: Sequence[Sample], limits: Limits) -> Held | None:
    first, last = samples[0], samples[-1]
    if limits.memory_high and _grew(first.memory_highs, last.memory_highs):
        return Held(limit="memory_high", now=limits.memory_high, advice=_roomier(limits.memory_high))
    limit = limits.memory
    if not limit:
        return None
    filled = last.memory is not None and last.memory + (last.cache or 0) >= FULL * limit
    if filled or _grew(first.memory_failures, last.memory_failures):
        return Held(limit="memory", now=limit, advice=_roomier(limit))
    return None


def _roomier(limit: int) -> int:
    """A quarter more, in whole steps of a sixteenth of its power of two: how much is wanted cannot be seen."""
    step = max(MIB, 1 << max(0, int(limit * MORE).bit_length() - 4))
    return math.ceil(limit * MORE / step) * step


def _io(samples: Sequence[Sample], limits: Limits) -> Held | None:
    used = IoLimit(
        read_bps=round(_mean([sample.io_read for sample in samples])),
        write_bps=round(_mean([sample.io_write for sample in samples])),
        read_iops=round(_mean([sample.io_reads for sample in samples])),
        write_iops=round(_mean([sample.io_writes for sample in samples])),
    )
    for device, limit in limits.io.items():
        for field in IoLimit.__struct_fields__:
            most, now = getattr(limit, field), getattr(used, field)
            if most and now >= REACHED * most:
                return Held(limit=field, now=most, advice=most * 2, device=device)
    return None


def cores_of(cpuset: str) -> set[int]:
    """The cores of a list such as "0-1,3"."""
    found = set[int]()
    for part in cpuset.split(","):
        first, _, last = part.partition("-")
        if first.strip().isdigit():
            found.update(range(int(first), int(last or first) + 1))
    return found


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else 0.0


def _grew(before: int | None, now: int | None) -> bool:
    return before is not None and now is not None and now > before
