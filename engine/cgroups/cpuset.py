"""cpuset: which cores a cgroup may run on. v1 and v2 cpuset.cpus."""

from __future__ import annotations

import os

from msgspec import UNSET

from engine.cgroups import files
from engine.cgroups.controller import put, unsupported
from engine.cgroups.hierarchy import Place
from engine.errors import BadRequest
from engine.model import LimitReading, Limits, LimitsChange

FILE = "cpuset.cpus"


def parse_list(text: str) -> set[int]:
    """The numbers in a kernel list such as "0-1,3"; raises ValueError on any other text."""
    numbers = set[int]()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        low, high = int(first), int(last if dash else first)
        if not 0 <= low <= high <= 8191:  # NR_CPUS at its largest
            raise ValueError(text)
        numbers.update(range(low, high + 1))
    return numbers


class Cpuset:
    """The cpuset controller of one cgroup."""

    names = ("cpuset",)

    def __init__(self, place: Place) -> None:
        self.path = f"{place.folder}/{FILE}"
        self.v1 = place.version == 1
        self.parent = os.path.dirname(place.folder)

    def available(self) -> str:
        """The cores that may be chosen: the parent's."""
        return files.read_or(f"{self.parent}/{FILE}" if self.v1 else f"{self.parent}/{FILE}.effective")

    def readings(self) -> list[LimitReading]:
        """cpuset; on v1, where the file cannot be empty, the parent's whole set is no limit."""
        try:
            raw = files.read(self.path)
        except OSError:
            return [unsupported("cpuset", f"the controller is not enabled: no {self.path}", FILE)]
        value = None if not raw or (self.v1 and raw == self.available()) else raw
        return [LimitReading(name="cpuset", value=value, file=FILE, raw=raw)]

    def check(self, change: LimitsChange, now: Limits) -> None:
        """A kernel list of cores that this host has."""
        cpuset = change.cpuset
        if not isinstance(cpuset, str):
            return
        try:
            wanted = parse_list(cpuset)
        except ValueError:
            raise BadRequest(f"cpuset {cpuset!r} is not a list of cores", 'write it as "0-1,3"') from None
        available = self.available()
        if lacking := wanted - parse_list(available):
            cores = ", ".join(map(str, sorted(lacking)[:8]))
            raise BadRequest(f"cpuset {cpuset!r}: there is no core {cores} here", f"choose from {available}")

    def apply(self, change: LimitsChange, now: Limits) -> None:
        """Write cpuset.cpus; tasks move to their new cores at once."""
        if change.cpuset is not UNSET:
            put("cpuset", self.path, change.cpuset or (self.available() if self.v1 else "\n"))
