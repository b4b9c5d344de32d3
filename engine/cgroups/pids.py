"""pids: how many processes and threads a cgroup may have. v1 and v2 pids.max."""

from __future__ import annotations

from msgspec import UNSET

from engine.cgroups import files
from engine.cgroups.controller import UNLIMITED, put, unsupported, within
from engine.cgroups.hierarchy import Place
from engine.model import LimitReading, Limits, LimitsChange

FILE = "pids.max"
MOST = 4 << 20  # PID_MAX_LIMIT, include/linux/threads.h


class Pids:
    """The pids controller of one cgroup."""

    names = ("pids",)

    def __init__(self, place: Place) -> None:
        self.path = f"{place.folder}/{FILE}"

    def readings(self) -> list[LimitReading]:
        """The count that fork() may not exceed."""
        raw = files.read_or(self.path)
        if not raw:
            return [unsupported("pids", f"the controller is not enabled: no {self.path}", FILE)]
        return [LimitReading(name="pids", value=None if raw == UNLIMITED else int(raw), file=FILE, raw=raw)]

    def check(self, change: LimitsChange, now: Limits) -> None:
        """At least the one process there is."""
        within("pids", change.pids, 1, MOST)

    def apply(self, change: LimitsChange, now: Limits) -> None:
        """Write pids.max; a limit below the present count only refuses further forks."""
        if change.pids is not UNSET:
            put("pids", self.path, UNLIMITED if change.pids is None else str(change.pids))
