"""A compressed layer becomes a plain tar file, for archives whose readers know no zstd; runs in a worker."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from engine.errors import Corrupt
from engine.images.unpacking import Source, open_folder


class InflateJob(msgspec.Struct, frozen=True, tag=True):
    """Decompress standard input to the file `name` in `folder`, of at most `limit` bytes."""

    folder: str
    name: str
    limit: int


class Inflated(msgspec.Struct, frozen=True):
    """How many bytes it became."""

    size: int


def inflate(job: InflateJob, progress: Callable[[int], None]) -> Inflated:
    """Do an InflateJob; raises BadRequest, Corrupt."""
    folder = open_folder(job.folder)
    fd = os.open(job.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
    size = 0
    for piece in Source(None, progress).decoded():
        size += len(piece)
        if size > job.limit:
            raise Corrupt(f"decompressing a layer: it has more than {job.limit >> 20} MiB, all that is free")
        view = memoryview(piece)
        while view:
            view = view[os.write(fd, view) :]
    return Inflated(size)
