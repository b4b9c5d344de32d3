"""Changed paths as a tree that folds; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from engine.model import Change

Kind = Literal["added", "modified", "deleted"]
KINDS: tuple[Kind, ...] = ("modified", "added", "deleted")
UNFOLDED = 60  # rows from which a tree is shown folded at first


class Tally(msgspec.Struct, frozen=True):
    """How much was changed below a path: what has nothing below itself counts, so that no folder does twice."""

    added: int = 0
    modified: int = 0
    deleted: int = 0
    written: int = 0  # bytes of what was added or changed

    @property
    def paths(self) -> int:
        """All of them."""
        return self.added + self.modified + self.deleted

    def of(self, kind: Kind) -> int:
        """Those of one kind."""
        return {"added": self.added, "modified": self.modified, "deleted": self.deleted}[kind]


class Node(msgspec.Struct, frozen=True):
    """One row. Folders with a single folder in them share a row: "usr/lib/x86_64-linux-gnu"."""

    path: str
    label: str
    depth: int
    change: Change | None  # None: only what is below it was changed
    tally: Tally
    folder: bool  # there is something below it
    folded: bool = False


class _Place:
    __slots__ = ("change", "children", "name", "path", "tally")

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self.path = path
        self.change: Change | None = None
        self.children: dict[str, _Place] = {}
        self.tally = Tally()


class Tree:
    """The changes of one container."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self._root = _Place("", "")
        for change in changes:
            place = self._root
            for name in change.path.strip("/").split("/"):
                if name not in place.children:
                    place.children[name] = _Place(name, f"{place.path}/{name}")
                place = place.children[name]
            place.change = change
        self.tally = _count(self._root)

    def rows(self, folded: set[str]) -> list[Node]:
        """A row for each place in view, those below a folded path left out."""
        rows: list[Node] = []
        _walk(self._root, 0, folded, rows)
        return rows

    def folders(self) -> set[str]:
        """The paths that fold."""
        return {node.path for node in self.rows(set()) if node.folder}

    def folded_at_first(self) -> set[str]:
        """Where there is more than fits a look, only the topmost folders are open."""
        rows = self.rows(set())
        if len(rows) <= UNFOLDED:
            return set()
        return {node.path for node in rows if node.folder and node.depth}

    def mostly(self, most: int = 3) -> list[tuple[str, int]]:
        """The folders, two names deep, with most changes in them."""
        found = Counter[str]()
        for first in self._root.children.values():
            for second in first.children.values():
                found[second.path if second.children else first.path] += second.tally.paths
        return found.most_common(most)


def flat(changes: Sequence[Change]) -> list[Node]:
    """A row for each changed path, as they come; folders that only hold other changes are left out."""
    tree = Tree(changes)
    leaves = {node.path for node in tree.rows(set()) if not node.folder}
    return [
        Node(change.path, change.path.lstrip("/"), 0, change, Tally(), False)
        for change in changes
        if change.path in leaves or change.kind != "modified"
    ]


def _count(place: _Place) -> Tally:
    """Tally every place below, and it."""
    if not place.children:
        change = place.change
        if change is None:
            return place.tally
        place.tally = Tally(
            added=change.kind == "added",
            modified=change.kind == "modified",
            deleted=change.kind == "deleted",
            written=change.size if change.kind != "deleted" else 0,
        )
        return place.tally
    each = [_count(child) for child in place.children.values()]
    place.tally = Tally(*(sum(getattr(one, field) for one in each) for field in Tally.__struct_fields__))
    return place.tally


def _walk(place: _Place, depth: int, folded: set[str], rows: list[Node]) -> None:
    for child in sorted(place.children.values(), key=lambda child: child.name):
        label = child.name
        while len(child.children) == 1 and _only_holds(child):
            (only,) = child.children.values()
            if not only.children:
                break
            child = only
            label += f"/{child.name}"
        is_folded = bool(child.children) and child.path in folded
        rows.append(
            Node(child.path, label, depth, child.change, child.tally, bool(child.children), is_folded)
        )
        if not is_folded:
            _walk(child, depth + 1, folded, rows)


def _only_holds(place: _Place) -> bool:
    return place.change is None or place.change.kind == "modified"
