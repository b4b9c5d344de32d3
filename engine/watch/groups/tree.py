"""The tree of every cgroup, one node for each path, merged over the hierarchies.

Walking a thousand cgroups takes 20 ms, so it is done once. Then a folder that has children is asked every tick for
its number of links, which is two more than its subfolders (kernfs_refresh_inode() in fs/kernfs/inode.c), and only read
again where that moved. A folder without children rarely gets any: the v2 tree tells by the count of all descendants at
its root, v1's hierarchies are looked through in turns. A cgroup that was removed while another one appeared is found by
whoever reads its files, and told to `stale`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice

from engine.cgroups import Hierarchy
from engine.cgroups.files import read_or
from engine.watch import parse
from engine.watch.kept import Budget, Gone, Kept

MOST = 5000  # nodes
IN_TURN = (
    50  # folders of the first hierarchy, with or without children, looked at in a tick; of others a fifth
)


class Node:
    """One cgroup. `name` and `path` are the kernel's own, with bytes that are not UTF-8 as os.fsdecode gives them."""

    __slots__ = ("children", "hierarchy", "home", "name", "parent", "path", "sides")

    def __init__(self, parent: Node | None, name: str) -> None:
        self.parent = parent
        self.name = name
        self.path: str = "" if parent is None else f"{parent.path}/{name}" if parent.path else name
        self.children = dict[str, Node]()
        self.sides = set[str]()  # mount points of the hierarchies it is in
        self.hierarchy: Hierarchy | None = None  # those, as one
        self.home = ""  # the first of them, the v2 tree's where it is in that

    def all(self) -> Iterator[Node]:
        """It and what is below it, parents first."""
        yield self
        for child in self.children.values():
            yield from child.all()


