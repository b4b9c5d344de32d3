"""Layer archives become blobs and unpacked folders; runs in a worker, with the layer's folder as its root."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import sys
from collections.abc import Callable, Iterator

import msgspec
import zstandard

from engine.errors import BadRequest, Corrupt, KernelError
from engine.images import oci, packaged
from engine.images.compression import CHUNK, REMEDY, Compression, decompressed, recognise
from engine.kernel.paths import remove_tree
from engine.kernel.syscalls import syncfs
from engine.rootfs.tar import BLOCK
from engine.rootfs.unpack import TooLarge, unpack

TEMPORARY = ".tmp-"  # what is not whole has a name that begins so
ZSTD_LEVEL = 3
MOST_IMPLIED = 10_000  # folders; who leaves out more of them finds the rest as root's

Progress = Callable[[int], None]


class ImportJob(msgspec.Struct, frozen=True, tag=True):
    """Make a blob and an unpacked layer of the archive on standard input.

    Until they are whole both are called `temporary`; `limit` is in bytes.
    """

    blobs: str
    layers: str
    temporary: str
    limit: int


class UnpackJob(msgspec.Struct, frozen=True, tag=True):
    """Unpack the blob on standard input as the layer `diff_id`."""

    layers: str
    diff_id: oci.Digest
    temporary: str
    limit: int


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept beside an unpacked layer."""

    size: int  # bytes of the files' content
    implied: list[str] = []  # folders that something is in and nothing describes: see mending.py


class Unpacked(msgspec.Struct, frozen=True):
    """What became of an archive. Without a blob (UnpackJob) its media type, digest and size are empty."""

    diff_id: oci.Digest
    unpacked: int  # bytes of the files' content
    architecture: str = ""
    shell: bool = False  # whether /bin/sh can be executed
    media_type: str = ""
    digest: str = ""
    size: int = 0


def import_layer(job: ImportJob, progress: Progress) -> Unpacked:
    """Do an ImportJob, which changes this process's root; BadRequest for what is no archive, KernelError."""
    blobs = open_folder(job.blobs)
    layers = open_folder(job.layers)
    with Blob(blobs, job.temporary) as blob, _Layer(layers, job.temporary) as layer:
        source = Source(blob, progress)
        tape = Tape(source.decoded(), job.limit)
        unpacked = _fill(layer, tape, job.limit, whole=True)
        if not os.listdir("/"):
            raise BadRequest(
                "importing the archive: there is nothing in it", "give the tar of a root file system"
            )
        result = Unpacked(
            diff_id=tape.digest(),
            unpacked=unpacked,
            architecture=packaged.architecture(),
            shell=os.path.isfile("/bin/sh") and os.access("/bin/sh", os.X_OK),
            media_type=source.media_type,
            digest=blob.digest(),
            size=blob.size,
        )
        layer.keep(result)
        blob.keep(result.digest)
    return result


def unpack_layer(job: UnpackJob, progress: Progress, *, whole: bool = True) -> Unpacked:
    """Do an UnpackJob, which changes this process's root; Corrupt for what is not the layer, KernelError.

    Unless the `whole` of it, the layer is left under its temporary name, to be synced and placed.
    """
    layers = open_folder(job.layers)
    with _Layer(layers, job.temporary) as layer:
        source = Source(None, progress)
        tape = Tape(source.decoded(), job.limit)
        try:
            unpacked = _fill(layer, tape, job.limit)
        except TooLarge:
            raise
        except BadRequest as e:
            raise Corrupt(e.message, "remove the image and get it again") from e
        if tape.digest() != job.diff_id:
            raise Corrupt(
                f"unpacking the layer {job.diff_id}: its blob holds {tape.digest()}",
                "remove the image and get it again",
            )
        result = Unpacked(diff_id=job.diff_id, unpacked=unpacked)
        if whole:
            layer.keep(result)
        else:
            layer.leave(result)
    return result


def open_blob(path: str, diff_id: str) -> int:
    """A descriptor of the blob of a layer; raises Corrupt."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as e:
        raise Corrupt(
            f"unpacking the layer {diff_id}: reading its blob {path}: {e.strerror}",
            "remove the image and get it again",
        ) from e


def open_folder(path: str) -> int:
    """A descriptor of a folder, to read and to make things in."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _fill(layer: _Layer, tape: Tape, limit: int, *, whole: bool = False) -> int:
    """Unpack the archive into the layer and read what follows it; returns the bytes of the files' content.

    With `whole` an archive that lacks its end mark is refused; where a digest tells, some leave it out.
    """
    try:
        if not begins_archive(tape.peek(BLOCK)):
            raise BadRequest("reading the archive: it is no tar archive", REMEDY)
        unpacked = unpack(tape, layer.fd, whiteouts=True, limit=limit, implied=layer.implied)
        if whole and tape.ended:
            raise BadRequest(
                "unpacking the archive: it is cut off, its end is missing", "copy or download it again"
            )
        while tape.read(CHUNK):  # tar fills up its last record; the digests are of all bytes
            pass
    except TooLarge:
        raise TooLarge(
            f"unpacking the archive: it holds more than {limit >> 20} MiB, all that is free for it",
            "free some space where tiffin keeps its state, if the archive is really that large",
        ) from None
    return unpacked


def begins_archive(block: bytes) -> bool:
    """Whether this is the first block of a tar archive: its checksum is right, or zeros end an empty one."""
    if len(block) < BLOCK:
        return False
    if not any(block):
        return True
    try:
        stated = int(block[148:156].strip(b"\0 "), 8)
    except ValueError:
        return False
    return stated == sum(block[:148] + b" " * 8 + block[156:])


