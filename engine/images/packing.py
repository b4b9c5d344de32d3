"""A private layer becomes a blob of the store; runs in a worker, with the private layer as its root."""

from __future__ import annotations

import hashlib
import sys
import zlib
from collections.abc import Callable

import msgspec

from engine.images import oci
from engine.images.unpacking import Blob, open_folder
from engine.launch.confine import CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN, confine
from engine.rootfs.changeset import pack_changes

LEVEL = 6  # what Docker and gzip take by default
PIECE = 1 << 18
OPEN_FILES = 16384
DEEP = 4000  # frames, for trees of the depth that `pack_changes` allows
READS = (CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN)  # trusted.* attributes are for CAP_SYS_ADMIN only


class PackJob(msgspec.Struct, frozen=True, tag=True):
    """Make a gzip-compressed blob of what the topmost of `layers` changes of those below it.

    Until it is whole it is called `temporary`. `stubs` and `latest` are as in `pack_changes`.
    """

    blobs: str
    layers: list[str]
    temporary: str
    stubs: list[str] = []
    latest: int | None = None  # nanoseconds


class Packed(msgspec.Struct, frozen=True):
    """A layer in the store: its descriptor in a manifest, its diff id in a config, and what is in it."""

    layer: oci.Descriptor
    diff_id: oci.Digest
    entries: int  # 0: nothing was changed
    unpacked: int  # bytes of the files' content


def pack_layer(job: PackJob, parent: int, progress: Callable[[int], None]) -> Packed:
    """Do a PackJob, which changes this process's root and confines it; TiffinError, OSError."""
    blobs = open_folder(job.blobs)
    upper, *lower = (open_folder(layer) for layer in job.layers)
    sys.setrecursionlimit(DEEP)
    # First, because it ends here where the engine is gone, which leaves nothing.
    confine(parent, capabilities=READS, open_files=OPEN_FILES, root=upper)
    with Blob(blobs, job.temporary) as blob:
        tape = _Tape(blob, progress)
        tally = pack_changes(upper, lower, tape.write, stubs=job.stubs, latest=job.latest)
        tape.finish()
        blob.keep(blob.digest())
        layer = oci.Descriptor(media_type=f"{oci.LAYER}+gzip", digest=blob.digest(), size=blob.size)
        return Packed(layer, tape.digest(), tally.entries, tally.size)


class _Tape:
    """Hashes what is written to it and passes it on to a blob, compressed."""

    def __init__(self, blob: Blob, progress: Callable[[int], None]) -> None:
        self._blob = blob
        self._progress = progress
        self._hash = hashlib.sha256()
        self._compressor = zlib.compressobj(LEVEL, wbits=31)  # gzip, without name and time
        self._waiting = bytearray()
        self._done = 0

    def write(self, data: bytes) -> None:
        """Take the next bytes of the archive."""
        self._waiting += data
        if len(self._waiting) >= PIECE:
            self._pass_on()

    def _pass_on(self) -> None:
        self._hash.update(self._waiting)
        self._blob.write(self._compressor.compress(self._waiting))
        self._done += len(self._waiting)
        self._waiting.clear()
        self._progress(self._done)

    def finish(self) -> None:
        """Write what is still held back."""
        self._pass_on()
        self._blob.write(self._compressor.flush())

    def digest(self) -> str:
        """Of the uncompressed archive: the diff id."""
        return f"sha256:{self._hash.hexdigest()}"
