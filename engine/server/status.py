"""What the engine tells of itself, and what its processes cost."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from engine.containers import Containers
from engine.model import EngineStatus, ProcessCost
from engine.watch.own import pss

TICKS = os.sysconf("SC_CLK_TCK")


@cache
def version() -> str:
    """The release that runs."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("tiffin")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "0+source"


def status(containers: Containers, started_at: float) -> EngineStatus:
    """The engine's status."""
    instance = containers.rooms.instance
    summaries = containers.list()
    return EngineStatus(
        version=version(),
        pid=os.getpid(),
        socket=str(instance.socket),
        state=str(instance.state),
        started_at=started_at,
        cgroup_mode=containers.rooms.hierarchy.mode,
        containers=len(summaries),
        running=sum(summary.state.status in ("running", "paused", "restarting") for summary in summaries),
        processes=_processes(containers),
    )


def _processes(containers: Containers) -> list[ProcessCost]:
    group = containers.rooms.group
    monitors = {
        container.monitor.record.monitor: container.id
        for container in containers.registry
        if container.monitor
    }
    # A new monitor is in the launcher's cgroup until it has found the time to move to its own.
    others = set(_pids(group.engine_folders)) - {os.getpid()} - monitors.keys()
    known = monitors | {pid: monitors.get(pid, "") for pid in _pids(group.monitor_folders)}
    found = [_cost("engine", os.getpid())]
    found += [_cost("launcher", pid) for pid in sorted(others - known.keys())]
    found += [_cost("monitor", pid, container) for pid, container in sorted(known.items())]
    return [cost for cost in found if cost is not None]


def _pids(folders: list[str]) -> list[int]:
    try:
        return [int(pid) for pid in Path(folders[0], "cgroup.procs").read_text().split()] if folders else []
    except OSError:
        return []


def _cost(role: str, pid: int, container: str = "") -> ProcessCost | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:  # it ended just now
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    cpu = (int(fields[11]) + int(fields[12])) / TICKS
    return ProcessCost(role=role, pid=pid, pss=pss(pid), cpu_seconds=cpu, container=container)  # type: ignore[arg-type]
