"""Samples of the machine and of all watched cgroups, once a tick."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Mapping

import msgspec

from engine.cgroups import Cgroup, Group
from engine.model import HostSample, Sample
from engine.watch.disks import Disks
from engine.watch.host import Host
from engine.watch.kept import Budget, Gone
from engine.watch.own import Own
from engine.watch.reader import Counts, Reader, Traffic
from engine.watch.waits import Share

Counters = Callable[[], Mapping[str, Traffic]]


class Target(msgspec.Struct, frozen=True):
    """A cgroup to watch, and its interface's name, the key to the network room's counters, if it has one."""

    id: str
    cgroup: Cgroup
    interface: str = ""


class Sampler:
    """Reads all targets at each `tick`.

    `add` and `remove` may be called from another thread than `tick`'s: they take effect with the next tick.
    """

    def __init__(self, group: Group, counters: Counters | None = None, budget: Budget | None = None) -> None:
        self.budget = budget or Budget()
        self._counters = counters
        self.disks = Disks()
        self._share = Share()
        self._host = Host(self.budget, self.disks)
        self._own = Own(group, self.budget)
        self._readers = dict[str, tuple[Target, Reader]]()
        self._asked = deque[tuple[str, tuple[Target, Reader] | None]]()
        self._ticking = threading.Lock()
        self.gone: list[str] = []  # ids dropped in the last tick: their cgroup was removed

    def add(self, target: Target) -> None:
        """Watch a target, from this moment on, in the place of one with the same id."""
        reader = Reader(target.cgroup.hierarchy, target.cgroup.path, self.budget, self.disks, self._share)
        with contextlib.suppress(Gone):  # else the tick tells
            reader.sample()
        self._asked.append((target.id, (target, reader)))

    def remove(self, id: str) -> None:
        """Watch a target no more; an unknown one is no error."""
        self._asked.append((id, None))

    def tick(self) -> tuple[HostSample, dict[str, Sample]]:
        """The machine's sample and each target's, over the time since the tick before."""
        with self._ticking:
            self._take_in()
            return self._read()

    def totals(self) -> dict[str, Counts]:
        """What each target's files counted at the last tick, since its cgroup was made."""
        readers = list(self._readers.items())  # at once: a tick may be under way in another thread
        return {id: counts for id, (_, reader) in readers if (counts := reader.counts) is not None}

    def close(self) -> None:
        """Give all descriptors back, after a tick that may be under way in another thread."""
        with self._ticking:
            self._take_in()
            for _, reader in self._readers.values():
                reader.close()
            self._readers.clear()
            self._host.close()
            self._own.close()

    def _take_in(self) -> None:
        """Do what was asked for since the last tick."""
        while self._asked:
            id, wanted = self._asked.popleft()
            if id in self._readers:
                self._readers.pop(id)[1].close()
            if wanted:
                self._readers[id] = wanted

    def _read(self) -> tuple[HostSample, dict[str, Sample]]:
        net = self._counters() if self._counters else {}
        samples = dict[str, Sample]()
        self._share.cgroups = len(self._readers)
        self.gone = []
        for id, (target, reader) in self._readers.items():
            try:
                samples[id] = reader.sample(net.get(target.interface))
            except Gone:
                self.gone.append(id)
        for id in self.gone:
            self._readers.pop(id)[1].close()
        return self._host.sample(self._own.cpu(), self._own.memory()), samples
