"""One changed path: what is said of it, and its texts compared; pure, and work enough for a thread."""

from __future__ import annotations

import stat
from collections.abc import Iterator

import msgspec

from engine.model import FileChange, FileState
from tui.deck.changes.compare import Pair, compare, lines
from tui.presentation.quantities import size
from tui.presentation.text import harmless
from tui.presentation.times import local_stamp


class Compared(msgspec.Struct, frozen=True):
    """A change, made ready to be drawn."""

    change: FileChange
    notes: list[str]  # what differs beside the text, a line each
    pairs: list[Pair]

    @property
    def both(self) -> bool:
        """Whether there is a text on either side."""
        return all(
            side is not None and side.text is not None for side in (self.change.before, self.change.after)
        )


def compared(change: FileChange) -> Compared:
    """A change with its texts compared."""
    before, after = change.before, change.after
    old = lines(before.text) if before and before.text is not None else []
    new = lines(after.text) if after and after.text is not None else []
    texts = not any(side is not None and side.binary for side in (before, after))
    pairs = compare([harmless(line) for line in old], [harmless(line) for line in new]) if texts else []
    return Compared(change, list(_notes(before, after)), pairs)


def _notes(before: FileState | None, after: FileState | None) -> Iterator[str]:
    if before is None and after is None:
        yield "there is nothing now, neither in the image nor in the container"
    elif before is None and after is not None:
        yield f"only the container has it: {_whole(after)}"
    elif after is None and before is not None:
        yield f"the container deleted it; the image has it still: {_whole(before)}"
    elif before is not None and after is not None:
        yield from _differences(before, after)
    for side, where in ((before, "image"), (after, "container")):
        if side is not None and side.cut:
            yield f"only the beginning of the {where}'s text is compared: the file has {size(side.size)}"
    if (before and before.binary) or (after and after.binary):
        yield "it is no text, so there are no lines to compare"


def _differences(before: FileState, after: FileState) -> Iterator[str]:
    if before.kind != after.kind:
        yield f"it was a {before.kind} and is a {after.kind}"
    if before.mode != after.mode:
        yield f"mode {stat_mode(before)} → {stat_mode(after)}"
    if (before.uid, before.gid) != (after.uid, after.gid):
        yield f"owner {before.uid}:{before.gid} → {after.uid}:{after.gid}"
    if before.kind == after.kind == "file" and (before.size != after.size or before.binary or after.binary):
        yield f"{size(before.size)} → {size(after.size)}"
    if before.digest and before.digest == after.digest and before.size == after.size and not after.cut:
        yield "its content is the same"
    if before.modified_at != after.modified_at:
        yield f"written {local_stamp(before.modified_at)} → {local_stamp(after.modified_at)}"


def _whole(side: FileState) -> str:
    what = {"file": "a file", "folder": "a folder", "link": "a link"}.get(side.kind, f"a {side.kind}")
    bytes = f" of {size(side.size)}" if side.kind == "file" else ""
    return f"{what}{bytes}, mode {stat_mode(side)}, owner {side.uid}:{side.gid}"


def stat_mode(side: FileState) -> str:
    """Its permissions as `ls` shows them."""
    return stat.filemode(side.mode)[1:]
