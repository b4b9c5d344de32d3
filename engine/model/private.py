"""A container's private layer: single changes of it, and snapshots."""

from __future__ import annotations

from typing import Literal

from engine.model.base import Noun


class FileState(Noun, frozen=True):
    """One side of a change: what is at a path. `text` is None for what is no text file."""

    kind: Literal["file", "folder", "link", "device", "pipe", "socket"]
    mode: int  # permission bits with setuid, setgid, sticky
    uid: int
    gid: int
    size: int  # bytes
    modified_at: float
    text: str | None = None  # of a file, and where a link leads
    binary: bool = False  # a file that is no UTF-8 text
    cut: bool = False  # `text` is only its beginning
    digest: str = ""  # of a file's first bytes, as many as were read: "sha256:…"


class FileChange(Noun, frozen=True):
    """One path in the image and in the container; None where there is nothing."""

    path: str
    before: FileState | None = None
    after: FileState | None = None


class LayerSnapshot(Noun, frozen=True):
    """A kept copy of a container's private layer."""

    name: str
    created_at: float
    note: str = ""
    size: int = 0  # bytes of its files
    files: int = 0
    cloned: bool = False  # shares its data with the layer (reflinks): takes room only for what changes later
    took: float = 0  # seconds
