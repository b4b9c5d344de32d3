"""What can be done about a suspect, and what each costs.

The figures are those of docs/attribution.md: 16 busy processes on 2 cores beside a program that needs 1 ms every 20 ms.
"""

from __future__ import annotations

import msgspec

from engine.model import REST, IoLimit, Limits, LimitsChange, Resource, Sample
from tui.presentation.quantities import cores, exact_cores, rate, size

LEAST_CORES, LEAST_MEMORY, LEAST_RATE = 0.1, 8 << 20, 256 << 10
LOW = 10  # weight


class Remedy(msgspec.Struct, frozen=True):
    """One thing to do; without a change it is to pause."""

    name: str
    does: str
    price: str
    change: LimitsChange | None = None


def remedies(
    resource: Resource, id: str, limits: Limits, sample: Sample, host_cores: int, device: str
) -> list[Remedy]:
    """What fits the resource that is short, the gentlest first; nothing for what no limit can be set on."""
    if id == REST:
        return []
    pause = Remedy("pause", "it stands still until it is resumed", "all of its work waits")
    match resource:
        case "cpu":
            return [*_cpu(limits, sample, host_cores), pause]
        case "memory":
            return [*_memory(sample), pause]
        case "io":
            return [*_io(sample, device), pause]


def _cpu(limits: Limits, sample: Sample, host_cores: int) -> list[Remedy]:
    found = []
    if not limits.cpu_idle:
        idle = Remedy(
            "idle",
            "runs only when nobody else wants to",
            "keeps 1.93 of 1.93 cores; a key's p99 4.5 → 1.2 ms",
            LimitsChange(cpu_idle=True),
        )
        weight = Remedy(
            f"weight {LOW}",
            "a tenth of a neighbour's share when short",
            "keeps 1.93 of 1.93 cores; p99 4.5 → 2.3 ms",
            LimitsChange(cpu_weight=LOW),
        )
        found += [idle, weight]
    half = max(LEAST_CORES, round((sample.cpu or 1.0) / 2, 1))
    found.append(
        Remedy(
            f"quota {exact_cores(half)}",
            f"never more than {exact_cores(half)} cores; now {cores(sample.cpu)}",
            "keeps 0.50 of 1.93 cores; p99 stays 4.5 ms",
            LimitsChange(cpus=half),
        )
    )
    if host_cores > 1:
        last = host_cores - 1
        found.append(
            Remedy(
                f"cpuset {last}",
                f"core {last} alone",
                "keeps 1.00 of 1.93 cores; p99 4.7 ms",
                LimitsChange(cpuset=str(last)),
            )
        )
    return found


def _memory(sample: Sample) -> list[Remedy]:
    held = (sample.memory or 0) + (sample.cache or 0)
    most = max(LEAST_MEMORY, held // (1 << 20) << 20)
    less = max(LEAST_MEMORY, (sample.memory or 0) * 5 // 4 // (1 << 20) << 20)
    return [
        Remedy(
            f"memory {size(most)}",
            "what it holds now, and no more",
            "above it its cache goes, then OOM kills; not measured",
            LimitsChange(memory=most),
        ),
        Remedy(
            f"memory {size(less)}",
            "what it uses and a quarter, with little cache",
            "its reads go to the disk again; not measured",
            LimitsChange(memory=less),
        ),
    ]


def _io(sample: Sample, device: str) -> list[Remedy]:
    limit = IoLimit(
        read_bps=_half(sample.io_read, LEAST_RATE),
        write_bps=_half(sample.io_write, LEAST_RATE),
        read_iops=_half(sample.io_reads, 10),
        write_iops=_half(sample.io_writes, 10),
    )
    flow = (sample.io_read or 0.0) + (sample.io_write or 0.0)
    return [
        Remedy(
            "half its IO",
            f"half of what it reads and writes now, {rate(flow)}",
            "twice as long, also when the disk is free; not measured",
            LimitsChange(io={device: limit}),
        ),
        Remedy(
            "io weight 10",
            "a tenth of a neighbour's share when short",
            "needs bfq or io.cost on the disk; not measured",
            LimitsChange(io_weight=LOW),
        ),
    ]


def _half(flow: float | None, least: int) -> int | None:
    return max(least, round(flow / 2)) if flow and flow > least else None
