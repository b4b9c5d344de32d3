"""Limits: Docker's resource fields to and from the engine's."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, UnsetType

from engine.docker.body import Extension, Rate, Resources
from engine.errors import BadRequest
from engine.model import IoLimit, Limits, LimitsChange

PERIOD = 100_000  # µs, the kernel's and Docker's default CFS period
SHARES = 1024 / 100  # Docker's default share is the kernel's default weight
BLKIO = 500 / 100  # the same for IO; systemd's conversion
RATES = {
    "blkio_device_read_bps": "read_bps",
    "blkio_device_write_bps": "write_bps",
    "blkio_device_read_iops": "read_iops",
    "blkio_device_write_iops": "write_iops",
}


def from_resources(given: Resources, extension: Extension) -> Limits:
    """The limits of a container to be created."""
    memory = _size("Memory", given.memory)
    swap = extension.swap
    if given.memory_swap is None or given.memory_swap == 0:
        swap = swap if memory is None else memory  # Docker's default: as much swap as memory
    elif given.memory_swap > 0:
        swap = _swap(given.memory_swap, memory)
    return Limits(
        cpus=_cpus(given),
        cpu_weight=_weight("CpuShares", given.cpu_shares, SHARES),
        cpu_idle=extension.cpu_idle,
        cpuset=given.cpuset_cpus or None,
        memory=memory,
        memory_high=extension.memory_high,
        swap=swap,
        io_weight=extension.io_weight or _weight("BlkioWeight", given.blkio_weight, BLKIO),
        io=_io(given),
        pids=None if (given.pids_limit or 0) <= 0 else given.pids_limit,
    )


def change_from_resources(given: Resources, current: Limits) -> LimitsChange:
    """The change that an update asks for; what it leaves at 0 or null stays as in `current`."""
    memory = _size("Memory", given.memory)
    swap: int | UnsetType | None = UNSET
    if given.memory_swap:
        swap = None if given.memory_swap < 0 else _swap(given.memory_swap, memory or current.memory)
    cpus: float | UnsetType | None = _cpus(given) or UNSET
    if given.cpu_quota is not None and given.cpu_quota < 0:
        cpus = None
    pids: int | UnsetType | None = UNSET
    if given.pids_limit is not None:
        pids = given.pids_limit if given.pids_limit > 0 else None
    return LimitsChange(
        cpus=cpus,
        cpu_weight=_weight("CpuShares", given.cpu_shares, SHARES) or UNSET,
        cpuset=given.cpuset_cpus or UNSET,
        memory=memory or UNSET,
        swap=swap,
        io_weight=_weight("BlkioWeight", given.blkio_weight, BLKIO) or UNSET,
        io=_io(given) or UNSET,
        pids=pids,
    )


def to_resources(limits: Limits) -> tuple[dict[str, Any], dict[str, Any]]:
    """Docker's fields for limits, as keyword arguments of Resources and of Extension."""
    swap: int | None = None
    if limits.memory is not None:
        swap = -1 if limits.swap is None else limits.memory + limits.swap
    rates: dict[str, list[Rate]] = {}
    for device, limit in limits.io.items():
        for docker, ours in RATES.items():
            if (rate := getattr(limit, ours)) is not None:
                rates.setdefault(docker, []).append(Rate(path=device, rate=rate))
    resources = {
        "nano_cpus": None if limits.cpus is None else round(limits.cpus * 1e9),
        "cpu_shares": None if limits.cpu_weight is None else max(2, round(limits.cpu_weight * SHARES)),
        "cpuset_cpus": limits.cpuset,
        "memory": limits.memory,
        "memory_swap": swap,
        "blkio_weight": None
        if limits.io_weight is None
        else min(1000, max(10, round(limits.io_weight * BLKIO))),
        "pids_limit": limits.pids,
        **rates,
    }
    extension = {
        "cpu_idle": limits.cpu_idle,
        "memory_high": limits.memory_high,
        "swap": limits.swap if limits.memory is None else None,
        "io_weight": limits.io_weight,
    }
    return resources, extension


def _cpus(given: Resources) -> float | None:
    if given.nano_cpus and (given.cpu_quota or given.cpu_period):
        raise BadRequest("NanoCpus and CpuQuota or CpuPeriod both limit the CPU", "give one of them")
    if given.nano_cpus:
        if given.nano_cpus < 0:
            raise BadRequest(f"NanoCpus is {given.nano_cpus}", "give billionths of a core, above 0")
        return given.nano_cpus / 1e9
    if given.cpu_quota and given.cpu_quota > 0:
        period = given.cpu_period or PERIOD
        if period < 0:
            raise BadRequest(f"CpuPeriod is {period}", "give microseconds, 1000 to 1000000")
        return given.cpu_quota / period
    if given.cpu_period:
        raise BadRequest("CpuPeriod is given without CpuQuota", "give both, or NanoCpus")
    return None


def _size(field: str, value: int | None) -> int | None:
    if value is not None and value < 0:
        raise BadRequest(f"{field} is {value}", "give bytes, above 0")
    return value or None


def _swap(total: int, memory: int | None) -> int:
    """Docker counts memory into MemorySwap."""
    if memory is None:
        raise BadRequest("MemorySwap is given without Memory", "give both: MemorySwap is their sum")
    if total < memory:
        raise BadRequest(
            f"MemorySwap is {total}, below Memory {memory}", "MemorySwap is memory and swap together"
        )
    return total - memory


def _weight(field: str, value: int | None, scale: float) -> int | None:
    if not value:
        return None
    if value < 0:
        raise BadRequest(f"{field} is {value}", "give a weight above 0")
    return min(10000, max(1, round(value / scale)))


def _io(given: Resources) -> dict[str, IoLimit]:
    by_device: dict[str, dict[str, int]] = {}
    for docker, ours in RATES.items():
        for item in getattr(given, docker) or []:
            if item.rate < 0:
                raise BadRequest(
                    f"the rate for {item.path} is {item.rate}", "give a rate of 0 (no limit) or more"
                )
            if item.rate:
                by_device.setdefault(item.path, {})[ours] = item.rate
    return {device: IoLimit(**rates) for device, rates in by_device.items()}
