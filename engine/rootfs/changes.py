"""What a container changed: its private layer compared with the layers below, as `docker diff` tells it.

Folders are walked by descriptor and links never followed, because the container may be at work meanwhile:
what vanishes during the walk is left out.
"""

from __future__ import annotations

import os
import stat

from engine.errors import Unsupported
from engine.model import Change
from engine.rootfs.overlay import FOLDER, folders_below, is_whiteout, opaque, seen_below, shown_below
from engine.rootfs.stubs import Stubs

NO_STUBS = Stubs()
DEEPEST = 400  # each level costs descriptors and stack


def changes(upper: int, lowers: list[int], stubs: Stubs = NO_STUBS) -> list[Change]:
    """All differences between the open layer `upper` and those below it, topmost first; sorted by path.

    A folder is "modified" when its own metadata is, or something in it is: Docker shows parents. A file that
    was copied up but is the same in all but its access time is no difference, nor are
    `stubs`. Raises Unsupported for folders nested beyond any use, OSError.
    """
    found: list[Change] = []
    _compare(upper, lowers, "", 0, found, stubs, hides=False)
    return sorted(found, key=lambda change: change.path)


def _compare(
    upper: int,
    lowers: list[int],
    path: str,
    depth: int,
    found: list[Change],
    stubs: Stubs,
    hides: bool,
) -> None:
    """Append what differs in a folder; `lowers` are its parts in the layers below, and `hides`: none shows."""
    if depth == DEEPEST:
        raise Unsupported(f"comparing {path[:80]!r}…: folders are nested more than {DEEPEST} deep")
    hides = hides or opaque(upper) == b"y"
    entries = os.listdir(upper)
    for name in entries:
        here = f"{path}/{name}"
        try:
            status = os.stat(name, dir_fd=upper, follow_symlinks=False)
            hidden = is_whiteout(status, upper, name)
        except FileNotFoundError:
            continue
        below = seen_below(lowers, name)
        if hidden:
            if below is not None:
                found.append(_change(here, "deleted", below[1]))
        elif stat.S_ISDIR(status.st_mode):
            _compare_folder(upper, lowers, name, path, status, depth, found, stubs, hides)
        elif below is None:
            if not stubs.file(here[1:], status):
                found.append(_change(here, "added", status))
        elif _differs(upper, below[0], name, status, below[1]):
            found.append(_change(here, "modified", status))
    if hides:
        kept = set(entries)
        found += [
            _change(f"{path}/{name}", "deleted", status)
            for name, status in shown_below(lowers)
            if name not in kept
        ]


def _compare_folder(
    upper: int,
    lowers: list[int],
    name: str,
    path: str,
    status: os.stat_result,
    depth: int,
    found: list[Change],
    stubs: Stubs,
    hides: bool,
) -> None:
    here = f"{path}/{name}"
    before = len(found)
    below = seen_below(lowers, name)
    try:
        fd = os.open(name, FOLDER, dir_fd=upper)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        with folders_below(lowers, name) as parts:
            _compare(fd, parts, here, depth + 1, found, stubs, hides)
    finally:
        os.close(fd)
    inside = len(found) > before
    if below is None:
        if inside or not stubs.folder(here[1:]):
            found.append(_change(here, "added", status))
        return
    fields = 3 if stubs.touched(here[1:]) else 4
    other = metadata(status)[:fields] != metadata(below[1])[:fields]
    if inside or other or not stat.S_ISDIR(below[1].st_mode):
        found.append(_change(here, "modified", status))


def _differs(upper: int, lower: int, name: str, status: os.stat_result, below: os.stat_result) -> bool:
    if (
        metadata(status) != metadata(below)
        or status.st_size != below.st_size
        or status.st_rdev != below.st_rdev
    ):
        return True
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(name, dir_fd=upper) != os.readlink(name, dir_fd=lower)
    return False


def metadata(status: os.stat_result) -> tuple[int, int, int, int]:
    """What copying up keeps, to the nanosecond: a write changes the time, even one that keeps the size."""
    return status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns


def printable(name: str) -> str:
    """A file's name as text: bytes that are none are written as escapes, for JSON cannot carry them."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _change(path: str, kind: str, status: os.stat_result) -> Change:
    return Change(
        path=printable(path),
        kind=kind,  # type: ignore[arg-type]
        size=status.st_size if stat.S_ISREG(status.st_mode) and kind != "deleted" else 0,
        is_dir=stat.S_ISDIR(status.st_mode),
    )
