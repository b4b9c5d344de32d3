"""The whole machine's sample, from /proc and /sys."""

from __future__ import annotations

import contextlib
import os
import time

from engine.model import HostSample
from engine.watch import parse
from engine.watch.disks import Disks
from engine.watch.kept import Budget, Gone, Kept
from engine.watch.reader import Counts, Traffic, between
from engine.watch.sources import MemoryUse, Pressure

LOOK_AGAIN = 60  # ticks between looks at which disks and network cards there are


class Host:
    """Reads the machine's own counters; `root` is a prefix of /proc and /sys, for made-up ones."""

    def __init__(self, budget: Budget, disks: Disks, root: str = "") -> None:
        self._root = root
        self._budget = budget
        self._disks = disks
        self._stat = Kept(f"{root}/proc/stat", parse.machine_cpu, budget)
        self._meminfo = Kept(f"{root}/proc/meminfo", parse.meminfo, budget)
        self._diskstats = Kept(
            f"{root}/proc/diskstats", lambda data: parse.diskstats(data, disks.layered), budget
        )
        pressure = f"{root}/proc/pressure"
        self._pressure = Pressure(pressure if os.path.isdir(pressure) else "", budget, suffix="")
        self._cards = list[tuple[Kept[int], Kept[int]]]()
        self._age = LOOK_AGAIN
        self._before: Counts | None = None

    def sample(self, self_cpu: float | None = None, self_memory: int | None = None) -> HostSample:
        """Read everything; rates are over the time since the last call, None at the first."""
        self._age += 1
        if self._age >= LOOK_AGAIN:
            self._look()
        at = time.monotonic()
        now = Counts(at, self._stat.read(), None, self._pressure.read(), self._diskstats.read(), self._net())
        memory = self._meminfo.read()
        use = MemoryUse(memory.used, memory.cache) if memory else MemoryUse()
        before, self._before = self._before or Counts(at), now
        sample = between(before, now, use, None)
        return HostSample(
            cores=os.cpu_count() or 1,
            cpu=sample.cpu,
            cpu_some=sample.cpu_some,
            memory_total=memory.total if memory else 0,
            memory=sample.memory,
            cache=sample.cache,
            memory_some=sample.memory_some,
            memory_full=sample.memory_full,
            io_read=sample.io_read,
            io_write=sample.io_write,
            io_reads=sample.io_reads,
            io_writes=sample.io_writes,
            io_some=sample.io_some,
            io_full=sample.io_full,
            net_rx=sample.net_rx,
            net_tx=sample.net_tx,
            self_cpu=self_cpu,
            self_memory=self_memory,
        )

    def close(self) -> None:
        """Give all descriptors back."""
        self._pressure.close()
        for kept in (self._stat, self._meminfo, self._diskstats):
            kept.close()
        self._drop_cards()

    def _net(self) -> Traffic:
        received = sent = 0
        for rx, tx in self._cards:
            with contextlib.suppress(Gone):  # a card that was pulled
                received, sent = received + (rx.read() or 0), sent + (tx.read() or 0)
        return received, sent, 0, 0

    def _look(self) -> None:
        """Find disks and network cards anew."""
        self._age = 0
        self._disks.look()
        self._drop_cards()
        folder = f"{self._root}/sys/class/net"
        self._cards = [
            (
                Kept(f"{folder}/{name}/statistics/rx_bytes", int, self._budget),
                Kept(f"{folder}/{name}/statistics/tx_bytes", int, self._budget),
            )
            for name in cards(folder)
        ]

    def _drop_cards(self) -> None:
        for pair in self._cards:
            for kept in pair:
                kept.close()
        self._cards = []


def cards(folder: str = "/sys/class/net") -> list[str]:
    """The interfaces through which the machine meets others: real cards; where it has none, as inside another
    container, whatever is neither loopback nor a bridge nor plugged into one.
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    real = [name for name in names if os.path.exists(f"{folder}/{name}/device")]
    return real or [
        name
        for name in names
        if name != "lo"
        and not os.path.exists(f"{folder}/{name}/bridge")
        and not os.path.exists(f"{folder}/{name}/brport")
    ]
