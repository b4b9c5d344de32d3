"""What a tick of the sampler costs with a thousand idle cgroups, beside reading the same files plainly."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Figure, Row, missed
from benchmarks.world import World
from engine.cgroups import Cgroup, Group, detect
from engine.watch import Sampler, Target

COUNT = 1000
TICKS = 30
NAMES = frozenset(
    (
        "cpuacct.usage", "cpuacct.stat", "cpu.stat", "cpu.pressure", "memory.pressure", "io.pressure", "memory.stat",
        "memory.events", "memory.current", "memory.usage_in_bytes", "memory.limit_in_bytes", "memory.max",
        "memory.failcnt", "memory.oom_control", "blkio.throttle.io_service_bytes", "blkio.throttle.io_serviced",
        "io.stat", "pids.current",
    )
)  # fmt: skip
"""What a full set of gauges is read from, on whichever version has it."""


def measure(world: World) -> list[Row]:
    """Both in turns, in this process, by CPU time."""
    group = Group(detect(), f"tiffin-bench-{os.getpid()}-s")
    group.prepare()
    cgroups = [Cgroup(group.hierarchy, group.path(f"c{number}")) for number in range(COUNT)]
    made: list[Cgroup] = []
    sampler = Sampler(group)
    try:
        for number, cgroup in enumerate(cgroups):
            made.append(cgroup)
            cgroup.create()
            sampler.add(Target(f"c{number}", cgroup))
        files = [
            path
            for cgroup in cgroups
            for folder in cgroup.folders
            for path in Path(folder).iterdir()
            if path.name in NAMES
        ]
        sampler.tick()
        found: dict[str, list[float]] = {"tiffin": [], "open, read and close of the same files": []}
        for _ in range(TICKS):
            found["tiffin"].append(_each(sampler.tick))
            found["open, read and close of the same files"].append(_each(lambda: _plainly(files)))
    finally:
        sampler.close()
        for cgroup in made:
            cgroup.remove()
        group.remove()
    figures = [Figure(who, values, "µs") for who, values in found.items()]
    share = Figure("tiffin", [value * COUNT / 1e4 for value in found["tiffin"]], "%")
    each = "sampling, full set of one container at 1 Hz, CPU"
    return [
        Row(each, "under 40 µs", figures, figures[0].median < 40, missed(figures[0], 40)),
        Row(
            f"sampling {COUNT} containers, of one core",
            "under 5 %",
            [share],
            share.median < 5,
            missed(share, 5),
        ),
    ]


def _each(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) / COUNT * 1e6


def _plainly(files: list[Path]) -> None:
    for path in files:
        fd = os.open(path, os.O_RDONLY)
        os.read(fd, 4096)
        os.close(fd)
