"""What can be charted, and how its figures are read."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from engine.model import SAMPLE_FIELDS
from tui.presentation.quantities import cores, count, rate, share, size


class Measure(msgspec.Struct, frozen=True):
    """One field of Sample."""

    field: str
    label: str
    read: Callable[[float | None], str]
    least: float  # the smallest scale of its axis
    base: int = 10  # of which the scale's steps are powers
    most: float = float("inf")  # the largest


def _cores(field: str, label: str) -> Measure:
    return Measure(field, label, cores, 0.1)


def _share(field: str, label: str) -> Measure:
    return Measure(field, label, lambda value: share(value, 1), 0.01, most=1.0)


def _bytes(field: str, label: str) -> Measure:
    return Measure(field, label, size, 1 << 20, 1024)


def _rate(field: str, label: str) -> Measure:
    return Measure(field, label, rate, 1 << 10, 1024)


def _count(field: str, label: str) -> Measure:
    return Measure(field, label, count, 10)


MEASURES = (
    _cores("cpu", "CPU, cores"),
    _share("cpu_some", "stall: share of the time in which some task waited for a CPU"),
    _share("throttled", "throttled: share of periods in which its own CPU limit held it back"),
    _bytes("memory", "memory in use, without cache"),
    _rate("io_write", "disk, written"),
    _rate("io_read", "disk, read"),
    _share("io_some", "IO stall: share of the time in which some task waited for IO"),
    _share("memory_some", "memory stall: share of the time in which some task waited for memory"),
    _rate("net_rx", "network, received"),
    _rate("net_tx", "network, sent"),
    _count("pids", "processes and threads"),
    _bytes("cache", "page cache"),
    _cores("cpu_user", "CPU in programs, cores"),
    _cores("cpu_system", "CPU in the kernel, cores"),
    _share("cpu_full", "stall of all tasks at once, CPU"),
    _share("memory_full", "stall of all tasks at once, memory"),
    _share("io_full", "stall of all tasks at once, IO"),
    _count("io_writes", "disk, write operations a second"),
    _count("io_reads", "disk, read operations a second"),
    _count("net_rx_packets", "network, packets received a second"),
    _count("net_tx_packets", "network, packets sent a second"),
    _count("memory_failures", "times memory was refused, since it started"),
    _count("oom_kills", "processes killed for memory, since it started"),
    _bytes("memory_limit", "memory limit"),
)
"""In the order in which one goes from one to the next; what is not known by name here is a count."""

ALL = (
    *MEASURES,
    *(_count(f, f.replace("_", " ")) for f in SAMPLE_FIELDS if f not in {m.field for m in MEASURES}),
)
