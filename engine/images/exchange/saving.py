"""Saving: images as an archive that others read, docker-archive or OCI archive.

Blobs go out as they are; but for docker-archive, whose readers may know no zstd, such layers are decompressed.
Formats: OCI image-layout.md; Docker's image/spec/v1.2.md.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine.images import names, oci
from engine.images.exchange.inflating import Inflated, InflateJob
from engine.images.layers import new_name
from engine.images.shelf import Shelf, in_thread
from engine.images.store import Stored, name_of
from engine.images.workers import work
from engine.rootfs.header import header
from engine.rootfs.tar import BLOCK, Member

PIECE = 1 << 20  # bytes read at once
END = bytes(2 * BLOCK)

FORMATS = ("docker-archive", "oci-archive")


class Chosen(NamedTuple):
    """An image to save, and the names it is to have in the archive."""

    image: Stored
    names: list[str]


class _Content(NamedTuple):
    name: str
    size: int
    data: bytes | Path


class Archive:
    """An archive that is written as it is sent; an async context manager that makes and deletes its parts."""

    def __init__(self, shelf: Shelf, chosen: Sequence[Chosen], format: str) -> None:
        self._shelf = shelf
        self._chosen = chosen
        self._format = format
        self._contents: list[_Content] = []
        self._temporary: list[Path] = []
        self._coming = shelf.coming()

    async def __aenter__(self) -> Archive:
        await self._coming.__aenter__()  # what is being read is not deleted meanwhile
        try:
            contents = await (self._docker() if self._format == "docker-archive" else self._layout())
            self._contents = list({content.name: content for content in contents}.values())
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for path in self._temporary:
            await in_thread(path.unlink, missing_ok=True)
        await self._coming.__aexit__(None, None, None)

    @property
    def size(self) -> int:
        """Bytes of the whole archive."""
        return sum(
            len(_head(content)) + content.size + -content.size % BLOCK for content in self._contents
        ) + len(END)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The archive."""
        for content in self._contents:
            yield _head(content)
            if isinstance(content.data, bytes):
                yield content.data
            else:
                async for piece in _read(content.data):
                    yield piece
            yield bytes(-content.size % BLOCK)
        yield END

    async def _layout(self) -> list[_Content]:
        contents = [_of("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')]
        manifests: list[oci.Descriptor] = []
        for image, given in self._chosen:
            top = _manifest(image, given)
            bare = oci.Descriptor(media_type=top.media_type, digest=top.digest, size=top.size)
            for name in given or [""]:
                keys = {oci.REF_NAME: name, oci.CONTAINERD_NAME: names.qualified(name)} if name else {}
                manifests.append(msgspec.structs.replace(bare, annotations=keys))
            document, _ = self._shelf.store.documents(top)
            contents += [self._blob(blob) for blob in (top, document.config, *document.layers)]
        index = oci.Index(schema_version=2, media_type=oci.INDEX, manifests=manifests)
        return [*contents, _of("index.json", oci.encode(index))]

    def _blob(self, blob: oci.Descriptor) -> _Content:
        return _Content(f"blobs/sha256/{blob.digest[7:]}", blob.size, self._shelf.store.path(blob.digest))

    async def _docker(self) -> list[_Content]:
        contents: dict[str, _Content] = {}
        entries = []
        for image, given in self._chosen:
            document, config = self._shelf.store.documents(_manifest(image, given))
            name = f"{document.config.digest[7:]}.json"
            contents[name] = _Content(
                name, document.config.size, self._shelf.store.path(document.config.digest)
            )
            layers = []
            for layer, diff_id in zip(document.layers, config.rootfs.diff_ids, strict=True):
                name = f"{diff_id[7:]}/layer.tar"
                if name not in contents:
                    contents[name] = await self._layer(layer, name)
                layers.append(name)
            entries.append(
                {"Config": f"{document.config.digest[7:]}.json", "RepoTags": given or None, "Layers": layers}
            )
        return [*contents.values(), _of("manifest.json", msgspec.json.encode(entries))]

    async def _layer(self, layer: oci.Descriptor, name: str) -> _Content:
        path = self._shelf.store.path(layer.digest)
        if not layer.media_type.endswith("zstd"):
            return _Content(name, layer.size, path)
        plain = self._shelf.store.path(new_name())
        self._temporary.append(plain)
        job = InflateJob(str(plain.parent), plain.name, self._shelf.layers.room())
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            inflated = await work(job, Inflated, source=fd)
        finally:
            os.close(fd)
        return _Content(name, inflated.size, plain)


def _manifest(image: Stored, given: list[str]) -> oci.Descriptor:
    """The manifest that bears one of the names; an image may be stored in two ways."""
    return next((m for m in image.manifests if name_of(m) in given), image.manifests[0])


def _of(name: str, data: bytes) -> _Content:
    return _Content(name, len(data), data)


def _head(content: _Content) -> bytes:
    return header(Member(content.name, "file", size=content.size))


async def _read(path: Path) -> AsyncIterator[bytes]:
    fd = await asyncio.to_thread(os.open, path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while piece := await asyncio.to_thread(os.read, fd, PIECE):
            yield piece
    finally:
        os.close(fd)
