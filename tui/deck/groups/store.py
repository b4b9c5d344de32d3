"""The tree as what the table draws: each line of the outline in the place of a container."""

from __future__ import annotations

from engine.model import ContainerState, ContainerSummary, Group, GroupSnapshot, Limits, Sample, Snapshot
from tui.deck.ordering import CALM
from tui.deck.store import NO_SAMPLE, Store
from tui.presentation.groups import SORTS, Branch, Key, outline, title

FOLDED, OPEN = "▸ ", "▾ "
COLUMNS: dict[str, Key] = {
    "name": SORTS["name"],
    "image": lambda group, sample: (group.kind, group.name),
    "of": lambda group, sample: (sample.cpu or 0) / (group.cpus or float("inf")),
    "cpus": lambda group, sample: group.cpus or float("inf"),
    "limit": lambda group, sample: sample.memory_limit or float("inf"),
    "minute": lambda group, sample: sample.cpu or 0,
    "cpu": lambda group, sample: sample.cpu or 0,
    "throttled": lambda group, sample: sample.throttled or 0,
    "stall": lambda group, sample: sample.cpu_some or 0,
    "memory": lambda group, sample: sample.memory or 0,
    "cache": lambda group, sample: sample.cache or 0,
    "read": lambda group, sample: sample.io_read or 0,
    "write": lambda group, sample: sample.io_write or 0,
    "rx": lambda group, sample: sample.net_rx or 0,
    "tx": lambda group, sample: sample.net_tx or 0,
    "pids": lambda group, sample: sample.pids or group.processes,
}
"""What siblings are sorted by, by the table's columns."""


class TreeStore(Store):
    """Groups in the place of containers, by Group.id; `branches` are the lines shown, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: dict[str, Group] = {}
        self.branches: dict[str, Branch] = {}
        self.folded: set[str] = set()
        self.text = ""
        self.empty = False  # show also what has no process
        self.omitted = 0
        self._newest: GroupSnapshot | None = None
        self._keys = dict[str, object]()  # by which each was sorted last
        self._sorted = (0.0, "", False)  # when, by what
        self._made = dict[str, tuple[Branch, int | None, ContainerSummary]]()

    @property
    def parents(self) -> set[str]:
        """The ids of all that have something below them."""
        return {group.parent for group in self.groups.values()}

    def take(self, newest: GroupSnapshot, main: Store, sort: str, descending: bool) -> None:
        """Take a newer tree; host and verdicts are those of the containers' store."""
        self._newest = newest
        self.arrange(main, sort, descending)

    def arrange(self, main: Store, sort: str, descending: bool) -> None:
        """Make the lines anew. Between two sortings every group keeps the key it was sorted by."""
        newest = self._newest
        if newest is None:
            return
        self.groups = {group.id: group for group in newest.groups}
        at, by, down = self._sorted
        if (by, down) != (sort, descending) or newest.at - at >= CALM:
            self._keys, self._sorted = {}, (newest.at, sort, descending)
        key, keys = COLUMNS.get(sort, COLUMNS["name"]), self._keys

        def kept(group: Group, sample: Sample) -> object:
            if group.id not in keys:
                keys[group.id] = key(group, sample)
            return keys[group.id]

        lines = outline(
            newest.groups, newest.samples, kept,
            descending=descending, folded=self.folded, text=self.text, empty=self.empty,
        )  # fmt: skip
        self.branches = {line.group.id: line for line in lines}
        self.omitted = newest.omitted
        shown = [self._as_container(line, newest.samples.get(line.group.id, NO_SAMPLE)) for line in lines]
        samples = {id: sample for id in self.branches if (sample := newest.samples.get(id))}
        self.apply(
            Snapshot(
                seq=newest.seq,
                at=newest.at,
                interval=newest.interval,
                host=main.host,
                containers=shown,
                samples=samples,
            )
        )
        self.signs = {
            group.id: main.signs.get(group.ref if group.own else group.id, "")
            for group in self.groups.values()
        }

    def _as_container(self, line: Branch, sample: Sample) -> ContainerSummary:
        id, limit = line.group.id, sample.memory_limit
        made = self._made.get(id)
        if made is not None and made[:2] == (line, limit):
            return made[2]
        group = line.group
        mark = (FOLDED if line.folded else OPEN) if line.parent_of else ""
        tag = " [frozen]" if group.frozen else " [changed]" if group.changed else ""
        summary = ContainerSummary(
            id=id,
            name=line.guides + mark + title(group) + tag,
            image=" ".join(part for part in (group.engine, group.kind) if part),
            image_id="",
            command=group.command,
            created_at=0,
            state=ContainerState(status="paused" if group.frozen else "running", pid=group.pid),
            limits=Limits(cpus=group.cpus, memory=limit, cpu_idle=group.idle),
        )
        self._made[id] = (line, limit, summary)
        if len(self._made) > 2 * len(self.groups) + 100:
            self._made = {id: made for id, made in self._made.items() if id in self.groups}
        return summary
