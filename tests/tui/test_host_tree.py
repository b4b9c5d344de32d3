"""The host tree on a scripted engine: folded, filtered, sorted, acted upon, a thousand rows."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
from deck import Deck, deck

from engine.model import Group, GroupApplied, GroupSnapshot, Limits, PutBack, Sample


def group(path: str, name: str = "", **fields: Any) -> Group:
    parent = path.rpartition("/")[0] or "/"
    return Group(
        id=f"cgroup:{path}",
        path=path,
        parent="" if path == "/" else f"cgroup:{parent}",
        name=name or path.rpartition("/")[2] or "/",
        processes=fields.pop("processes", 1),
        **fields,
    )


def some() -> list[Group]:
    return [
        group("/", kind="root"),
        group("/docker", kind="slice", engine="docker"),
        group("/docker/abc", "web", kind="container", engine="docker", image="nginx"),
        group("/empty.service", kind="service", processes=0),
        group("/system.slice", kind="slice", engine="systemd"),
        group("/system.slice/ssh.service", "ssh", kind="service", engine="systemd"),
        group("/system.slice/cron.service", "cron", kind="service", engine="systemd"),
    ]


class Tree:
    """What the engine says of the host, and what it was asked to do."""

    def __init__(self, running: Deck, groups: list[Group]) -> None:
        self.deck = running
        self.groups = {one.id: one for one in groups}
        self.samples = {
            one.id: Sample(cpu=0.1 * index, memory=1 << 20, pids=1) for index, one in enumerate(groups)
        }
        self._more = threading.Semaphore(1)
        self._seq = 0
        self.ended = False
        fake: Any = running.link.fake
        fake.groups_live, fake.group_freeze, fake.group_thaw = self._live, self._freeze, self._thaw
        fake.group_put_back = self._put_back
        self.asked = list[tuple[str, ...]]()

    def _live(self) -> Iterator[GroupSnapshot]:
        while not self.ended:
            self._more.acquire()
            self._seq += 1
            yield GroupSnapshot(
                seq=self._seq,
                at=1e9 + self._seq,
                interval=1.0,
                groups=list(self.groups.values()),
                samples=self.samples,
            )

    async def tick(self) -> None:
        seen = self.deck.app.host_tree.snapshot
        self._more.release()
        await self.deck.until(lambda: self.deck.app.host_tree.snapshot is not seen)
        await self.deck.pilot.pause()

    def change(self, id: str, **fields: Any) -> None:
        self.groups[id] = msgspec.structs.replace(self.groups[id], **fields)

    def _freeze(self, id: str, consent: str) -> GroupApplied:
        return self._done("freeze", id, consent, True)

    def _thaw(self, id: str, consent: str) -> GroupApplied:
        return self._done("thaw", id, consent, False)

    def _done(self, verb: str, id: str, consent: str, frozen: bool) -> GroupApplied:
        self.asked.append((verb, id, consent))
        self.change(id, frozen=frozen, changed=frozen)
        one = self.groups[id]
        return GroupApplied(
            id=id, path=one.path, name=one.name, before=Limits(), after=Limits(), readings=[], was_frozen=not frozen,
            frozen=frozen, undo_left=1,
        )  # fmt: skip

    def _put_back(self, id: str = "") -> list[PutBack]:
        self.asked.append(("put_back", id))
        return [PutBack(id=id, path=id, name="web", before=Limits(), after=Limits())]


@asynccontextmanager
async def host(
    folder: Path, groups: list[Group] | None = None, **how: Any
) -> AsyncIterator[tuple[Deck, Tree]]:
    async with deck(folder, **how) as running:
        tree = Tree(running, some() if groups is None else groups)
        await running.press("4")
        await running.until(lambda: "this machine" in running.text())
        yield running, tree
        tree.ended = True
        tree._more.release()


def names(running: Deck) -> list[str]:
    """The names in the tree, from above."""
    return [branch.group.name for branch in running.app.host_tree.branches.values()]


async def test_third_view_and_back(tmp_path: Path) -> None:
    async with host(tmp_path) as (running, _):
        assert names(running) == ["/", "docker", "web", "system.slice", "cron", "ssh"]
        assert "├ ▾ docker" in running.text()
        assert "│ └ web" in running.text()
        assert running.app.settings.view == "tree"
        await running.press("v")
        assert running.app.settings.view == "panes"
        await running.press("v", "v")  # table, then the tree again
        assert running.app.settings.view == "tree"
        await running.until(lambda: "this machine" in running.text())
        await running.press("escape")
        assert running.app.settings.view == "table"


async def test_fold_unfold_filter_and_empty_ones(tmp_path: Path) -> None:
    async with host(tmp_path) as (running, tree):
        await running.press("j", "left")
        assert names(running) == ["/", "docker", "system.slice", "cron", "ssh"]
        assert "▸ docker" in running.text()
        await tree.tick()
        assert "web" not in names(running)
        await running.press("right", "right")
        assert "/docker/abc" in running.line("cgroups")  # on the first below it
        await running.press("left")
        assert "· /docker" in running.line("cgroups")
        await running.press("z")
        assert names(running) == ["/", "docker", "system.slice"]
        await running.press("z", "e")
        assert "empty.service" in names(running)
        await running.press("slash", *"ssh", "enter")
        assert names(running) == ["/", "system.slice", "ssh"]
        await running.press("escape")
        assert "web" in names(running)


async def test_order_and_a_cursor_that_stays(tmp_path: Path) -> None:
    async with host(tmp_path) as (running, tree):
        await running.press("G")
        assert "ssh.service" in running.line("cgroups")
        await running.press("greater_than_sign")
        while running.app.screen.table.sort != "cpu":  # type: ignore[attr-defined]
            await running.press("greater_than_sign")
        assert names(running) == ["/", "system.slice", "cron", "ssh", "docker", "web"]
        assert "ssh.service" in running.line("cgroups")
        del tree.groups["cgroup:/system.slice/ssh.service"]
        await tree.tick()
        assert "ssh" not in names(running)
        assert running.line("cgroups").count("/")


async def test_freezing_asks_and_names_it(tmp_path: Path) -> None:
    async with host(tmp_path) as (running, tree):
        await running.press("j", "j", "p")
        await running.until(lambda: "Freeze docker's container web?" in running.text())
        assert "/docker/abc" in running.text()
        assert "not tiffin's" in running.text()
        await running.press("n")
        assert tree.asked == []
        await running.press("p")
        await running.press("y")
        await running.until(lambda: tree.asked)
        assert tree.asked == [("freeze", "cgroup:/docker/abc", "/docker/abc")]
        await tree.tick()
        assert "changed by tiffin: web" in running.text()
        assert "[frozen]" in running.text()
        await running.press("b")
        await running.until(lambda: len(tree.asked) == 2)
        assert tree.asked[1] == ("put_back", "cgroup:/docker/abc")
        await running.press("p")
        await running.until(lambda: "Thaw docker's container web?" in running.text())
        await running.press("escape")


async def test_read_only_refuses(tmp_path: Path) -> None:
    async with host(tmp_path, read_only=True) as (running, tree):
        await running.press("j", "j", "p", "b", "B", "u")
        assert tree.asked == []
        assert any("read-only" in notice for notice in running.notices)


async def test_a_thousand_rows(tmp_path: Path) -> None:
    many = [group("/", kind="root"), *(group(f"/{n:04}.service", kind="service") for n in range(1000))]
    async with host(tmp_path, many) as (running, tree):
        began = perf_counter()
        for _ in range(20):
            await running.press("j")
        keys = (perf_counter() - began) / 20
        began = perf_counter()
        await tree.tick()
        ticked = perf_counter() - began
        assert keys < 0.5, keys  # seconds; some ten ms where the machine is free
        assert ticked < 3, ticked
        assert "/0019.service" in running.line("cgroups")


async def test_at_80_by_24_the_names_are_legible(tmp_path: Path) -> None:
    async with host(tmp_path, size=(80, 24)) as (running, _):
        line = running.line("cron")
        assert "├ cron" in running.text()
        assert len(line) <= 80
        assert "? keys" in running.text()
