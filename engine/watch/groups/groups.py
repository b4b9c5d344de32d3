"""Every cgroup of the host, sampled each tick and told as nouns."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from engine.cgroups import Group as OwnGroup
from engine.cgroups.cpu import Cpu
from engine.cgroups.files import read_or
from engine.model import (
    GROUP_PREFIX,
    ContainerSummary,
    Group,
    GroupSnapshot,
    HostSample,
    Sample,
)
from engine.watch.disks import Disks
from engine.watch.groups.recognise import Recognised, recognise
from engine.watch.groups.tree import Node, Tree
from engine.watch.kept import Budget, Gone, Spare
from engine.watch.reader import Reader

ROUND = 30  # ticks in which every group is looked at closely once: processes, quota, controllers
AT_ONCE = 50  # that are looked at before their turn
SHOWN = 255  # characters of a name


class Groups:
    """All cgroups below the hierarchy's mount points.

    `tick` may run in another thread; `groups` and `samples` are replaced as a whole at its end, keyed by Group.id,
    parents first. What a container of this engine's own uses is taken from the containers' samples, not read twice.
    """

    def __init__(self, own: OwnGroup, budget: Budget, disks: Disks) -> None:
        self.groups = dict[str, Group]()
        self.samples = dict[str, Sample]()
        self.nodes = dict[str, Node]()
        self._instance = own.name
        self._budget = Spare(budget)
        self._disks = disks
        self._tree = Tree(own.hierarchy, self._budget)
        self._known = dict[Node, _Known]()
        self._ids = dict[str, Node]()
        self._due = list[Node]()  # to be looked at closely, in turn
        self._stirring = list[Node]()  # and before their turn: new, or with other processes than before
        self.seq = 0
        self._at = 0.0

    def tick(
        self, host: HostSample, own: Mapping[str, Sample], summaries: Mapping[str, ContainerSummary]
    ) -> None:
        """Find, read and tell. `own` are the samples of this engine's containers, `summaries` what they are."""
        self._at, self.seq = time.time(), self.seq + 1
        self._tree.look()
        for node in self._tree.gone:
            self._drop(node)
        for node in self._tree.new:
            self._take(node)
        self._look_closely()
        samples = dict[str, Sample]()
        for node, known in self._known.items():
            sample = self._sample(node, known, host, own)
            if sample is not None:
                before = self.samples.get(known.id)
                if sample.pids != (before and before.pids):
                    self._stirring.append(node)
                samples[known.id] = before if sample == before and before is not None else sample
        self._tell(summaries)
        self.samples = samples

    def snapshot(self, interval: float) -> GroupSnapshot:
        """The tree as of the last tick."""
        return GroupSnapshot(
            seq=self.seq,
            at=self._at,
            interval=interval,
            groups=list(self.groups.values()),
            samples=self.samples,
            omitted=self._tree.omitted,
        )

    def close(self) -> None:
        """Give all descriptors back."""
        for known in self._known.values():
            known.close()
        self._known.clear()
        self._tree.close()

    def _take(self, node: Node) -> None:
        if node in self._known or not node.sides:
            return
        id = GROUP_PREFIX + shown("/" + node.path)
        while id in self._ids:  # two names that differ only in what cannot be shown
            id += "'"
        self._ids[id] = node
        self._known[node] = known = _Known(id, recognise(node.path))
        self._close_look(node, known)
        self._stirring.append(node)

    def _drop(self, node: Node) -> None:
        known = self._known.pop(node, None)
        if known is not None:
            known.close()
            self._ids.pop(known.id, None)

    def _look_closely(self) -> None:
        if not self._due:
            self._due = list(self._known)
        number = len(self._known) // ROUND + 1
        turn, self._due = self._due[:number], self._due[number:]
        stirring, self._stirring = self._stirring[:AT_ONCE], self._stirring[AT_ONCE:]
        for node in [*stirring, *turn]:
            if known := self._known.get(node):
                if self._tree.remask(node):
                    known.close()
                self._close_look(node, known)

    def _close_look(self, node: Node, known: _Known) -> None:
        hierarchy = node.hierarchy
        if hierarchy is None or not node.mounts:
            return
        folder = f"{node.mounts[0]}/{node.path}"
        pids = read_or(f"{folder}/cgroup.procs").split()
        known.processes = len(pids)
        pid = int(pids[0]) if pids else 0
        if pid != known.pid:
            known.pid, known.command = pid, shown(read_or(f"/proc/{pid}/comm")) if pid else ""
        place = hierarchy.place("cpu", node.path)
        if place and node.path:
            cpus, _, idle = Cpu(place).readings()
            known.cpus = cpus.value if isinstance(cpus.value, float) else None
            known.idle = idle.value is True
        freezer = hierarchy.freezer(node.path)
        if freezer is None or not node.path:
            known.frozen = False
        elif freezer.version == 1:
            known.frozen = read_or(f"{freezer.folder}/freezer.state") == "FROZEN"
        else:
            known.frozen = "frozen 1" in read_or(f"{freezer.folder}/cgroup.events")

    def _sample(
        self, node: Node, known: _Known, host: HostSample, own: Mapping[str, Sample]
    ) -> Sample | None:
        if not node.path:
            return of_host(host)
        if node.parent is not None and node.parent.path == self._instance and known.what.ref:
            return own.get(known.what.ref)
        if known.reader is None and node.hierarchy is not None:
            known.reader = Reader(node.hierarchy, node.path, self._budget, self._disks)
        try:
            return known.reader.sample() if known.reader else None
        except Gone:
            known.close()
            self._tree.stale(node)
            return None

    def _tell(self, summaries: Mapping[str, ContainerSummary]) -> None:
        groups, nodes = dict[str, Group](), dict[str, Node]()
        processes = dict[Node, int]()
        ordered = list(self._tree.root.all())
        for node in reversed(ordered):
            if known := self._known.get(node):
                processes[node] = total = processes.get(node, 0) + known.processes
                above = node.parent
                if above is not None and above.mounts[:1] == node.mounts[:1]:  # else counted twice
                    processes[above] = processes.get(above, 0) + total
        for node in ordered:
            known = self._known.get(node)
            if known is None:
                continue
            inside = ""
            if node.parent is not None and (outer := self._known.get(node.parent)):
                inside = outer.id if outer.what.kind == "container" else outer.inside
            known.inside = inside
            group = self._group(node, known, processes.get(node, 0), summaries)
            before = self.groups.get(known.id)
            groups[known.id] = before if before == group and before is not None else group
            nodes[known.id] = node
        self.groups, self.nodes = groups, nodes

    def _group(
        self, node: Node, known: _Known, processes: int, summaries: Mapping[str, ContainerSummary]
    ) -> Group:
        what = known.what
        instance = node.path.partition("/")[0] if what.engine == "tiffin" else ""
        name, image = shown(what.name), ""
        if instance == self._instance and (summary := summaries.get(what.ref)):
            name, image = summary.name, summary.image
        parent = self._known.get(node.parent) if node.parent else None
        return Group(
            id=known.id,
            path=known.id.removeprefix(GROUP_PREFIX),
            parent=parent.id if parent else "",
            kind=what.kind,
            name=name,
            engine=what.engine,
            ref=shown(what.ref),
            image=image,
            instance=instance,
            own=instance == self._instance,
            inside=known.inside,
            command=known.command,
            pid=known.pid,
            processes=processes,
            cpus=known.cpus,
            idle=known.idle,
            frozen=known.frozen,
        )


