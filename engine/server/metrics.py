"""What is measured as metrics, under /tiffin/metrics: totals as the kernel counts them, and states of now."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from aiohttp import web

from engine.containers import Containers
from engine.model import ContainerSummary, ProcessCost, Sample, Snapshot
from engine.server.exposition import OPENMETRICS, PROMETHEUS, Family, written
from engine.server.http import Route, flag
from engine.server.status import status
from engine.watch.reader import Counts

MICRO = 1e-6
Labels = dict[str, str]
Read = Callable[[ContainerSummary, Counts, Sample], float | None]


class MetricsRoutes:
    """Metrics of all containers and of tiffin itself."""

    def __init__(self, containers: Containers) -> None:
        self._containers = containers
        self._started_at = time.time()

    def routes(self) -> list[Route]:
        """Its operations."""
        return [Route("GET", "/tiffin/metrics", self.metrics)]

    async def metrics(self, request: web.Request) -> web.Response:
        """GET /tiffin/metrics: text; with `openmetrics` in that format."""
        openmetrics = flag(request, "openmetrics")
        watch = self._containers.rooms.watch
        snapshot, totals = watch.snapshot(), watch.totals()
        own = (await asyncio.to_thread(status, self._containers, self._started_at)).processes
        told = written([*of_containers(snapshot, totals), *of_host(snapshot), *of_own(own)], openmetrics)
        kind = OPENMETRICS if openmetrics else PROMETHEUS
        return web.Response(body=told.encode(), headers={"Content-Type": kind})


def of_containers(snapshot: Snapshot, totals: Mapping[str, Counts]) -> list[Family]:
    """What each container has used and uses; what this host cannot tell of one is left out."""
    running = [
        (container, totals.get(container.id, Counts(0)), snapshot.samples.get(container.id, Sample()))
        for container in snapshot.containers
        if container.id in totals or container.id in snapshot.samples
    ]
    families = [
        Family(
            f"tiffin_container_{name}",
            "counter" if counter else "gauge",
            help,
            unit,
            [
                (_labels(c), value)
                for c, counts, sample in running
                if (value := read(c, counts, sample)) is not None
            ],
        )
        for counter, table in ((True, COUNTERS), (False, GAUGES))
        for name, unit, help, read in table
    ]
    for name, place, help in PRESSURES:
        samples: list[tuple[Labels, float]] = []
        for container, counts, _ in running:
            for resource, stall in zip(("cpu", "memory", "io"), counts.stalls, strict=True):
                micros = None if stall is None else stall[place]
                if micros is not None:
                    samples.append(({**_labels(container), "resource": resource}, micros * MICRO))
        families.append(Family(f"tiffin_container_{name}", "counter", help, "seconds", samples))
    states = [(_labels(c) | {"state": c.state.status}, 1.0) for c in snapshot.containers]
    families.append(
        Family("tiffin_container_state", "gauge", "1 for the state that a container is in.", "", states)
    )
    return families


def of_host(snapshot: Snapshot) -> list[Family]:
    """What the machine has, to hold the others against."""
    host = snapshot.host
    found = [Family("tiffin_host_cpus", "gauge", "Cores of the machine.", "", [({}, host.cores)])]
    for name, help, value in (
        ("memory_size", "Memory of the machine.", host.memory_total),
        ("memory_used", "Memory in use on the machine, without page cache.", host.memory),
    ):
        samples: list[tuple[Labels, float]] = [] if value is None else [({}, float(value))]
        found.append(Family(f"tiffin_host_{name}_bytes", "gauge", help, "bytes", samples))
    return found


def of_own(processes: Iterable[ProcessCost]) -> list[Family]:
    """What tiffin itself takes, by what its processes are for; there is a monitor for each running container."""
    cpu, memory, count = (
        defaultdict[str, float](float),
        defaultdict[str, float](float),
        defaultdict[str, float](float),
    )
    for process in processes:
        cpu[process.role] += process.cpu_seconds
        memory[process.role] += process.pss
        count[process.role] += 1

    def by_role(table: Mapping[str, float]) -> list[tuple[Labels, float]]:
        return [({"role": role}, value) for role, value in table.items()]

    # A gauge, for a monitor's time leaves the sum with it.
    return [
        Family(
            "tiffin_processes_cpu_seconds",
            "gauge",
            "CPU time of tiffin's living processes.",
            "seconds",
            by_role(cpu),
        ),
        Family(
            "tiffin_processes_memory_bytes", "gauge", "Their proportional set size.", "bytes", by_role(memory)
        ),
        Family("tiffin_processes", "gauge", "How many there are.", "", by_role(count)),
    ]


def _labels(container: ContainerSummary) -> Labels:
    return {"name": container.name, "id": container.id, "image": container.image}


def _of(part: str, field: str, scale: float = 1) -> Read:
    """One number of Counts."""

    def read(container: ContainerSummary, counts: Counts, sample: Sample) -> float | None:
        found = getattr(counts, part)
        value = None if found is None else getattr(found, field)
        return None if value is None else value * scale

    return read


def _net(place: int) -> Read:
    return lambda container, counts, sample: None if counts.net is None else counts.net[place]


def _now(field: str) -> Read:
    return lambda container, counts, sample: getattr(sample, field)


COUNTERS: tuple[tuple[str, str, str, Read], ...] = (
    ("cpu_seconds", "seconds", "CPU time.", _of("cpu", "usage", MICRO)),
    ("cpu_user_seconds", "seconds", "CPU time in programs.", _of("cpu", "user", MICRO)),
    ("cpu_system_seconds", "seconds", "CPU time in the kernel.", _of("cpu", "system", MICRO)),
    ("cpu_periods", "", "Scheduling periods in which it had a CPU quota and ran.", _of("throttling", "periods")),
    ("cpu_throttled_periods", "", "Those in which the quota ran out.", _of("throttling", "throttled")),
    ("disk_read_bytes", "bytes", "Bytes read from disks.", _of("io", "read")),
    ("disk_written_bytes", "bytes", "Bytes written to disks.", _of("io", "written")),
    ("disk_reads", "", "Read operations on disks.", _of("io", "reads")),
    ("disk_writes", "", "Write operations on disks.", _of("io", "writes")),
    ("network_receive_bytes", "bytes", "Bytes received by its interface.", _net(0)),
    ("network_transmit_bytes", "bytes", "Bytes sent by its interface.", _net(1)),
    ("network_receive_packets", "", "Packets received by its interface.", _net(2)),
    ("network_transmit_packets", "", "Packets sent by its interface.", _net(3)),
    ("oom_kills", "", "Processes that were killed for memory.", _now("oom_kills")),
    ("memory_failures", "", "Times memory beyond the limit was refused.", _now("memory_failures")),
)  # fmt: skip
"""What grows, each as the kernel counts it since the container was started."""

GAUGES: tuple[tuple[str, str, str, Read], ...] = (
    ("memory_used_bytes", "bytes", "Memory in use, without page cache.", _now("memory")),
    ("memory_cache_bytes", "bytes", "Page cache.", _now("cache")),
    ("memory_limit_bytes", "bytes", "Its memory limit; absent without one.", _now("memory_limit")),
    ("cpu_limit_cores", "", "Its CPU limit in cores; absent without one.", lambda c, counts, sample: c.limits.cpus),
    ("threads", "", "Processes and threads.", _now("pids")),
    ("start_time_seconds", "seconds", "When it was started.", lambda c, counts, now: c.state.started_at or None),
)  # fmt: skip

PRESSURES = (
    ("pressure_waiting_seconds", 0, "Time in which some of its tasks waited for a resource (PSI some)."),
    ("pressure_stalled_seconds", 1, "Time in which all of its tasks waited for it at once (PSI full)."),
)
