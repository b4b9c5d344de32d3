"""The content store: an OCI image layout on disk, its documents read once and kept in memory.

Blobs are written under a temporary name, hashed on the way, synced and renamed, so that a blob which has its
name is whole. index.json is replaced as a whole, last. Other tools may write to the layout, too: index.json
is read again whenever it changed. Spec: image-layout.md.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine.errors import BadRequest, Corrupt, KernelError
from engine.images import names, oci
from engine.images.unpacking import TEMPORARY
from engine.kernel import files

ABANDONED = 3600.0  # seconds after which a blob that no image has is taken for garbage
SOURCE = "tiffin.source"  # annotation: the registry's repository and digest that an image came from
DOCUMENT_LIMIT = 4 << 20  # bytes of a manifest or config, as registries allow


class Stored(NamedTuple):
    """One image in the store."""

    id: str  # digest of its config
    names: list[str]
    manifests: list[oci.Descriptor]  # as a rule one; more where the same layers are stored in two ways
    manifest: oci.Manifest
    config: oci.Image

    @property
    def called(self) -> str:
        """What to call it in a sentence."""
        return self.names[0] if self.names else self.id.removeprefix("sha256:")[:12]

    @property
    def build_key(self) -> str:
        """The key under which builds look for it; empty for an image that is there for its own sake."""
        labels = (self.config.config or oci.Execution()).labels or {}
        return "" if self.names else labels.get(oci.BUILD_CACHE, "")


class Store:
    """The layout in one folder; one object in the one engine process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = folder / "blobs" / "sha256"
        self._index: tuple[tuple[int, int, int], oci.Index] | None = None
        self._documents: dict[str, tuple[oci.Manifest, oci.Image]] = {}

    def open(self) -> None:
        """Make the layout where it is missing, and delete what was left half-written; raises KernelError."""
        try:
            self.blobs.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not (self.folder / "oci-layout").exists():
                files.replace(self.folder / "oci-layout", '{"imageLayoutVersion":"1.0.0"}', sync=True)
            if not (self.folder / "index.json").exists():
                files.replace(
                    self.folder / "index.json",
                    oci.encode(oci.Index(schema_version=2, media_type=oci.INDEX, manifests=[])),
                    sync=True,
                )
            for path in (*self.blobs.glob(f"{TEMPORARY}*"), *self.folder.glob("*.tmp")):
                path.unlink()
        except OSError as e:
            raise KernelError.of(f"opening the image store {self.folder}", e) from e

    def sweep(self) -> None:
        """Delete blobs that belong to nothing, unless another tool may be about to enter them."""
        needed = self.reachable()
        if needed is None:
            return
        for path in self.blobs.iterdir():
            if f"sha256:{path.name}" not in needed and time.time() - path.stat().st_mtime > ABANDONED:
                path.unlink()

    def path(self, digest: str) -> Path:
        """Where a blob is, or would be."""
        return self.blobs / digest.removeprefix("sha256:")

    def index(self) -> oci.Index:
        """index.json as it is now; raises Corrupt."""
        path = self.folder / "index.json"
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                version = (status.st_mtime_ns, status.st_size, status.st_ino)
                if self._index is None or self._index[0] != version:
                    self._index = (version, oci.decode(file.read(), oci.Index, str(path)))
        except OSError as e:
            raise Corrupt(f"reading {path}: {e.strerror}") from e
        return self._index[1]

    def images(self) -> list[Stored]:
        """All images that can be read, in the order they came in; Corrupt where index.json is damaged."""
        found: dict[str, Stored] = {}
        for descriptor in self.index().manifests:
            if descriptor.media_type not in oci.MANIFESTS:
                continue
            with contextlib.suppress(Corrupt):  # verify() tells of those
                manifest, config = self.documents(descriptor)
                id = manifest.config.digest
                stored = found.setdefault(id, Stored(id, [], [], manifest, config))
                if descriptor.digest not in (known.digest for known in stored.manifests):
                    stored.manifests.append(descriptor)
                if (name := name_of(descriptor)) and name not in stored.names:
                    stored.names.append(name)
        return list(found.values())

    def documents(self, descriptor: oci.Descriptor) -> tuple[oci.Manifest, oci.Image]:
        """The manifest a descriptor points to, and its config; raises Corrupt."""
        if descriptor.digest not in self._documents:
            manifest = oci.decode(self.read(descriptor), oci.Manifest, f"the manifest {descriptor.digest}")
            config = oci.decode(self.read(manifest.config), oci.Image, f"the config {manifest.config.digest}")
            if len(manifest.layers) != len(config.rootfs.diff_ids):
                raise Corrupt(
                    f"reading the config {manifest.config.digest}: rootfs.diff_ids has "
                    f"{len(config.rootfs.diff_ids)} entries for {len(manifest.layers)} layers",
                    "remove the image and get it again",
                )
            self._documents[descriptor.digest] = (manifest, config)
        return self._documents[descriptor.digest]

    def read(self, descriptor: oci.Descriptor) -> bytes:
        """A small blob, checked against its digest and size; raises Corrupt."""
        if descriptor.size > DOCUMENT_LIMIT:
            raise Corrupt(f"reading {descriptor.digest}: {descriptor.size} bytes are too many for a document")
        try:
            data = self.path(descriptor.digest).read_bytes()
        except OSError as e:
            raise Corrupt(f"reading the blob {descriptor.digest}: {e.strerror}", "get the image again") from e
        if len(data) != descriptor.size or oci.digest(data) != descriptor.digest:
            raise Corrupt(f"reading the blob {descriptor.digest}: it is damaged", "get the image again")
        return data

    def put(self, media_type: str, data: bytes) -> oci.Descriptor:
        """Store a small blob; raises KernelError."""
        digest = oci.digest(data)
        try:
            temporary = self.blobs / f"{TEMPORARY}{digest[7:]}"
            files.replace(temporary, data, sync=True)
            os.rename(temporary, self.path(digest))
        except OSError as e:
            raise KernelError.of(f"storing the blob {digest}", e) from e
        return oci.Descriptor(media_type=media_type, digest=digest, size=len(data))

    def tag(self, manifest: oci.Descriptor, name: str) -> None:
        """Give an image a name, taking it away from whichever had it; raises KernelError, Corrupt."""
        named = _named(manifest, name)
        self._write([*(_bare(old) if name_of(old) == name else old for old in self.index().manifests), named])

    def add(self, manifest: oci.Descriptor, name: str = "") -> None:
        """Enter an image, under a name if one is given; raises KernelError, Corrupt."""
        if name:
            self.tag(manifest, name)
        else:
            self._write([*self.index().manifests, manifest])

    def untag(self, taken: Iterable[str]) -> None:
        """Take names away; an image that loses its last one stays, without a name."""
        taken = set(taken)
        self._write([_bare(old) if name_of(old) in taken else old for old in self.index().manifests])

    def drop(self, manifests: Iterable[str]) -> set[str]:
        """Take manifests out of the index with all their names; returns digests of possible garbage."""
        dropped = set(manifests)
        garbage = set(dropped)
        for descriptor in self.index().manifests:
            if descriptor.digest in dropped:
                with contextlib.suppress(Corrupt):  # then the next start finds what is left of it
                    garbage.update(self._blobs_of(descriptor))
        self._write([kept for kept in self.index().manifests if kept.digest not in dropped])
        return garbage

    def reachable(self) -> set[str] | None:
        """Digests of all blobs that belong to something; None where that cannot be told."""
        try:
            return {digest for top in self.index().manifests for digest in self._blobs_of(top)}
        except Corrupt:
            return None

    def delete(self, digests: Iterable[str]) -> None:
        """Delete blobs unless something still needs them."""
        needed = self.reachable()
        if needed is not None:
            for digest in set(digests) - needed:
                self._documents.pop(digest, None)
                with contextlib.suppress(FileNotFoundError):
                    self.path(digest).unlink()

    def _blobs_of(self, descriptor: oci.Descriptor) -> Iterator[str]:
        yield descriptor.digest
        if descriptor.media_type in oci.MANIFESTS:
            manifest, _ = self.documents(descriptor)
            yield manifest.config.digest
            yield from (layer.digest for layer in manifest.layers)
        elif descriptor.media_type in oci.INDEXES:
            for child in oci.decode(
                self.read(descriptor), oci.Index, f"the index {descriptor.digest}"
            ).manifests:
                if self.path(child.digest).exists():  # other platforms' need not be here
                    yield from self._blobs_of(child)
        else:
            raise Corrupt(f"reading {descriptor.digest}: {descriptor.media_type} is no kind of image")

    def _write(self, manifests: list[oci.Descriptor]) -> None:
        named = {descriptor.digest for descriptor in manifests if name_of(descriptor)}
        once = {descriptor.digest: descriptor for descriptor in reversed(manifests)}
        tidy = [
            descriptor
            for descriptor in manifests
            if name_of(descriptor)
            or (descriptor.digest not in named and descriptor is once[descriptor.digest])
        ]
        changed = msgspec.structs.replace(self.index(), manifests=tidy)
        try:
            files.replace(self.folder / "index.json", oci.encode(changed), sync=True)
        except OSError as e:
            raise KernelError.of(f"writing {self.folder / 'index.json'}", e) from e


def name_of(descriptor: oci.Descriptor) -> str:
    """The name under which a descriptor stands in the index; empty without a usable one."""
    for key in (oci.REF_NAME, oci.CONTAINERD_NAME):
        if name := descriptor.annotations.get(key):
            with contextlib.suppress(BadRequest):
                return names.normal(name)
    return ""


def source_of(descriptor: oci.Descriptor) -> str:
    """`registry/repository@digest` that an image was pulled as; empty where it was not."""
    return descriptor.annotations.get(SOURCE, "")


def _bare(descriptor: oci.Descriptor) -> oci.Descriptor:
    names = (oci.REF_NAME, oci.CONTAINERD_NAME)
    others = {key: value for key, value in descriptor.annotations.items() if key not in names}
    return msgspec.structs.replace(descriptor, annotations=others)


def _named(descriptor: oci.Descriptor, name: str) -> oci.Descriptor:
    annotations = {oci.REF_NAME: name, oci.CONTAINERD_NAME: names.qualified(name)}
    return msgspec.structs.replace(descriptor, annotations={**descriptor.annotations, **annotations})
