"""memory: a maximum, v2's slow-down threshold, and swap.

v1 memory.limit_in_bytes and memory.memsw.limit_in_bytes (memory and swap together); v2 memory.max,
memory.high and memory.swap.max.
"""

from __future__ import annotations

import errno
import os

from msgspec import UNSET

from engine.cgroups import files
from engine.cgroups.controller import UNLIMITED, put, unsupported, within
from engine.cgroups.hierarchy import Place
from engine.errors import BadRequest, KernelError
from engine.model import LimitReading, Limits, LimitsChange

PAGE = os.sysconf("SC_PAGE_SIZE")
V1_UNLIMITED = (2**63 - 1) // PAGE * PAGE  # PAGE_COUNTER_MAX in bytes, include/linux/page_counter.h
LEAST = 6 << 20  # bytes; Docker's least, below it not even a shell starts
IN_USE = "give it more, or end some of its processes first"


class Memory:
    """The memory controller of one cgroup."""

    names = ("memory", "memory_high", "swap")

    def __init__(self, place: Place) -> None:
        self.folder = place.folder
        self.v1 = place.version == 1
        self.limit_file = f"{place.folder}/{'memory.limit_in_bytes' if self.v1 else 'memory.max'}"
        self.oom_file = f"{place.folder}/{'memory.oom_control' if self.v1 else 'memory.events'}"
        self._memsw = f"{place.folder}/memory.memsw.limit_in_bytes"

    def readings(self) -> list[LimitReading]:
        """memory, memory_high, swap; all in bytes, rounded down to pages by the kernel."""
        memory = self._reading("memory", self.limit_file.rpartition("/")[2])
        if not self.v1:
            swap = self._reading("swap", "memory.swap.max", "the kernel does not count swap (CONFIG_SWAP)")
            return [memory, self._reading("memory_high", "memory.high"), swap]
        high = unsupported("memory_high", "memory.high is cgroup v2's; here the memory controller is v1")
        swap = self._reading("swap", "memory.memsw.limit_in_bytes", "swap is not counted (swapaccount=1)")
        if isinstance(swap.value, int) and isinstance(memory.value, int):
            swap = LimitReading(name="swap", value=swap.value - memory.value, file=swap.file, raw=swap.raw)
        return [memory, high, swap]

    def check(self, change: LimitsChange, now: Limits) -> None:
        """From 6 MiB on; on v1 swap needs memory, for the kernel limits only the sum of both."""
        within("memory", change.memory, LEAST, what=" bytes, which is 6 MiB")
        within("memory_high", change.memory_high, LEAST, what=" bytes, which is 6 MiB")
        within("swap", change.swap, 0, what=" bytes")
        memory = now.memory if change.memory is UNSET else change.memory
        if self.v1 and isinstance(change.swap, int) and memory is None:
            raise BadRequest("setting swap: cgroup v1 limits it only together with memory", "set memory too")

    def apply(self, change: LimitsChange, now: Limits) -> None:
        """Write what is set; swap without a word stays as it is when memory changes."""
        if self.v1:
            memory = now.memory if change.memory is UNSET else change.memory
            swap = now.swap if change.swap is UNSET else change.swap
            if change.memory is not UNSET or change.swap is not UNSET:
                self._apply_v1(memory, swap)
            return
        if change.memory_high is not UNSET:
            put("memory_high", f"{self.folder}/memory.high", _text(change.memory_high))
        if change.swap is not UNSET:
            put("swap", f"{self.folder}/memory.swap.max", _text(change.swap))
        if change.memory is not UNSET:
            if change.memory is not None:
                self._make_room(change.memory)
            put("memory", self.limit_file, _text(change.memory))

    def _apply_v1(self, memory: int | None, swap: int | None) -> None:
        """The kernel refuses every state in between in which memory exceeds memory and swap together."""
        limit = V1_UNLIMITED if memory is None else memory
        both = V1_UNLIMITED if memory is None or swap is None else memory + swap
        writes = [("memory", self.limit_file, limit), ("swap", self._memsw, both)]
        counted = files.read_or(self._memsw)
        if not counted:
            del writes[1]
        elif limit > int(counted):
            writes.reverse()
        for name, path, value in writes:
            try:
                put(name, path, str(-1 if value == V1_UNLIMITED else value))
            except KernelError as error:
                if error.errno == errno.EBUSY:
                    raise self._in_use(name, path, value, "memory.usage_in_bytes") from None
                raise

    def _make_room(self, limit: int) -> None:
        """Reclaim below `limit` before memory.max is lowered to it, which would kill where v1 refuses.

        Writing memory.high reclaims at once and never kills (memory_high_write() in mm/memcontrol.c).
        """
        current = f"{self.folder}/memory.current"
        if int(files.read_or(current, "0")) <= limit:
            return
        high = f"{self.folder}/memory.high"
        before = files.read_or(high, UNLIMITED)
        put("memory", high, str(limit))
        try:
            if int(files.read_or(current, "0")) > limit:
                raise self._in_use("memory", self.limit_file, limit, "memory.current")
        finally:
            put("memory", high, before)

    def _in_use(self, name: str, path: str, value: int, usage: str) -> KernelError:
        used = int(files.read_or(f"{self.folder}/{usage}", "0"))
        doing = f"setting {name} to {value} ({path}): {used} bytes are in use and cannot be reclaimed"
        return KernelError(doing, errno.EBUSY, IN_USE)

    def _reading(self, name: str, file: str, why_not: str = "") -> LimitReading:
        raw = files.read_or(f"{self.folder}/{file}")
        if not raw:
            why_not = why_not or f"the controller is not enabled: no {self.folder}/{file}"
            return unsupported(name, why_not, file)
        unlimited = raw == UNLIMITED or int(raw) >= V1_UNLIMITED
        return LimitReading(name=name, value=None if unlimited else int(raw), file=file, raw=raw)


def _text(value: int | None) -> str:
    return UNLIMITED if value is None else str(value)
