"""The host's cgroups as an outline: who is below whom, in what order, and what they are called."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import msgspec

from engine.model import Group, Sample

ENDS = ("├ ", "└ ")
LINES = ("│ ", "  ")
NO_SAMPLE = Sample()

KIND_GLYPHS = {
    "root": "⌂", "slice": "▤", "service": "◆", "scope": "◇", "session": "☰", "user": "☺",
    "pod": "◫", "container": "●", "helper": "·", "group": "○",
}  # fmt: skip

Key = Callable[[Group, Sample], Any]

SORTS: dict[str, Key] = {
    "name": lambda group, sample: group.name.lower(),
    "cpu": lambda group, sample: -(sample.cpu or 0),
    "stall": lambda group, sample: -(sample.cpu_some or 0),
    "memory": lambda group, sample: -(sample.memory or 0),
    "io": lambda group, sample: -((sample.io_read or 0) + (sample.io_write or 0)),
    "net": lambda group, sample: -((sample.net_rx or 0) + (sample.net_tx or 0)),
    "processes": lambda group, sample: -group.processes,
}
"""What siblings can be sorted by, each the way it is wanted first."""


class Branch(msgspec.Struct, frozen=True):
    """One line of the outline."""

    group: Group
    guides: str  # the lines that lead to it, two cells a level
    parent_of: int  # how many are directly below it, shown or not
    folded: bool = False

    @property
    def depth(self) -> int:
        """How many are above it."""
        return len(self.guides) // 2


def outline(
    groups: Iterable[Group],
    samples: Mapping[str, Sample],
    key: Key = SORTS["name"],
    *,
    descending: bool = False,
    folded: Collection[str] = (),
    text: str = "",
    empty: bool = True,
) -> list[Branch]:
    """The lines to be shown, parents before their children, siblings sorted.

    With a `text` only what matches it, and what is above that, whatever is folded. Without `empty`, nothing that has
    no process in it or below it, unless tiffin changed it.
    """
    below = dict[str, list[Group]]()
    roots, matching = list[Group](), set[str]()
    known = {group.id: group for group in groups}
    for group in known.values():
        if not empty and not group.processes and not group.changed and group.kind != "root":
            continue
        (below.setdefault(group.parent, []) if group.parent in known else roots).append(group)
        if text and matches(group, text):
            matching.add(group.id)
    kept = set(matching)
    for id in matching:
        above = known[id].parent
        while above in known and above not in kept:
            kept.add(above)
            above = known[above].parent
    lines = list[Branch]()

    def sort_key(group: Group) -> tuple[Any, ...]:
        return (key(group, samples.get(group.id, NO_SAMPLE)), group.path)

    def add(siblings: list[Group], guides: str, top: bool) -> None:
        shown = [group for group in siblings if not text or group.id in kept]
        shown.sort(key=sort_key, reverse=descending)
        for index, group in enumerate(shown):
            last = index == len(shown) - 1
            children = below.get(group.id, [])
            is_folded = group.id in folded and not text and bool(children)
            lines.append(Branch(group, guides + ("" if top else ENDS[last]), len(children), is_folded))
            if children and not is_folded:
                add(children, guides + ("" if top else LINES[last]), False)

    add(roots, "", True)
    return lines


def matches(group: Group, text: str) -> bool:
    """Whether a filter's text is in what one would look for it by."""
    text = text.lower()
    return any(
        text in part.lower()
        for part in (group.name, group.path, group.engine, group.image, group.command, group.kind)
    )


def title(group: Group) -> str:
    """A group's name in one line of the outline."""
    return "this machine" if group.kind == "root" else group.name or group.path.rpartition("/")[2]


def whose(group: Group) -> str:
    """What it is and whose, for a question that names it: "docker's container web"."""
    what = group.kind if group.kind != "group" else "cgroup"
    owner = f"{group.engine}'s " if group.engine else "the "
    return f"{owner}{what} {group.name}"
