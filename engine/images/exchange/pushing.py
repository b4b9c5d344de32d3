"""Pushing: an image to a registry, byte for byte as it is in the store."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from yarl import URL

from engine.errors import Corrupt, Unreachable
from engine.images import oci
from engine.images.exchange.progress import Job, Part
from engine.images.exchange.together import together
from engine.images.registry import reference
from engine.images.registry.reference import Reference
from engine.images.registry.repository import Repository, persist
from engine.images.registry.session import Session
from engine.images.registry.settings import Settings
from engine.images.shelf import Shelf
from engine.images.store import Stored, name_of, source_of
from engine.model import RegistryLogin

LANES = 4  # blobs that are sent at once
PIECE = 1 << 20  # bytes read at once
SMALL = 1 << 20  # bytes of a blob that is sent in one request


async def push(
    shelf: Shelf, settings: Settings, job: Job, image: Stored, place: Reference, login: RegistryLogin
) -> None:
    """Send what the registry lacks of an image, its manifest last.

    Raises NotPermitted, NotFound, Unreachable, and Corrupt where a blob is missing here.
    """
    doing = f"pushing {place}"
    sources = _sources(shelf, place)
    manifest = next((m for m in image.manifests if name_of(m) == place.name), image.manifests[0])
    document, _ = shelf.store.documents(manifest)
    blobs = {blob.digest: blob for blob in (*document.layers, document.config)}
    froms = {digest: sources.get(digest, "") for digest in blobs}
    session = Session(place.registry, place.host, settings, login, doing, LANES + 1)
    async with session, shelf.coming():
        repository = Repository(session, place, push=True, sources=set(froms.values()) - {""})
        lanes = asyncio.Semaphore(LANES)
        for blob in blobs.values():
            job.part(blob.digest, blob.size)

        async def one(blob: oci.Descriptor) -> None:
            async with lanes:
                upload = _Upload(repository, shelf.store.path(blob.digest), blob, froms[blob.digest])
                await upload.run(job.part(blob.digest, blob.size))

        await together(one(blob) for blob in blobs.values())
        data = shelf.store.read(manifest)
        job.digest = manifest.digest
        await persist(lambda: repository.put_manifest(place.what, manifest.media_type, data), job.note)


def _sources(shelf: Shelf, place: Reference) -> dict[str, str]:
    """Blobs that another repository of the same registry has, as far as is known: it was pulled from there."""
    found: dict[str, str] = {}
    for image in shelf.store.images():
        for manifest in image.manifests:
            if source := source_of(manifest):
                there = reference.parse(source)
                if there.registry == place.registry and there.repository != place.repository:
                    document, _ = shelf.store.documents(manifest)
                    found.update((b.digest, there.repository) for b in (document.config, *document.layers))
    return found


class _Upload:
    """One blob on its way out."""

    def __init__(self, repository: Repository, path: Path, blob: oci.Descriptor, source: str) -> None:
        self._repository = repository
        self._path = path
        self._blob = blob
        self._source = source
        self._upload: URL | None = None
        self._sent = 0

    async def run(self, part: Part) -> None:
        """Have it at the registry, by whatever is least work."""
        self._part = part
        await persist(self._attempt, lambda why: part.is_now("retrying", why), lambda: self._sent)

    async def _attempt(self) -> None:
        if self._upload is None:
            if await self._repository.has(self._blob.digest):
                self._part.is_now("there")
                return
            if (upload := await self._repository.begin(self._blob.digest, self._source)) is None:
                self._part.is_now("mounted")
                return
            self._sent = 0
        elif went := await self._repository.received(self._upload):
            upload, self._sent = went
        else:
            self._upload = None  # it forgot; from the start then
            await self._attempt()
            return
        self._part.is_now("moving")
        left = self._blob.size - self._sent
        if self._blob.size <= SMALL:
            await self._repository.finish(upload, self._blob.digest, left, self._data(self._sent))
        else:
            self._upload = upload
            if left:
                self._upload = await self._repository.send(upload, self._data(self._sent), self._sent, left)
            await self._finish(self._upload)
        self._part.is_now("done")

    async def _finish(self, upload: URL) -> None:
        try:
            await self._repository.finish(upload, self._blob.digest)
        except Unreachable:
            self._upload = None  # what it has is not the blob: whatever comes next begins anew
            raise

    def _data(self, start: int) -> Callable[[], AsyncIterator[bytes]]:
        """The blob from a byte on, told as it goes; made anew where the request is."""

        async def pieces() -> AsyncIterator[bytes]:
            fd = self._open()
            try:
                position = start
                while piece := await asyncio.to_thread(os.pread, fd, PIECE, position):
                    yield piece
                    position += len(piece)
                    self._sent = position
                    self._part.moved(position)
            finally:
                os.close(fd)

        return pieces

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise Corrupt(
                f"pushing: the blob {self._blob.digest} cannot be read: {error.strerror}",
                "get the image again",
            ) from error
