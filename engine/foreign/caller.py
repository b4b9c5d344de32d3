"""Who asks: the process at the other end of the socket, and those it lives by."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from engine.cgroups.files import read_or

MOST = 64  # generations


class Caller(msgspec.Struct, frozen=True):
    """A client's process; 0 where it is not known."""

    pid: int = 0

    def lineage(self) -> Iterator[tuple[int, str]]:
        """It, its shell, its terminal, …, up to PID 1 without that: pid and name."""
        pid = self.pid
        for _ in range(MOST):
            if pid <= 1:
                return
            stat = read_or(f"/proc/{pid}/stat")
            name, _, rest = stat.partition("(")[2].rpartition(")")
            if not stat:
                return
            yield pid, name
            pid = int(rest.split()[1])


def cgroup_of(pid: int, controller: str) -> str:
    """The path of a process's cgroup in the v2 tree ("") or in a v1 controller's hierarchy; empty where unknown."""
    for line in read_or(f"/proc/{pid}/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(",") if controller else not controllers:
            return path.strip("/")
    return ""