class Tree:
    """All nodes below the mount points of a hierarchy."""

    def __init__(self, hierarchy: Hierarchy, budget: Budget, most: int = MOST) -> None:
        self.root = Node(None, "")
        self.count = 1
        self.omitted = 0  # cgroups beyond `most`
        self.new = list[Node]()  # since the last `look`, moved into another hierarchy too
        self.gone = list[Node]()
        self._most = most
        self._hierarchy = hierarchy
        self._masks = dict[tuple[frozenset[str], frozenset[str]], Hierarchy]()
        self._sides = [_Side(mount, budget) for mount in hierarchy.mounts]
        self._stale = set[Node]()
        self._walked = False
        descendants = f"{hierarchy.unified}/cgroup.stat" if hierarchy.unified else ""
        self._descendants = Kept(descendants, lambda data: parse.after(data, b"nr_descendants "), budget)
        self._walked_at: int | None = None  # descendants counted when the v2 tree was last walked

    def look(self) -> None:
        """Take in what has come and gone; `new` and `gone` tell."""
        self.new, self.gone = [], []
        if not self._walked:
            self._walked = True
            self._appear(self.root)
            for side in self._sides:
                self.root.sides.add(side.mount)
                self._scan(side, self.root)
            self._mask(self.root)
            self._walked_at = self._count_descendants()
            return
        stale, self._stale = self._stale, set()
        for side in self._sides:
            side.renew(stale)
            for node in [*side.moved(IN_TURN if side is self._sides[0] else IN_TURN // 5), *stale]:
                if side.mount in node.sides:
                    self._scan(side, node)
        counted = self._count_descendants()
        if counted != self._walked_at:
            side = self._sides[0]
            if counted is not None and counted != len(side.links) - 1 - self.omitted:
                side.renew(list(side.links))
                for node in list(side.links):
                    if side.mount in node.sides and side.links_of(node) != side.links[node]:
                        self._scan(side, node)
            self._walked_at = counted

    def stale(self, node: Node) -> None:
        """Its files have gone: look at its parent again."""
        self._stale.add(node.parent or node)

    def remask(self, node: Node) -> bool:
        """Look again which controllers a node has; whether they have changed."""
        before = node.hierarchy
        self._mask(node)
        return node.hierarchy is not before

    def close(self) -> None:
        """Give all descriptors back."""
        self._descendants.close()
        for side in self._sides:
            side.close()

    def _count_descendants(self) -> int | None:
        try:
            return self._descendants.read()
        except Gone:
            return None

    def _scan(self, side: _Side, node: Node) -> None:
        """Read a folder's subfolders anew, and walk into new ones."""
        names = side.read(node)
        if names is None:  # it has gone itself, and another may have come in its place
            if node.parent is not None:
                self._stale.add(node.parent)
                self._leave(side, node)
            return
        for name in [name for name, child in node.children.items() if side.mount in child.sides]:
            if name not in names:
                self._leave(side, node.children[name])
        for name in sorted(names):
            child = node.children.get(name)
            if child is None:
                if self.count >= self._most:
                    self.omitted += 1
                    continue
                child = node.children[name] = Node(node, name)
                self.count += 1
                self._appear(child)
            if side.mount not in child.sides:
                child.sides.add(side.mount)
                self._mask(child)
                self._scan(side, child)

    def _appear(self, node: Node) -> None:
        self.new.append(node)

    def _leave(self, side: _Side, node: Node) -> None:
        for child in list(node.children.values()):
            if side.mount in child.sides:
                self._leave(side, child)
        side.forget(node)
        node.sides.discard(side.mount)
        if node.sides:
            self._mask(node)
        elif node.parent is not None:
            node.parent.children.pop(node.name, None)
            self.count -= 1
            self.gone.append(node)

    def _mask(self, node: Node) -> None:
        """What of the hierarchies is there for this node; one object for all that have the same."""
        unified = self._hierarchy.unified
        controllers = frozenset[str]()
        if unified in node.sides:
            controllers = frozenset(read_or(f"{unified}/{node.path}/cgroup.controllers").split())
        key = (frozenset(node.sides), controllers)
        mask = self._masks.get(key)
        if mask is None:
            mask = self._masks[key] = self._hierarchy.within(*key)
        node.hierarchy, node.home = mask, mask.mounts[0]


class _Side:
    """One hierarchy's folders: how many links each had when it was last read."""

    def __init__(self, mount: str, budget: Budget) -> None:
        self.mount = mount
        self.links = dict[Node, int]()
        self._budget = budget
        self._parents = dict[Node, int]()  # those with subfolders, and a descriptor or -1
        self._turn: Iterator[Node] = iter(())

    def moved(self, in_turn: int) -> list[Node]:
        """The nodes whose number of subfolders changed: of all that had some, and of some that had none."""
        links = self.links
        found = [node for node in self._parents if self.links_of(node) != links[node]]
        turn = list(islice(self._turn, in_turn))
        if not turn:
            self._turn = iter(list(links))
        self.renew(turn)
        found += [node for node in turn if node in links and self.links_of(node) != links[node]]
        return list(dict.fromkeys(found))

    def links_of(self, node: Node) -> int:
        """Now; 0 where it has gone."""
        fd = self._parents.get(node, -1)
        try:
            return (os.fstat(fd) if fd >= 0 else os.stat(self.folder(node))).st_nlink
        except OSError:
            return 0

    def folder(self, node: Node) -> str:
        """Where it is."""
        return f"{self.mount}/{node.path}"

    def read(self, node: Node) -> set[str] | None:
        """The names of its subfolders; None where it has gone."""
        try:
            # Before the reading: what is made meanwhile is seen by the next look.
            links = os.stat(self.folder(node)).st_nlink
            with os.scandir(self.folder(node)) as entries:
                names = {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}
        except OSError:
            return None
        self.links[node] = links
        if not names:
            self._unkeep(node)
        elif node not in self._parents:
            self._parents[node] = self._keep(node)
        return names

    def renew(self, nodes: Iterable[Node]) -> None:
        """Look at the folders that have the names now, should they be others than those kept open."""
        for node in nodes:
            if node in self._parents:
                self._unkeep(node)
                self._parents[node] = self._keep(node)

    def forget(self, node: Node) -> None:
        """It is not in this hierarchy any more."""
        self.links.pop(node, None)
        self._unkeep(node)

    def close(self) -> None:
        """Give all descriptors back."""
        for node in list(self._parents):
            self._unkeep(node)

    def _keep(self, node: Node) -> int:
        if not self._budget.take():
            return -1
        try:
            return os.open(self.folder(node), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            self._budget.give()
            return -1

    def _unkeep(self, node: Node) -> None:
        fd = self._parents.pop(node, -1)
        if fd >= 0:
            os.close(fd)
            self._budget.give()
