"""Folders that a layer implies but does not describe get the owner, mode and times they have further down.

A layer may hold `usr/bin/tool` and no entry for `usr` or `usr/bin`: then these are as the layers below have
them (image-spec, layer.md). Unpacked on its own it has folders of its own making there, which would cover
theirs; a small layer of folders alone, put above it in the stacks of these images, puts that right. Runs in a
worker, with the new layer as its root.
"""

from __future__ import annotations

import os
from contextlib import ExitStack

import msgspec

from engine.images.unpacking import open_folder
from engine.kernel.syscalls import syncfs
from engine.launch.confine import WRITES_LAYERS, confine
from engine.rootfs.overlay import FOLDER
from engine.rootfs.private import copy_metadata
from engine.rootfs.stack import find_entry

OPEN_FILES = 16384


class MendJob(msgspec.Struct, frozen=True, tag=True):
    """Make the folder `name`, first called `temporary`, above `layers` (topmost first), the first of which implies."""

    folder: str
    layers: list[str]
    implied: list[str]
    temporary: str
    name: str


class Mended(msgspec.Struct, frozen=True):
    """How many folders were put right; with none there is no layer."""

    folders: int


def mend(job: MendJob, parent: int) -> Mended:
    """Do a MendJob, which changes this process's root and confines it; KernelError, OSError."""
    folder = open_folder(job.folder)
    layers = [open_folder(layer) for layer in job.layers]
    os.mkdir(job.temporary, 0o755, dir_fd=folder)
    top = os.open(job.temporary, FOLDER, dir_fd=folder)
    confine(parent, capabilities=WRITES_LAYERS, open_files=OPEN_FILES, root=top)
    implied = set(job.implied)
    described = {path for path in implied if _is_folder(layers[1:], path)}
    wanted = sorted({prefix for path in described for prefix in _prefixes(path)})
    for path in wanted:
        above, _, name = path.rpartition("/")
        with ExitStack() as opened:
            parent_fd = _open(top, above, opened)
            os.mkdir(name, 0o755, dir_fd=parent_fd)
    for path in reversed(wanted):  # what is inside first: making it changes a folder's time
        with ExitStack() as opened:
            found = find_entry(layers[1:] if path in described else layers, path, opened)
            if found is not None:
                source = os.open(found[1], FOLDER, dir_fd=found[0])
                opened.callback(os.close, source)
                copy_metadata(source, _open(top, path, opened))
    if wanted:
        syncfs(top)
        os.rename(job.temporary, job.name, src_dir_fd=folder, dst_dir_fd=folder)
    return Mended(len(described))


def _is_folder(layers: list[int], path: str) -> bool:
    with ExitStack() as opened:
        found = find_entry(layers, path, opened)
        return found is not None and found[1] == "."


def _prefixes(path: str) -> list[str]:
    names = path.split("/")
    return ["/".join(names[: count + 1]) for count in range(len(names))]


def _open(top: int, path: str, opened: ExitStack) -> int:
    """A folder of the new layer, which holds nothing but folders."""
    fd = top
    for name in path.split("/") if path else ():
        fd = os.open(name, FOLDER, dir_fd=fd)
        opened.callback(os.close, fd)
    return fd
