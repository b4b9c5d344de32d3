"""A private layer as the tar of an OCI layer: what it adds and changes, and whiteouts for what it hides.

An opaque folder is written as whiteouts of everything it hides, as the image-spec asks for (layer.md,
"Opaque Whiteout"): every reader understands those, whatever it takes an opaque marker to mean. For
single-threaded workers only, as `pack` is.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from typing import NamedTuple

from engine.errors import Unsupported
from engine.rootfs.changes import metadata
from engine.rootfs.overlay import FOLDER, folders_below, is_whiteout, opaque, seen_below, shown_below
from engine.rootfs.pack import DEEPEST, Packer, Write, member_of, xattrs_of
from engine.rootfs.stubs import Stubs
from engine.rootfs.tar import BLOCK, Member
from engine.rootfs.unpack import WHITEOUT


class Tally(NamedTuple):
    """How many entries a layer has, and the bytes of its files' content."""

    entries: int
    size: int


def pack_changes(
    upper: int,
    lowers: list[int],
    write: Write,
    *,
    stubs: Collection[str] = (),
    latest: int | None = None,
) -> Tally:
    """Write what the open layer `upper` changes of those below it, topmost first, as a tar stream.

    `stubs` are the paths ("/etc/hosts") that the engine mounts something on: empty places made for them are
    left out. No time in it is later than `latest`, in nanoseconds. Raises Unsupported for folders nested
    beyond any use, OSError.
    """
    packer = _Changeset(write, stubs, latest)
    packer.root(upper, lowers)
    write(bytes(2 * BLOCK))
    return Tally(packer.entries, packer.size)


class _Changeset(Packer):
    def __init__(self, write: Write, stubs: Collection[str], latest: int | None) -> None:
        super().__init__(write, latest)
        self.entries = 0
        self.size = 0
        self._stubs = Stubs(stubs)
        self._pending: list[Member] = []  # folders on the way down that are written once something in them is

    def add(self, member: Member) -> None:
        """Write a member's header, after those of the folders it is in."""
        for folder in self._pending:
            super().add(folder)
            self.entries += 1
        self._pending.clear()
        super().add(member)
        self.entries += 1
        self.size += member.size

    def root(self, upper: int, lowers: list[int]) -> None:
        """Everything. The root folder's own times are the engine's, who made it."""
        status = os.fstat(upper)
        if lowers and metadata(status)[:3] != metadata(os.fstat(lowers[0]))[:3]:
            self.add(member_of(status, "./", "dir"))
        self._walk(upper, lowers, "", 0, hidden=False)

    def _walk(self, upper: int, lowers: list[int], path: str, depth: int, hidden: bool) -> None:
        """One folder; with `hidden` nothing shows in it of what the layers below have there."""
        if depth == DEEPEST:
            raise Unsupported(f"packing {path[:80]!r}…: folders are nested more than {DEEPEST} deep")
        hidden = hidden or opaque(upper) == b"y"
        present = set(os.listdir(upper))
        covered = {name for name, _ in shown_below(lowers)} - present if hidden else set()
        for name in sorted(present | covered):
            inner = f"{path}/{name}" if path else name
            if name in covered:
                self._white_out(path, name)
                continue
            try:
                status = os.stat(name, dir_fd=upper, follow_symlinks=False)
                gone = is_whiteout(status, upper, name)
                found = seen_below(lowers, name)
                if gone:
                    if found is not None:
                        self._white_out(path, name)
                elif stat.S_ISDIR(status.st_mode):
                    self._folder(upper, lowers, name, inner, depth, hidden)
                elif not (found is None and self._stubs.file(inner, status)):
                    self.entry(upper, name, inner)
            except FileNotFoundError:  # a running container has deleted it meanwhile
                continue

    def folder(self, parent: int, name: str, path: str) -> None:
        """A file that a running container has replaced by a folder meanwhile: left out, as what vanishes is."""

    def _folder(self, upper: int, lowers: list[int], name: str, path: str, depth: int, hidden: bool) -> None:
        fd = os.open(name, FOLDER, dir_fd=upper)
        try:
            status, xattrs = os.fstat(fd), xattrs_of(fd)
            member = member_of(status, path + "/", "dir", xattrs=xattrs)
            found = seen_below(lowers, name)
            if found is None:
                changed = not self._stubs.folder(path)
            else:
                changed = self._changed(found, name, path, status, xattrs)
            waiting = len(self._pending)
            self._pending.append(member)
            if changed:
                self._pending.pop()
                self.add(member)
            with folders_below(lowers, name) as inner:
                self._walk(fd, inner, path, depth + 1, hidden)
            if len(self._pending) > waiting:  # nothing in it was written, nor is it itself
                self._pending.pop()
        finally:
            os.close(fd)

    def _changed(
        self,
        found: tuple[int, os.stat_result],
        name: str,
        path: str,
        status: os.stat_result,
        xattrs: dict[str, bytes],
    ) -> bool:
        """Whether a folder itself is other than the one below; its time alone may be the stubs' doing."""
        folder, before = found
        if not stat.S_ISDIR(before.st_mode):
            return True
        fields = 3 if self._stubs.touched(path) else 4
        if metadata(status)[:fields] != metadata(before)[:fields]:
            return True
        fd = os.open(name, FOLDER, dir_fd=folder)
        try:
            return xattrs_of(fd) != xattrs
        finally:
            os.close(fd)

    def _white_out(self, folder: str, name: str) -> None:
        path = f"{folder}/{WHITEOUT}{name}" if folder else f"{WHITEOUT}{name}"
        self.add(Member(path, "file", mode=0o600))
