"""Every cgroup of the host, sampled each tick and told as nouns."""

from __future__ import annotations

import threading
import time
from collections import deque
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
from engine.watch.groups.absent import absent
from engine.watch.groups.naming import Named, Names, Unnamed
from engine.watch.groups.recognise import Recognised, recognise
from engine.watch.groups.traffic import namespace, traffic
from engine.watch.groups.tree import Node, Tree
from engine.watch.kept import Budget, Gone, Spare
from engine.watch.reader import Reader

ROUND = 30  # ticks in which every group is looked at closely once: processes, quota, controllers
YOUNG = 4  # looks, in as many ticks, at a new one
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
        self.hierarchy = own.hierarchy
        self.changed = frozenset[str]()  # ids of what tiffin changed and can put back
        self._instance = own.name
        self._budget = Spare(budget)
        self._disks = disks
        self._tree = Tree(own.hierarchy, self._budget)
        self._known = dict[Node, _Known]()
        self._ids = dict[str, Node]()
        self._network = namespace("self")
        self._names = Names()
        self._absent = dict[int, dict[str, str]]()  # by id() of a mask, which are few and the tree keeps
        self._ordered = list[tuple[Node, _Known]]()  # parents first
        self._due = list[Node]()  # to be looked at closely, in turn
        self._stirring = deque[Node]()  # and before their turn: new, or with other processes than before
        self._ticking = threading.Lock()
        self._closed = False
        self.seq = 0
        self._at = 0.0

    def tick(
        self, host: HostSample, own: Mapping[str, Sample], summaries: Mapping[str, ContainerSummary]
    ) -> None:
        """Find, read and tell. `own` are the samples of this engine's containers, `summaries` what they are.

        Once closed it does nothing.
        """
        with self._ticking:
            if not self._closed:
                self._tick(host, own, summaries)

    def node(self, id: str) -> Node | None:
        """Where one is; None where it has gone."""
        return self._ids.get(id)

    def stir(self, id: str) -> None:
        """Something of it was changed: look at it closely at the next tick."""
        if node := self._ids.get(id):
            self._stirring.appendleft(node)

    def unnamed(self) -> list[Unnamed]:
        """The containers and pods whose names their engines have to be asked for."""
        return [
            Unnamed(known.what.engine, known.what.ref, known.what.uid, known.group.instance)
            for known in self._known.values()
            if known.what.ref and known.group and not known.group.own and known.what.ref not in self._names
        ]

    def name(self, names: Names) -> None:
        """Take in what was found out, for the next tick."""
        # at once: a tick may be under way in another thread
        known = {known.what.ref for known in list(self._known.values())}
        self._names = {ref: named for ref, named in {**self._names, **names}.items() if ref in known}

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
        """Give all descriptors back for good, after a tick that may be under way in another thread."""
        with self._ticking:
            self._closed = True
            for known in self._known.values():
                known.close()
            self._known.clear()
            self._tree.close()

    def _tick(
        self, host: HostSample, own: Mapping[str, Sample], summaries: Mapping[str, ContainerSummary]
    ) -> None:
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
        stirring = [self._stirring.popleft() for _ in range(min(len(self._stirring), AT_ONCE))]
        for node in [*stirring, *turn]:
            if known := self._known.get(node):
                if self._tree.remask(node):
                    known.close()
                self._close_look(node, known)
                known.looks += 1
                if (
                    known.looks < YOUNG
                ):  # what was just made is about to be filled, and to become another program
                    self._stirring.append(node)

    def _close_look(self, node: Node, known: _Known) -> None:
        hierarchy = node.hierarchy
        if hierarchy is None or not node.home:
            return
        folder = f"{node.home}/{node.path}"
        pids = read_or(f"{folder}/cgroup.procs").split()
        known.processes = len(pids)
        pid = int(pids[0]) if pids else 0
        known.pid, known.command = pid, shown(read_or(f"/proc/{pid}/comm")) if pid else ""
        known.group = None
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
        parent = node.parent
        if parent is None:
            return of_host(host)
        if known.what.ref and parent.path == self._instance:
            return own.get(known.what.ref)
        if known.reader is None and node.hierarchy is not None:
            known.reader = Reader(node.hierarchy, node.path, self._budget, self._disks)
        if known.reader is None:
            return None
        above = self._known[parent].reader
        # The kernel counts upwards: where nothing happened in the parent, nothing did below it.
        calm = above is not None and above.calm and parent.hierarchy is node.hierarchy
        if calm and (sample := known.reader.rest()):
            return sample
        try:
            return known.reader.sample(traffic(known.wired) if known.wired else None)
        except Gone:
            known.close()
            self._tree.stale(node)
            return None

    def _tell(self, summaries: Mapping[str, ContainerSummary]) -> None:
        if self._tree.new or self._tree.gone:
            self._ordered = [(node, self._known[node]) for node in self._tree.root.all()]
        for _, known in self._ordered:
            known.total, known.main = known.processes, (known.pid, known.command)
        for node, known in reversed(self._ordered):
            above = node.parent
            if above is not None and above.home == node.home:  # else counted twice
                outer = self._known[above]
                outer.total += known.total
                if not outer.pid and known.main[0]:
                    outer.main = known.main
        groups = dict[str, Group]()
        for node, known in self._ordered:
            told = self._told_of(known, summaries)
            if known.group is None or told != known.told:
                known.told = told
                self._wire(node, known)
                group = self._group(node, known)
                known.group = self.groups.get(known.id)
                if known.group != group:
                    known.group = group
            groups[known.id] = known.group
        self.groups = groups

    def _told_of(self, known: _Known, summaries: Mapping[str, ContainerSummary]) -> tuple[object, ...]:
        """What a group says that is not found by looking at it closely."""
        ref = known.what.ref
        return (
            known.total,
            known.main,
            ref and summaries.get(ref),
            ref and self._names.get(ref),
            known.id in self.changed,
        )

    def _wire(self, node: Node, known: _Known) -> None:
        """Find the network namespace of a container or pod: that of its first process."""
        known.wired, known.unwired = 0, ""
        if known.what.kind not in ("container", "pod"):
            known.unwired = "traffic is counted for containers, not for processes of the host"
        elif node.parent and self._known[node.parent].wired:
            known.unwired = "counted for its pod, whose network it shares"
        elif not known.main[0]:
            known.unwired = "it has no process"
        else:
            inside = namespace(known.main[0])
            if inside and inside != self._network:
                known.wired = known.main[0]
            else:
                known.unwired = (
                    "it uses the host's network" if inside else "its processes may not be looked at"
                )

    def _group(self, node: Node, known: _Known) -> Group:
        what, parent = known.what, self._known[node.parent] if node.parent else None
        instance = node.path.partition("/")[0] if what.engine == "tiffin" else ""
        _, _, summary, named, changed = known.told
        name, image, engine = what.name, "", what.engine
        if isinstance(summary, ContainerSummary) and instance == self._instance:
            name, image = summary.name, summary.image
        elif isinstance(named, Named):
            name, image, engine = named.name, named.image, named.engine or engine
        elif what.kind == "container" and known.main[1] and what.ref.startswith(name):
            name = f"{name} ({known.main[1]})"
        inside = ""
        if parent and parent.group:
            inside = parent.id if parent.what.kind == "container" else parent.group.inside
        return Group(
            id=known.id,
            path=known.id.removeprefix(GROUP_PREFIX),
            parent=parent.id if parent else "",
            kind=what.kind,
            name=shown(name),
            engine=shown(engine),
            ref=shown(what.ref),
            image=shown(image),
            instance=instance,
            own=instance == self._instance,
            inside=inside,
            command=known.main[1],
            pid=known.main[0],
            processes=known.total,
            cpus=known.cpus,
            idle=known.idle,
            frozen=known.frozen,
            changed=bool(changed),
            absent=self._absent_of(node, known),
        )

    def _absent_of(self, node: Node, known: _Known) -> dict[str, str]:
        if node.hierarchy is None or not node.path:
            return {}
        why = self._absent.get(id(node.hierarchy))
        if why is None:
            why = self._absent[id(node.hierarchy)] = absent(self.hierarchy, node.hierarchy)
        return {**why, "net": known.unwired} if known.unwired and known.what.kind == "container" else why