class Source:
    """Standard input, kept as a blob while it is read, and decompressed."""

    def __init__(self, blob: Blob | None, progress: Progress) -> None:
        self._blob = blob
        self._progress = progress
        self._done = 0
        self._head = b""
        while len(self._head) < 6 and (piece := os.read(0, CHUNK)):
            self._head += piece
        self._compression: Compression = recognise(self._head)
        # OCI knows no xz, so such a layer is kept as zstd.
        self._recompress = self._compression == "xz" and blob is not None
        kept: Compression = "zstd" if self._recompress else self._compression
        self.media_type = oci.LAYER + (f"+{kept}" if kept else "")

    def decoded(self) -> Iterator[bytes]:
        """The uncompressed archive."""
        pieces = decompressed(self._read, self._compression)
        if not self._recompress or self._blob is None:
            yield from pieces
            return
        compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compressobj()
        for piece in pieces:
            self._blob.write(compressor.compress(piece))
            yield piece
        self._blob.write(compressor.flush())

    def _read(self, count: int) -> bytes:
        piece, self._head = (self._head, b"") if self._head else (os.read(0, count), b"")
        if self._blob is not None and not self._recompress:
            self._blob.write(piece)
        self._done += len(piece)
        self._progress(self._done)
        return piece


class Tape:
    """The uncompressed archive as a file to read from, hashed on the way."""

    def __init__(self, pieces: Iterator[bytes], limit: int) -> None:
        self._pieces = pieces
        self._left = limit
        self._piece = memoryview(b"")
        self._hash = hashlib.sha256()
        self.ended = False  # whether a read met the end

    def read(self, count: int) -> bytes:
        """At most `count` bytes; empty at the end. TooLarge beyond the limit."""
        while not self._piece and not self.ended:
            self._piece = memoryview(self._next())
        taken, self._piece = self._piece[:count], self._piece[count:]
        return bytes(taken)

    def peek(self, count: int) -> bytes:
        """The next `count` bytes, or all there are, which are read again afterwards."""
        while len(self._piece) < count and not self.ended:
            self._piece = memoryview(bytes(self._piece) + self._next())
        self.ended = False
        return bytes(self._piece[:count])

    def _next(self) -> bytes:
        piece = next(self._pieces, None)
        self.ended = piece is None
        piece = piece or b""
        self._left -= len(piece)
        if self._left < 0:
            raise TooLarge("unpacking the archive: it is too large")
        self._hash.update(piece)
        return piece

    def digest(self) -> str:
        """Of everything that was read."""
        return f"sha256:{self._hash.hexdigest()}"


class Blob:
    """A new blob under a temporary name; deleted again unless kept."""

    def __init__(self, folder: int, name: str) -> None:
        self._folder = folder
        self._name = name
        self._hash = hashlib.sha256()
        self.size = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._fd = os.open(self._name, flags, 0o600, dir_fd=folder)

    def __enter__(self) -> Blob:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=self._folder)

    def write(self, data: bytes) -> None:
        """Add to it."""
        self._hash.update(data)
        self.size += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def digest(self) -> str:
        """Of all that was written."""
        return f"sha256:{self._hash.hexdigest()}"

    def keep(self, digest: str) -> None:
        """Give it its name, now that it is whole."""
        os.fsync(self._fd)
        os.rename(
            self._name, digest.removeprefix("sha256:"), src_dir_fd=self._folder, dst_dir_fd=self._folder
        )
        os.fsync(self._folder)


class _Layer:
    """A new unpacked layer under a temporary name, this process's root; deleted again unless kept."""

    def __init__(self, folder: int, name: str) -> None:
        self._folder = folder
        self._name = name
        self.implied: set[str] = set()
        self._left = False
        os.mkdir(self._name, 0o755, dir_fd=folder)
        self.fd = os.open(self._name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
        os.fchmod(self.fd, 0o755)
        # Whatever an archive finds to lead a path astray, there is nothing but the layer to be led to. No
        # module may be imported from now on: it would be the archive's.
        sys.meta_path.clear()
        os.fchdir(self.fd)
        os.chroot(".")

    def __enter__(self) -> _Layer:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)
        if self._left:
            return
        with contextlib.suppress(FileNotFoundError):
            remove_tree(self._folder, self._name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self._name}.json", dir_fd=self._folder)

    def keep(self, unpacked: Unpacked) -> None:
        """Give the layer its name, once it is on disk."""
        self.leave(unpacked)
        syncfs(self.fd)  # else a power cut leaves a layer whose files are empty
        place(self._folder, self._name, unpacked.diff_id)

    def leave(self, unpacked: Unpacked) -> None:
        """Leave it under its temporary name, with what is known about it beside it, for `place`."""
        note = os.open(
            f"{self._name}.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=self._folder
        )
        implied = [path for path in sorted(self.implied)[:MOST_IMPLIED] if path.isprintable()]
        with open(note, "wb") as file:
            file.write(msgspec.json.encode(Note(unpacked.unpacked, implied)))
        self._left = True


def place(folder: int, temporary: str, diff_id: str) -> None:
    """Give a whole layer and its note, which are on disk, their names; KernelError."""
    name = diff_id.removeprefix("sha256:")
    os.rename(f"{temporary}.json", f"{name}.json", src_dir_fd=folder, dst_dir_fd=folder)
    try:
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError as e:
        if e.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise KernelError.of(f"naming the unpacked layer {name}", e) from e
        remove_tree(folder, temporary)  # the same layer is there already
