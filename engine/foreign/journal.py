"""What was changed of others' cgroups, on disk before it is done: `foreign.json`.

A kill of the engine between the two leaves a record of a change that was not made, never a change without a record.
A reboot ends all cgroups, and with them what is recorded here, so nothing is synced.
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from engine.kernel import files
from engine.model import Limits

log = logging.getLogger(__name__)

DEPTH = 50  # steps that can be undone one by one; putting back undoes all in any case


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a cgroup was at some moment."""

    limits: Limits
    frozen: bool = False


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One cgroup that was changed. `path` is the kernel's, in bytes, `inode` tells it from a later one."""

    id: str
    path: bytes
    name: str
    engine: str
    inode: int
    at: float
    first: State  # before any change
    exact: dict[str, str]  # kernel files then
    after: State
    undo: list[State] = []  # before each change, latest last


class _Stored(msgspec.Struct):
    boot: str
    entries: list[Entry]


class Journal:
    """The entries by id, kept in a file."""

    def __init__(self, path: Path, boot: str) -> None:
        """Read what an earlier engine left, of this boot."""
        self._path = path
        self._boot = boot
        self.entries = dict[str, Entry]()
        try:
            stored = msgspec.json.decode(path.read_bytes(), type=_Stored)
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("reading %s: %s", path, error)
            return
        if stored.boot == boot:
            self.entries = {entry.id: entry for entry in stored.entries}

    def keep(self, entry: Entry) -> None:
        """Record one, in the place of the one with its id."""
        self.entries[entry.id] = entry
        self._save()

    def drop(self, id: str) -> None:
        """It is as it was before, or gone."""
        if self.entries.pop(id, None):
            self._save()

    def _save(self) -> None:
        stored = _Stored(self._boot, list(self.entries.values()))
        files.replace(self._path, msgspec.json.encode(stored))
