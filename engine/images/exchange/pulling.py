"""Pulling: from a name to an image that can be started."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from engine.errors import Corrupt, NotFound, NotPermitted, TiffinError, Unreachable, Unsupported
from engine.images import oci, platforms
from engine.images.exchange import documents
from engine.images.exchange.downloads import Downloads
from engine.images.exchange.progress import Job
from engine.images.exchange.together import together
from engine.images.exchange.unpackers import Unpackers
from engine.images.platforms import Platform
from engine.images.registry.reference import Reference
from engine.images.registry.repository import Document, Repository, persist
from engine.images.registry.session import Session
from engine.images.registry.settings import Settings
from engine.images.shelf import Shelf
from engine.images.store import SOURCE
from engine.model import RegistryLogin

LANES = 4  # blobs that are fetched at once


class Pulling:
    """What pulls of one instance share."""

    def __init__(self, shelf: Shelf, unpackers: Unpackers, settings: Settings, folder: Path) -> None:
        self._shelf = shelf
        self._unpackers = unpackers
        self._settings = settings
        self.downloads = Downloads(folder, shelf.store)

    async def pull(
        self, job: Job, reference: Reference, wanted: Platform | None, login: RegistryLogin
    ) -> str:
        """Fetch an image, unpack it and enter it; its id.

        Refused before its layers are fetched where it cannot run here: Unsupported. Raises Corrupt where the
        registry sends what is not as specified, NotFound, NotPermitted, Unreachable, KernelError.
        """
        doing = f"pulling {reference}"
        session = Session(reference.registry, reference.host, self._settings, login, doing, LANES + 1)
        async with session, self._shelf.coming():
            one = _One(self, job, reference, doing, Repository(session, reference))
            return await one.pull(wanted)


class _One:
    """One pull."""

    def __init__(
        self, pulling: Pulling, job: Job, reference: Reference, doing: str, repository: Repository
    ) -> None:
        self._pulling = pulling
        self._shelf = pulling._shelf
        self._job = job
        self._reference = reference
        self._doing = doing
        self._repository = repository
        self._new: list[str] = []  # blobs that were not here before
        self._unpacked: list[str] = []  # diff ids of layers that were not

    async def pull(self, wanted: Platform | None) -> str:
        top = await self._document("")
        self._job.digest = top.digest
        document = await self._chosen(top, wanted) if top.media_type in oci.INDEXES else top
        what = f"{self._doing}: the manifest"
        manifest = documents.manifest(document.data, what)
        try:
            config = await self._config(manifest)
            self._check(documents.platform_of(config), wanted)
            self._room(manifest)
            await self._layers(manifest, config)
            await self._shelf.fitting.require(manifest, config, self._doing)
        except (Unreachable, NotPermitted, NotFound):
            raise  # what has come is for the next try
        except TiffinError:
            self._shelf.give_up(self._new, self._unpacked)
            raise
        source = f"{self._reference.place}@{top.digest}"
        await self._shelf.change(self._enter, document, source)
        return manifest.config.digest

    async def _document(self, what: str) -> Document:
        async def attempt() -> Document:
            found = await self._repository.manifest(what)
            media_type = documents.kind(found.media_type, found.data, f"{self._doing}: the manifest")
            return found._replace(media_type=media_type)

        return await persist(attempt, self._job.note)

    async def _chosen(self, top: Document, wanted: Platform | None) -> Document:
        entries = documents.index(top.data, f"{self._doing}: the index").manifests
        entries = [entry for entry in entries if entry.media_type in oci.MANIFESTS]
        number = platforms.choose(map(documents.platform, entries), wanted, self._doing)
        found = await self._document(entries[number].digest)
        if found.media_type not in oci.MANIFESTS:
            raise Corrupt(f"{self._doing}: the index leads to another index", documents.REMEDY)
        if len(found.data) != entries[number].size:
            raise Corrupt(
                f"{self._doing}: manifests[{number}].size of the index is {entries[number].size}, "
                f"but the manifest has {len(found.data)} bytes",
                documents.REMEDY,
            )
        return found

    async def _config(self, manifest: oci.Manifest) -> oci.Image:
        await self._fetch(manifest.config)
        data = await asyncio.to_thread(self._shelf.store.read, manifest.config)
        return documents.config(data, manifest, f"{self._doing}: the config")

    def _check(self, platform: Platform, wanted: Platform | None) -> None:
        self._job.note(platforms.check(platform, self._doing))
        if wanted and platform[:2] != wanted[:2]:
            raise Unsupported(
                f"{self._doing}: it is for {platform}, not for {wanted}", "leave --platform out"
            )

    def _room(self, manifest: oci.Manifest) -> None:
        store = self._shelf.store
        missing = sum(
            {
                layer.digest: layer.size for layer in manifest.layers if not store.path(layer.digest).exists()
            }.values()
        )
        if missing > (room := self._shelf.layers.room()):
            raise Unsupported(
                f"{self._doing}: its layers have {missing >> 20} MiB, and {room >> 20} MiB are free",
                "free some space where tiffin keeps its state",
            )

    async def _layers(self, manifest: oci.Manifest, config: oci.Image) -> None:
        lanes = asyncio.Semaphore(LANES)
        diff_ids = documents.diff_ids(manifest, config, f"{self._doing}: the config")
        for layer in manifest.layers:
            self._job.part(layer.digest, layer.size)

        async def one(layer: oci.Descriptor) -> None:
            part = self._job.part(layer.digest, layer.size)
            async with lanes:
                await self._fetch(layer)
            self._unpacked.append(diff_ids[layer.digest])
            await self._pulling._unpackers.unpack(layer, diff_ids[layer.digest], part, self._doing)

        await together(one(layer) for layer in {layer.digest: layer for layer in manifest.layers}.values())

    async def _fetch(self, blob: oci.Descriptor) -> None:
        if not self._shelf.store.path(blob.digest).exists():
            self._new.append(blob.digest)  # before it comes: it may end whole although it was given up
        part = self._job.part(blob.digest, blob.size)
        await self._pulling.downloads.fetch(self._repository, blob, part, self._doing)

    def _enter(self, document: Document, source: str) -> None:
        store = self._shelf.store
        descriptor = store.put(document.media_type, document.data)
        store.add(msgspec.structs.replace(descriptor, annotations={SOURCE: source}), self._reference.name)
