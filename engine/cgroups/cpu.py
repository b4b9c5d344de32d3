"""cpu: a quota in cores, a weight, and SCHED_IDLE for the whole cgroup.

v1 cpu.cfs_quota_us, cpu.cfs_period_us, cpu.shares; v2 cpu.max, cpu.weight; cpu.idle in both (since 5.15).
"""

from __future__ import annotations

import contextlib
import os

from msgspec import UNSET

from engine.cgroups import files
from engine.cgroups.controller import UNLIMITED, put, unsupported, within
from engine.cgroups.hierarchy import Place
from engine.errors import BadRequest
from engine.model import LimitReading, Limits, LimitsChange

PERIOD = 100_000  # µs; the kernel's default, and Docker's
LEAST = 0.01  # cores: a quota of 1 ms, min_cfs_quota_period in the kernel's kernel/sched/core.c
DEFAULT_WEIGHT = 100
MOST_WEIGHT = 10_000
KEPT_WEIGHT = "trusted.tiffin.cpu_weight"  # extended attribute of the cgroup's folder, see Cpu._set_idle


def shares_of_weight(weight: int) -> int:
    """v1 cpu.shares for a v2 cpu.weight: 100 is 1024, and ratios stay as they are.

    Source: sched_weight_from_cgroup() in the kernel's kernel/sched/sched.h, which is what v2 itself does.
    """
    return (weight * 1024 + 50) // 100


def weight_of_shares(shares: int) -> int:
    """The inverse, sched_weight_to_cgroup(), kept within 1 to 10000."""
    return min(max((shares * 100 + 512) // 1024, 1), MOST_WEIGHT)


class Cpu:
    """The cpu controller of one cgroup."""

    names = ("cpus", "cpu_weight", "cpu_idle")

    def __init__(self, place: Place) -> None:
        self.folder = place.folder
        self.v1 = place.version == 1
        self._weight_file = "cpu.shares" if self.v1 else "cpu.weight"

    def readings(self) -> list[LimitReading]:
        """cpus, cpu_weight, cpu_idle."""
        idle = self._idle()
        return [self._cpus(), self._weight(idle.value is True), idle]

    def check(self, change: LimitsChange, now: Limits) -> None:
        """At most as many cores as the host has; no weight while idle."""
        cores = os.cpu_count() or 1
        within("cpus", change.cpus, LEAST, cores, ", this host's number of cores")
        within("cpu_weight", change.cpu_weight, 1, MOST_WEIGHT, "; the kernel's default is 100")
        if isinstance(change.cpu_weight, int) and now.cpu_idle and change.cpu_idle in (UNSET, True):
            doing = "setting cpu_weight: the kernel takes no weight while cpu_idle is on"
            raise BadRequest(doing, "turn cpu_idle off as well")

    def apply(self, change: LimitsChange, now: Limits) -> None:
        """Idle is left before and entered after the weight is written: an idle cgroup's weight is EINVAL."""
        if change.cpus is not UNSET:
            self._set_cpus(change.cpus)
        weight = change.cpu_weight
        idle = change.cpu_idle if change.cpu_idle is not UNSET else now.cpu_idle
        if now.cpu_idle and not idle:
            kept = self._end_idle()
            weight = kept if weight is UNSET else weight
        if weight is not UNSET and not idle:
            self._set_weight(weight or DEFAULT_WEIGHT)
        if idle and not now.cpu_idle:
            self._set_idle(weight if isinstance(weight, int) else now.cpu_weight)

    def _cpus(self) -> LimitReading:
        file = "cpu.cfs_quota_us" if self.v1 else "cpu.max"
        raw = files.read_or(f"{self.folder}/{file}")
        if not raw:
            return unsupported("cpus", f"the kernel has no {file} (CONFIG_CFS_BANDWIDTH)", file)
        period = files.read_or(f"{self.folder}/cpu.cfs_period_us", str(PERIOD)) if self.v1 else raw.split()[1]
        quota = raw.split()[0]
        value = None if quota in ("-1", UNLIMITED) else int(quota) / int(period)
        return LimitReading(name="cpus", value=value, file=file, raw=raw)

    def _weight(self, idle: bool) -> LimitReading:
        file = self._weight_file
        raw = files.read_or(f"{self.folder}/{file}")
        if not raw:
            return unsupported("cpu_weight", f"the kernel has no {file}", file)
        weight = weight_of_shares(int(raw)) if self.v1 else int(raw)
        value = None if idle or weight == DEFAULT_WEIGHT else weight
        why_not = "while cpu_idle is on the kernel sets the weight aside" if idle else ""
        return LimitReading(name="cpu_weight", value=value, file=file, raw=raw, why_not=why_not)

    def _idle(self) -> LimitReading:
        raw = files.read_or(f"{self.folder}/cpu.idle")
        if not raw:
            return unsupported("cpu_idle", "the kernel has no cpu.idle; it came with Linux 5.15", "cpu.idle")
        return LimitReading(name="cpu_idle", value=raw == "1", file="cpu.idle", raw=raw)

    def _set_cpus(self, cpus: float | None) -> None:
        quota = None if cpus is None else round(cpus * PERIOD)
        if not self.v1:
            return put("cpus", f"{self.folder}/cpu.max", f"{quota or UNLIMITED} {PERIOD}")
        if quota is not None and files.read_or(f"{self.folder}/cpu.cfs_period_us") != str(PERIOD):
            put("cpus", f"{self.folder}/cpu.cfs_quota_us", "-1")  # any period goes with no quota
            put("cpus", f"{self.folder}/cpu.cfs_period_us", str(PERIOD))
        return put("cpus", f"{self.folder}/cpu.cfs_quota_us", str(quota or -1))

    def _set_weight(self, weight: int) -> None:
        value = shares_of_weight(weight) if self.v1 else weight
        put("cpu_weight", f"{self.folder}/{self._weight_file}", str(value))

    def _set_idle(self, weight: int | None) -> None:
        """Enter idle. The kernel forgets the weight then, so it is kept at the cgroup to be given back."""
        with contextlib.suppress(OSError):  # without xattrs the weight ends at its default, as read back
            os.setxattr(self.folder, KEPT_WEIGHT, str(weight or DEFAULT_WEIGHT).encode())
        put("cpu_idle", f"{self.folder}/cpu.idle", "1")

    def _end_idle(self) -> int | None:
        """Leave idle; the weight from before it."""
        put("cpu_idle", f"{self.folder}/cpu.idle", "0")
        try:
            return int(os.getxattr(self.folder, KEPT_WEIGHT))
        except OSError:
            return None
