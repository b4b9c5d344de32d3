"""Archives of images become blobs of the store: docker-archive, OCI archive; runs in a worker.

Nothing is ever unpacked under a name that the archive gives: each file becomes a numbered one beside the blobs,
and only what proves to be a blob is given a blob's name. Formats: OCI image-layout.md; Docker's image/spec/v1.2.md.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import msgspec

from engine import decoding
from engine.errors import BadRequest, Corrupt, Unsupported
from engine.images import oci, platforms
from engine.images.compression import CHUNK, recognise
from engine.images.exchange import documents
from engine.images.names import normal
from engine.images.store import DOCUMENT_LIMIT
from engine.images.unpacking import Source, Tape, begins_archive, open_folder
from engine.rootfs.tar import BLOCK, Member, Reader
from engine.rootfs.unpack import TooLarge

MOST_MEMBERS = 20_000
NAMES = (oci.CONTAINERD_NAME, oci.REF_NAME)  # annotations; the first is a whole name always
MOST_LINKS = 8  # links that are followed on the way to a file
REMEDY = "save it again; a root file system's archive is for: tiffin import"
DOING = "loading the archive"
_HASHED = re.compile("(?:blobs/sha256/)?([0-9a-f]{64})(?:\\.json)?")


class LoadJob(msgspec.Struct, frozen=True, tag=True):
    """Take the images of the archive on standard input into the folder `blobs`.

    Files in it are called `temporary` and a number until they are whole; `limit` is in bytes.
    """

    blobs: str
    temporary: str
    limit: int
    platform: str = ""


class LoadedImage(msgspec.Struct, frozen=True):
    """One image whose blobs are in the store; its manifest, as it is, is to be entered."""

    names: list[str]
    media_type: str
    manifest: str
    note: str = ""


class Loaded(msgspec.Struct, frozen=True):
    """What an archive held: its images, and digests of the blobs that were not in the store before."""

    images: list[LoadedImage]
    new: list[str]


class _Entry(msgspec.Struct, rename="pascal"):
    """One image in manifest.json."""

    config: str
    layers: list[str]
    repo_tags: list[str] | None = None


def load(job: LoadJob, progress: Callable[[int], None]) -> Loaded:
    """Do a LoadJob; BadRequest or Corrupt for what is no archive of images, Unsupported, KernelError."""
    files = _Files(open_folder(job.blobs), job.temporary)
    try:
        tape = Tape(Source(None, progress).decoded(), job.limit)
        try:
            files.read(tape)
        except TooLarge:
            raise TooLarge(
                f"{DOING}: it holds more than {job.limit >> 20} MiB, all that is free for it",
                "free some space where tiffin keeps its state, if the archive is really that large",
            ) from None
        images = _images(files, platforms.parse(job.platform) if job.platform else None)
        return Loaded([image for image, _ in images], files.keep({d for _, kept in images for d in kept}))
    finally:
        files.discard()


class _File:
    """One file of the archive, under a name that the archive has no say in."""

    def __init__(self, folder: int, name: str, pieces: Iterable[bytes]) -> None:
        self._folder = folder
        self._name = name
        self.size = 0
        found = hashlib.sha256()
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
        try:
            for piece in pieces:
                found.update(piece)
                self.size += len(piece)
                view = memoryview(piece)
                while view:
                    view = view[os.write(fd, view) :]
        finally:
            os.close(fd)
        self.digest = f"sha256:{found.hexdigest()}"

    def read(self, count: int) -> bytes:
        """Its first bytes."""
        with open(self._name, "rb", opener=self._open) as file:
            return file.read(count)

    def keep(self) -> None:
        """Give it the name of a blob, once its content is on disk."""
        fd = self._open(self._name, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(self._name, self.digest[7:], src_dir_fd=self._folder, dst_dir_fd=self._folder)

    def discard(self) -> None:
        """Delete it, unless it was kept."""
        with suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=self._folder)

    def _open(self, name: str, flags: int) -> int:
        return os.open(name, flags | os.O_CLOEXEC, dir_fd=self._folder)


class _Files:
    """The files of the archive by name, each in a numbered file of its own."""

    def __init__(self, folder: int, temporary: str) -> None:
        self._folder = folder
        self._temporary = temporary
        self._files: dict[str, _File] = {}
        self._links: dict[str, str] = {}

    def read(self, tape: Tape) -> None:
        """Take everything in; BadRequest for names and kinds that no archive of images has."""
        if not begins_archive(tape.peek(BLOCK)):
            raise BadRequest(f"{DOING}: it is no tar archive", REMEDY)
        reader = Reader(tape)
        for count, member in enumerate(reader):
            if count == MOST_MEMBERS:
                raise BadRequest(f"{DOING}: it has more than {MOST_MEMBERS} members", REMEDY)
            name = _inside(member.name, "a member")
            if member.kind == "dir":
                continue
            if name in self._files or name in self._links:
                raise BadRequest(f"{DOING}: it has two members named {name!r}", REMEDY)
            if member.kind == "symlink":
                self._links[name] = _inside(
                    posixpath.join(posixpath.dirname(name), member.target)
                    if not member.target.startswith("/")
                    else member.target,
                    f"the link {name!r}",
                )
            elif member.kind == "link":
                self._links[name] = _inside(member.target, f"the link {name!r}")
            elif member.kind == "file":
                self._files[name] = self._file(member, reader)
            else:
                raise BadRequest(f"{DOING}: {name!r} is no file but a {member.kind} device", REMEDY)
        if tape.ended:
            raise BadRequest(f"{DOING}: it is cut off, its end is missing", "copy or download it again")
        while tape.read(CHUNK):  # what fills up its last record
            pass

    def _file(self, member: Member, reader: Reader) -> _File:
        if member.extents is not None:
            raise BadRequest(f"{DOING}: {member.name!r} has holes", REMEDY)
        name = f"{self._temporary}-{len(self._files)}"
        return _File(self._folder, name, (piece for _, piece in reader.content()))

    def discard(self) -> None:
        """Delete what was not kept."""
        for file in self._files.values():
            file.discard()

    def __contains__(self, name: str) -> bool:
        return self._find(name) is not None

    def _find(self, name: str) -> _File | None:
        for _ in range(MOST_LINKS):
            if name not in self._links:
                return self._files.get(name)
            name = self._links[name]
        return None

    def file(self, name: str, what: str) -> _File:
        """A file by its name; raises Corrupt, also where a name that is a digest lies."""
        found = self._find(name)
        if found is None:
            raise Corrupt(f"{DOING}: {what} {name!r} is missing", REMEDY)
        if (named := _HASHED.fullmatch(name)) and found.digest != f"sha256:{named[1]}":
            raise Corrupt(f"{DOING}: {what} {name!r} holds {found.digest}", REMEDY)
        return found

    def document(self, name: str, what: str) -> bytes:
        """The content of a small file."""
        found = self.file(name, what)
        if found.size > DOCUMENT_LIMIT:
            raise Corrupt(f"{DOING}: {what} has {found.size} bytes, too many for a document", REMEDY)
        return found.read(DOCUMENT_LIMIT)

    def blob(self, descriptor: oci.Descriptor, what: str) -> str:
        """Check that the blob of a descriptor is there and of its size; its name."""
        name = f"blobs/sha256/{descriptor.digest[7:]}"
        if (size := self.file(name, what).size) != descriptor.size:
            raise Corrupt(
                f"{DOING}: {what} {descriptor.digest} has {size} bytes instead of {descriptor.size}", REMEDY
            )
        return name

    def keep(self, digests: set[str]) -> list[str]:
        """Make blobs of these; digests of those that were not in the store before."""
        new = []
        by_digest = {file.digest: file for file in self._files.values()}
        for digest in sorted(digests):
            try:
                os.stat(digest[7:], dir_fd=self._folder)
            except FileNotFoundError:
                by_digest[digest].keep()
                new.append(digest)
        os.fsync(self._folder)
        return new


Images = list[tuple[LoadedImage, set[str]]]


def _images(files: _Files, wanted: platforms.Platform | None) -> Images:
    """The images of the archive, each with the digests of its config and layers."""
    if "oci-layout" in files and "index.json" in files:
        return _layout(files, wanted)
    if "manifest.json" in files:
        return [_docker(files, entry, number) for number, entry in enumerate(_entries(files))]
    if "repositories" in files:
        raise Unsupported(
            f"{DOING}: it is of a format from before Docker 1.10, without manifest.json",
            "save it again with a newer Docker",
        )
    raise BadRequest(f"{DOING}: it has neither oci-layout and index.json nor manifest.json", REMEDY)


def _entries(files: _Files) -> list[_Entry]:
    try:
        found = decoding.decode(files.document("manifest.json", "the file"), list[_Entry])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Corrupt(f"{DOING}: manifest.json: {error}", REMEDY) from error
    if not found:
        raise BadRequest(f"{DOING}: manifest.json names no image", REMEDY)
    return found


def _docker(files: _Files, entry: _Entry, number: int) -> tuple[LoadedImage, set[str]]:
    what = f"{DOING}: manifest.json: [{number}].Config"
    path = _inside(entry.config, f"[{number}].Config")
    config = files.file(path, "the config")
    layers = []
    for name in entry.layers:
        file = files.file(_inside(name, f"[{number}].Layers"), "the layer")
        try:
            compression = recognise(file.read(6))
        except BadRequest as error:
            raise BadRequest(f"{DOING}: the layer {name!r}: {error.message}", error.remedy) from error
        if compression == "xz":
            raise Unsupported(
                f"{DOING}: the layer {name!r} is compressed with xz", "compress it with gzip or zstd"
            )
        media_type = oci.LAYER + (f"+{compression}" if compression else "")
        layers.append(oci.Descriptor(media_type=media_type, digest=file.digest, size=file.size))
    manifest = oci.Manifest(
        schema_version=2,
        media_type=oci.MANIFEST,
        config=oci.Descriptor(media_type=oci.CONFIG, digest=config.digest, size=config.size),
        layers=layers,
    )
    data = oci.encode(manifest)
    documents.manifest(data, f"{DOING}: the image {path!r}")  # bounds its layers
    found = documents.config(files.document(path, "the config"), manifest, what)
    note = platforms.check(documents.platform_of(found), DOING)
    image = LoadedImage(list(_names(entry.repo_tags or [])), oci.MANIFEST, data.decode(), note)
    return image, {config.digest, *(layer.digest for layer in layers)}


def _layout(files: _Files, wanted: platforms.Platform | None) -> Images:
    index = documents.index(files.document("index.json", "the file"), f"{DOING}: index.json")
    tags: dict[str, list[str]] = {}  # by config; Docker's archives have proper names only there
    if "manifest.json" in files:
        for entry in _entries(files):
            named = _HASHED.fullmatch(entry.config)
            tags[f"sha256:{named[1]}" if named else entry.config] = list(_names(entry.repo_tags or []))
    found: dict[str, tuple[LoadedImage, set[str]]] = {}
    for top in index.manifests:
        descriptor = _chosen(files, top, wanted)
        if descriptor is None:
            continue
        image, digests = _image(files, descriptor)
        config = documents.manifest(image.manifest.encode(), DOING).config.digest
        names = tags.get(config) or list(
            _names([name for key in NAMES if (name := top.annotations.get(key))][:1])
        )
        if descriptor.digest in found:
            names = [*found[descriptor.digest][0].names, *names]
        found[descriptor.digest] = msgspec.structs.replace(image, names=list(dict.fromkeys(names))), digests
    if not found:
        raise BadRequest(f"{DOING}: index.json names no image", REMEDY)
    return list(found.values())


def _chosen(files: _Files, top: oci.Descriptor, wanted: platforms.Platform | None) -> oci.Descriptor | None:
    """The manifest that a descriptor leads to; None for what accompanies an image, such as attestations."""
    if top.media_type in oci.MANIFESTS:
        platform = documents.platform(top)
        return None if platform and platform.os == "unknown" else top
    if top.media_type not in oci.INDEXES:
        return None
    what = "the index"
    nested = documents.index(files.document(files.blob(top, what), what), f"{DOING}: {what} {top.digest}")
    entries = [
        entry
        for entry in nested.manifests
        if entry.media_type in oci.MANIFESTS and f"blobs/sha256/{entry.digest[7:]}" in files
    ]
    return entries[platforms.choose(map(documents.platform, entries), wanted, DOING)]


def _image(files: _Files, descriptor: oci.Descriptor) -> tuple[LoadedImage, set[str]]:
    what = f"{DOING}: the manifest {descriptor.digest}"
    data = files.document(files.blob(descriptor, "the manifest"), "the manifest")
    media_type = documents.kind(descriptor.media_type, data, what)
    manifest = documents.manifest(data, what)
    config = files.document(files.blob(manifest.config, "the config"), "the config")
    found = documents.config(config, manifest, f"{DOING}: the config {manifest.config.digest}")
    for layer in manifest.layers:
        files.blob(layer, "the layer")
    note = platforms.check(documents.platform_of(found), DOING)
    image = LoadedImage([], media_type, data.decode(), note)
    return image, {manifest.config.digest, *(layer.digest for layer in manifest.layers)}


def _names(given: list[str]) -> Iterator[str]:
    """Those that can be kept; an archive's tag alone ("1.2") is the name of nothing."""
    for name in given:
        try:
            yield normal(name)
        except BadRequest:
            continue


def _inside(path: str, what: str) -> str:
    """A path within the archive in its plain form; BadRequest where it leads out."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part == ".." or (part == "" and not parts and path.startswith("/")):
            raise BadRequest(f"{DOING}: {what} leads out of the archive: {path!r}", REMEDY)
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
