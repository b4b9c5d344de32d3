"""Loading: from an archive to images that can be started."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterable
from pathlib import Path

from engine.images import names, oci
from engine.images.exchange import documents
from engine.images.exchange.archives import DOING, Loaded, LoadedImage, LoadJob
from engine.images.exchange.progress import Job
from engine.images.exchange.together import together
from engine.images.exchange.unpackers import Unpackers
from engine.images.layers import new_name
from engine.images.shelf import Shelf, in_thread
from engine.images.workers import work


async def load(
    shelf: Shelf, job: Job, unpackers: Unpackers, source: AsyncIterable[bytes], platform: str = ""
) -> list[str]:
    """Take all images of an archive in; their ids. All of them or none.

    Raises BadRequest or Corrupt for what is no archive of images, Unsupported for what cannot run here.
    """
    async with shelf.coming():
        temporary = new_name()
        try:
            asked = LoadJob(str(shelf.store.blobs), temporary, shelf.layers.room(), platform)
            loaded = await work(asked, Loaded, source=source)
        finally:
            await in_thread(_discard, shelf.store.blobs, temporary)
        unpacked: list[str] = []
        try:
            for image in loaded.images:
                _check(image)
                await _unpack(shelf, job, unpackers, image, unpacked)
            return await shelf.change(_enter, shelf, job, loaded.images)
        except BaseException:
            shelf.give_up(loaded.new, unpacked)
            raise


def _check(image: LoadedImage) -> None:
    for name in image.names:
        names.for_new(name)


async def _unpack(
    shelf: Shelf, job: Job, unpackers: Unpackers, image: LoadedImage, unpacked: list[str]
) -> None:
    job.note(image.note)
    manifest = documents.manifest(image.manifest.encode(), DOING)
    config = documents.config(shelf.store.read(manifest.config), manifest, DOING)
    diff_ids = documents.diff_ids(manifest, config, DOING)

    async def one(layer: oci.Descriptor) -> None:
        part = job.part(layer.digest, layer.size)
        unpacked.append(diff_ids[layer.digest])
        if not await unpackers.unpack(layer, diff_ids[layer.digest], part, DOING):
            part.is_now("there")

    await together(one(layer) for layer in {layer.digest: layer for layer in manifest.layers}.values())
    await shelf.fitting.require(manifest, config, DOING)


def _enter(shelf: Shelf, job: Job, images: list[LoadedImage]) -> list[str]:
    ids = []
    for image in images:
        data = image.manifest.encode()
        descriptor = shelf.store.put(image.media_type, data)
        for name in image.names or [""]:
            shelf.store.add(descriptor, name)
        ids.append(documents.manifest(data, DOING).config.digest)
        job.names += image.names or ids[-1:]
    return ids


def _discard(blobs: Path, temporary: str) -> None:
    for path in blobs.glob(f"{temporary}*"):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