class _Known:
    """What is known of a node beside its place in the tree."""

    __slots__ = (
        "command", "cpus", "frozen", "group", "id", "idle", "looks", "main", "pid", "processes", "reader", "told",
        "total", "unwired", "what", "wired",
    )  # fmt: skip

    def __init__(self, id: str, what: Recognised) -> None:
        self.id = id
        self.what = what
        self.reader: Reader | None = None
        self.group: Group | None = None  # as told last; None: to be told anew
        self.told: tuple[object, ...] = (
            0,
            (0, ""),
            None,
            None,
            False,
        )  # what `group` was made of, see _told_of
        self.total = 0  # processes, in it and below
        self.main = (0, "")  # first process in it or below, and its name
        self.wired = 0  # a process in its network namespace; 0 where it has none of its own, or
        self.unwired = ""  # why not
        self.command = ""
        self.pid = 0
        self.processes = 0
        self.cpus: float | None = None
        self.idle = False
        self.looks = 0  # how often it was looked at closely
        self.frozen = False

    def close(self) -> None:
        """Give its descriptors back; it is read anew the next time."""
        if self.reader is not None:
            self.reader.close()
            self.reader = None


def shown(name: str) -> str:
    """A name as it can be printed and sent: anybody who may make cgroups or containers chooses its bytes."""
    if not name.isprintable():
        name = "".join(character if character.isprintable() else _escaped(character) for character in name)
    return name if "/" in name else name[:SHOWN]


def _escaped(character: str) -> str:
    byte = ord(character) - 0xDC00  # how os.fsdecode keeps what is not UTF-8
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else character.encode("unicode_escape").decode()


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
