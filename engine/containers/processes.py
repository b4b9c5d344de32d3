"""The processes of a container, seen from the host."""

from __future__ import annotations

import psutil

from engine.cgroups import Cgroup
from engine.model import Process

STATES = {
    psutil.STATUS_RUNNING: "R",
    psutil.STATUS_SLEEPING: "S",
    psutil.STATUS_IDLE: "I",
    psutil.STATUS_DISK_SLEEP: "D",
    psutil.STATUS_STOPPED: "T",
    psutil.STATUS_TRACING_STOP: "t",
    psutil.STATUS_ZOMBIE: "Z",
}


def processes(cgroup: Cgroup) -> list[Process]:
    """Every process in the cgroup, by pid; those that end while they are read are left out."""
    found = []
    for pid in cgroup.pids():
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                times = process.cpu_times()
                found.append(
                    Process(
                        pid=pid,
                        ppid=process.ppid(),
                        user=str(process.uids().effective),
                        command=" ".join(process.cmdline()) or f"[{process.name()}]",
                        cpu_seconds=times.user + times.system,
                        started_at=process.create_time(),
                        rss=process.memory_info().rss,
                        state=STATES.get(process.status(), "?"),
                    )
                )
        except psutil.NoSuchProcess:
            continue
    return found