class _Known:
    """What is known of a node beside its place in the tree."""

    __slots__ = (
        "command", "cpus", "frozen", "id", "idle", "inside", "pid", "processes", "reader", "what",
    )  # fmt: skip

    def __init__(self, id: str, what: Recognised) -> None:
        self.id = id
        self.what = what
        self.reader: Reader | None = None
        self.inside = ""
        self.command = ""
        self.pid = 0
        self.processes = 0
        self.cpus: float | None = None
        self.idle = False
        self.frozen = False

    def close(self) -> None:
        """Give its descriptors back; it is read anew the next time."""
        if self.reader is not None:
            self.reader.close()
            self.reader = None


def shown(name: str) -> str:
    """A name as it can be printed and sent: anybody who may make cgroups chooses their bytes."""
    if name.isprintable():
        return name[:SHOWN] if "/" not in name else name
    data = os.fsencode(name)
    raw = data.decode(errors="backslashreplace")
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in raw)
    return text[:SHOWN] if "/" not in text else text


def of_host(host: HostSample) -> Sample:
    """The machine's sample as the root cgroup's."""
    return Sample(
        cpu=host.cpu,
        cpu_some=host.cpu_some,
        memory=host.memory,
        cache=host.cache,
        memory_some=host.memory_some,
        memory_full=host.memory_full,
        io_read=host.io_read,
        io_write=host.io_write,
        io_some=host.io_some,
        io_full=host.io_full,
        net_rx=host.net_rx,
        net_tx=host.net_tx,
    )
