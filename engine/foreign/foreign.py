"""The verbs on others' cgroups: each checks consent, records what was, acts, reads back, and tells it as an event."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import msgspec

from engine.cgroups import describe, restoring
from engine.cgroups.files import read_or
from engine.errors import BadRequest, Conflict, NotFound, NotPermitted, TiffinError
from engine.events import Events
from engine.foreign import refusing
from engine.foreign.caller import Caller
from engine.foreign.journal import DEPTH, Entry, Journal, State
from engine.foreign.other import Other
from engine.model import (
    Group,
    GroupApplied,
    GroupChange,
    LimitReading,
    LimitsApplied,
    LimitsChange,
    PutBack,
)
from engine.watch.groups import Groups

log = logging.getLogger(__name__)

Readings: TypeAlias = list[LimitReading]
Changes: TypeAlias = list[GroupChange]
UNIT = (".service", ".scope", ".slice", ".socket", ".mount")


class Foreign:
    """Everything tiffin does to cgroups that it did not make. A `ref` is an id, a path, or a name that only one has."""

    def __init__(self, state: Path, groups: Groups, events: Events) -> None:
        self._groups = groups
        self._events = events
        self._journal = Journal(state / "foreign.json", read_or("/proc/sys/kernel/random/boot_id"))
        self._locks = dict[str, asyncio.Lock]()
        self._mark()
        if left := self.changes():
            paths = ", ".join(change.path for change in left)
            log.warning("still changed from before: %s; `tiffin groups put-back` puts them back", paths)

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────────────

    def find(self, ref: str) -> Group:
        """The cgroup of an id, a path, or a name; raises NotFound, or BadRequest where several have that name."""
        groups = self._groups.groups
        for id in (ref, f"cgroup:{ref}", f"cgroup:/{ref}"):
            if id in groups:
                return groups[id]
        found = [group for group in groups.values() if ref and ref in _names(group)]
        if len(found) > 1:
            paths = ", ".join(group.path for group in found[:4])
            raise BadRequest(f"{len(found)} cgroups are called {ref}: {paths}", "give the path of one")
        if not found:
            raise NotFound(f"there is no cgroup {ref!r}", "`tiffin tree --all` lists those there are")
        return found[0]

    def cgroup(self, ref: str) -> Other:
        """Its cgroup; the root's raises BadRequest, for it has neither limits nor processes of its own to tell."""
        group = self.find(ref)
        if group.kind == "root":
            raise BadRequest("the root cgroup is the whole machine", refusing.TOUCH)
        return self._cgroup(group)

    def limits(self, ref: str) -> Readings:
        """Every limit as the kernel holds it, with the reason where there is none."""
        return self.cgroup(ref).readings()

    def changes(self) -> Changes:
        """What is changed now and could be put back."""
        self._forget_gone()
        return [
            GroupChange(
                id=entry.id,
                path=_shown(entry),
                name=entry.name,
                engine=entry.engine,
                at=entry.at,
                before=entry.first.limits,
                after=entry.after.limits,
                was_frozen=entry.first.frozen,
                frozen=entry.after.frozen,
                undo_left=len(entry.undo),
            )
            for entry in self._journal.entries.values()
        ]

    # ── acting ──────────────────────────────────────────────────────────────────────────────────────────────

    async def update(self, ref: str, change: LimitsChange, consent: str) -> GroupApplied:
        """Change limits. Nothing is changed where any part of it is refused."""

        def act(cgroup: Other) -> LimitsApplied:
            return cgroup.apply(change)

        return await self._act(ref, consent, "update", act)

    async def freeze(self, ref: str, consent: str, caller: Caller) -> GroupApplied:
        """Stop every process in it and below it."""

        def check(group: Group, cgroup: Other) -> None:
            refusing.freezing(group, cgroup, caller, self._groups.groups.values())
            if cgroup.frozen():
                raise Conflict(f"{group.path} is frozen already")

        return await self._act(ref, consent, "freeze", Other.freeze, check)

    async def thaw(self, ref: str, consent: str) -> GroupApplied:
        """Let its processes go on, whoever froze them."""

        def check(group: Group, cgroup: Other) -> None:
            if not cgroup.frozen():
                raise Conflict(f"{group.path} is not frozen")

        return await self._act(ref, consent, "thaw", Other.thaw, check)

    async def undo(self, ref: str) -> GroupApplied:
        """Take back the last thing that was done here; no consent is asked to put things as they were."""
        group = self.find(ref)
        async with self._lock(group.id):
            entry = self._journal.entries.get(group.id)
            if entry is None or not entry.undo:
                raise Conflict(f"tiffin has changed nothing of {group.path}")
            *earlier, wanted = entry.undo
            cgroup = self._cgroup(group)
            if not earlier:
                back = await self._put_back(entry)
                if back.problem:
                    raise TiffinError(back.problem, back.remedy)
                return self._applied(group, cgroup, State(back.before, back.was_frozen), back.frozen, 0)
            self._require_root(f"changing {group.path}")
            before = await asyncio.to_thread(_restore, cgroup, wanted)
            after = State(cgroup.limits(), cgroup.frozen())
            self._journal.keep(msgspec.structs.replace(entry, undo=earlier, after=after))
            self._tell("undo", group.id, group.name, before, after)
        return self._applied(group, cgroup, before, after.frozen, len(earlier))

    async def put_back(self, ref: str = "") -> list[PutBack]:
        """Put one, or everything, back as it was before tiffin first changed it."""
        entries = self._journal.entries
        ids = [self._changed(ref)] if ref else list(entries)
        results = list[PutBack]()
        for id in ids:
            async with self._lock(id):
                if id in entries:
                    results.append(await self._put_back(entries[id]))
        return results

    async def _act(
        self,
        ref: str,
        consent: str,
        action: str,
        act: Callable[[Other], LimitsApplied | None],
        check: Callable[[Group, Other], None] | None = None,
    ) -> GroupApplied:
        group = self.find(ref)
        refusing.any_act(group)
        self._require_root(f"changing {group.path}")
        cgroup = self._cgroup(group)
        if check is not None:
            check(group, cgroup)
        refusing.consented(group, consent)
        async with self._lock(group.id):
            entry = self._entry(group, cgroup)
            before = State(cgroup.limits(), cgroup.frozen())
            undo = [*entry.undo, before][-DEPTH:]
            self._journal.keep(msgspec.structs.replace(entry, undo=undo))
            try:
                await asyncio.to_thread(act, cgroup)
            except BaseException:
                if entry.undo:
                    self._journal.keep(entry)
                else:
                    self._journal.drop(entry.id)
                raise
            after = State(cgroup.limits(), cgroup.frozen())
            if after == before:
                undo = entry.undo
            self._journal.keep(msgspec.structs.replace(entry, undo=undo, after=after))
            if not undo or (after == entry.first and cgroup.exact() == entry.exact):
                self._journal.drop(entry.id)
            self._tell(action, group.id, group.name, before, after)
        left = len(undo) if entry.id in self._journal.entries else 0
        return self._applied(group, cgroup, before, after.frozen, left)

    async def _put_back(self, entry: Entry) -> PutBack:
        """Its lock is held."""
        cgroup = self._of(entry)
        if cgroup is None:
            self._journal.drop(entry.id)
            self._mark()
            limits = entry.after.limits
            return PutBack(
                id=entry.id, path=_shown(entry), name=entry.name, before=limits, after=limits, gone=True
            )
        problem = remedy = ""
        before, after = entry.after, entry.after
        try:
            self._require_root(f"changing {_shown(entry)}")
            before = await asyncio.to_thread(_restore, cgroup, entry.first)
            await asyncio.to_thread(cgroup.restore_exact, entry.exact)
            after = State(cgroup.limits(), cgroup.frozen())
            self._journal.drop(entry.id)
            self._tell("put-back", entry.id, entry.name, before, after)
        except TiffinError as error:
            problem, remedy = error.message, error.remedy
        return PutBack(
            id=entry.id,
            path=_shown(entry),
            name=entry.name,
            before=before.limits,
            after=after.limits,
            was_frozen=before.frozen,
            frozen=after.frozen,
            problem=problem,
            remedy=remedy,
        )

    # ── within ──────────────────────────────────────────────────────────────────────────────────────────────

    def _entry(self, group: Group, cgroup: Other) -> Entry:
        """The record of what is changed there already, or a new one."""
        entry = self._journal.entries.get(group.id)
        if entry is not None and entry.inode == cgroup.inode():
            return entry
        first = State(cgroup.limits(), cgroup.frozen())
        return Entry(
            id=group.id,
            path=os.fsencode(cgroup.path),
            name=group.name,
            engine=group.engine,
            inode=cgroup.inode(),
            at=time.time(),
            first=first,
            exact=cgroup.exact(),
            after=first,
        )

    def _cgroup(self, group: Group) -> Other:
        node = self._groups.node(group.id)
        if node is None or node.hierarchy is None or not node.path:
            raise NotFound(f"the cgroup {group.path} has ended", "`tiffin tree --all` lists those there are")
        return Other(self._groups.hierarchy, node.hierarchy, node.path)

    def _of(self, entry: Entry) -> Other | None:
        """The very cgroup that was changed; None where it has ended, also when there is another of its path now."""
        path = os.fsdecode(entry.path)
        host = self._groups.hierarchy
        mounts = {mount for mount in host.mounts if os.path.isdir(f"{mount}/{path}")}
        if not mounts:
            return None
        controllers = read_or(f"{host.unified}/{path}/cgroup.controllers").split()
        cgroup = Other(host, host.within(mounts, controllers), path)
        return cgroup if cgroup.inode() == entry.inode else None

    def _changed(self, ref: str) -> str:
        """The id of one that is changed, by its id, path or name; raises NotFound."""
        for entry in self._journal.entries.values():
            if ref in (entry.id, _shown(entry), entry.name):
                return entry.id
        raise NotFound(f"tiffin has changed nothing of {ref!r}", "`tiffin groups changes` lists what it has")

    def _forget_gone(self) -> None:
        for entry in list(self._journal.entries.values()):
            if self._of(entry) is None:
                self._journal.drop(entry.id)
        self._mark()

    def _mark(self) -> None:
        self._groups.changed = frozenset(self._journal.entries)

    def _tell(self, action: str, id: str, name: str, before: State, after: State) -> None:
        said = describe(before.limits, after.limits)
        if before.frozen != after.frozen:
            said["frozen"] = f"{before.frozen} → {after.frozen}"
        self._events.emit("cgroup", action, id, name, said)
        self._mark()
        self._groups.stir(id)

    def _applied(
        self, group: Group, cgroup: Other, before: State, frozen: bool, undo_left: int
    ) -> GroupApplied:
        return GroupApplied(
            id=group.id,
            path=group.path,
            name=group.name,
            before=before.limits,
            after=cgroup.limits(),
            readings=cgroup.readings(),
            was_frozen=before.frozen,
            frozen=frozen,
            undo_left=undo_left,
            note=_note(group),
        )

    def _lock(self, id: str) -> asyncio.Lock:
        return self._locks.setdefault(id, asyncio.Lock())

    def _require_root(self, doing: str) -> None:
        if os.geteuid() != 0:
            raise NotPermitted(f"{doing} needs root, but this engine runs as user {os.geteuid()}", "use sudo")


def _restore(cgroup: Other, wanted: State) -> State:
    """Put limits and freezer as they were; how they were until now."""
    before = State(cgroup.limits(), cgroup.frozen())
    if before.frozen and not wanted.frozen:
        cgroup.thaw()  # first: memory of what stands still cannot always be reclaimed
    cgroup.apply(restoring(wanted.limits, before.limits))
    if wanted.frozen and not before.frozen:
        cgroup.freeze()
    return before


def _names(group: Group) -> set[str]:
    """All that somebody may call it by."""
    last = group.path.rpartition("/")[2]
    return {group.name, last, group.ref, group.ref[:12]} - {""}


def _shown(entry: Entry) -> str:
    return entry.id.removeprefix("cgroup:")


def _note(group: Group) -> str:
    """Who else writes the same files."""
    unit = group.path.rpartition("/")[2]
    if unit.endswith(UNIT) and os.path.isdir("/run/systemd/system"):
        return (
            f"systemd owns {unit} and may write its own values again, at a daemon-reload or when the unit is changed; "
            f"`systemctl set-property --runtime {unit} …` goes through it"
        )
    if group.kind == "container" and group.engine and group.engine != "tiffin":
        return f"{group.engine} does not know of it, and sets its own values at the container's next start or update"
    return ""
