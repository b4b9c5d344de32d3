"""A container's usage as Docker's `stats` reads it: counters of now and of a tick before."""

from __future__ import annotations

import msgspec

from engine.docker.times import rfc3339
from engine.model import JSON, ContainerSummary, Sample


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel has counted of a container until `at` (Unix seconds)."""

    at: float
    uptime: float = 0  # of the machine, seconds: Unix time on many cores would not fit 64 bits
    cpu: float = 0  # seconds
    cpu_user: float = 0
    cpu_system: float = 0
    periods: int = 0
    throttled_periods: int = 0
    io_read: int = 0  # bytes
    io_write: int = 0
    io_reads: int = 0  # operations
    io_writes: int = 0
    net_rx: int = 0  # bytes
    net_tx: int = 0
    net_rx_packets: int = 0
    net_tx_packets: int = 0


def stats(
    summary: ContainerSummary, sample: Sample, now: Counters, before: Counters, cores: int, memory_total: int
) -> JSON:
    """One answer of GET /containers/{id}/stats.

    The client divides the container's CPU time by the machine's between the two readings, so the machine's is
    given as elapsed time on all cores. Memory's cache is given under the names by which v1 and v2 clients
    subtract it.
    """
    memory, cache = sample.memory or 0, sample.cache or 0
    found = {
        "read": rfc3339(now.at),
        "preread": rfc3339(before.at),
        "id": summary.id,
        "name": "/" + summary.name,
        "num_procs": 0,
        "storage_stats": {},
        "pids_stats": {
            "current": sample.pids or 0,
            **({"limit": summary.limits.pids} if summary.limits.pids else {}),
        },
        "cpu_stats": _cpu(now, cores),
        "precpu_stats": _cpu(before, cores),
        "memory_stats": {
            "usage": memory + cache,
            "limit": sample.memory_limit or memory_total,
            "failcnt": sample.memory_failures or 0,
            "stats": {"cache": cache, "total_inactive_file": cache, "inactive_file": cache},
        },
        "blkio_stats": {
            "io_service_bytes_recursive": _blkio(now.io_read, now.io_write),
            "io_serviced_recursive": _blkio(now.io_reads, now.io_writes),
        },
    }
    if summary.address:
        found["networks"] = {
            "eth0": {
                "rx_bytes": now.net_rx,
                "rx_packets": now.net_rx_packets,
                "rx_errors": 0,
                "rx_dropped": 0,
                "tx_bytes": now.net_tx,
                "tx_packets": now.net_tx_packets,
                "tx_errors": 0,
                "tx_dropped": 0,
            }
        }
    return found


def _cpu(counted: Counters, cores: int) -> JSON:
    return {
        "cpu_usage": {
            "total_usage": round(counted.cpu * 1e9),
            "usage_in_usermode": round(counted.cpu_user * 1e9),
            "usage_in_kernelmode": round(counted.cpu_system * 1e9),
        },
        "system_cpu_usage": round(counted.uptime * cores * 1e9),
        "online_cpus": cores,
        "throttling_data": {
            "periods": counted.periods,
            "throttled_periods": counted.throttled_periods,
        },
    }


def _blkio(read: int, write: int) -> list[JSON]:
    return [
        {"major": 0, "minor": 0, "op": "read", "value": read},
        {"major": 0, "minor": 0, "op": "write", "value": write},
    ]
