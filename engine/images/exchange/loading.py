"""Loading: from an archive to images that can be started."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterable, Awaitable, Callable
from pathlib import Path

from engine.errors import Corrupt
from engine.images import names, oci
from engine.images.exchange import documents
from engine.images.exchange.archives import DOING, Loaded, LoadedImage, LoadJob
from engine.images.exchange.progress import Job
from engine.images.exchange.together import together
from engine.images.layers import new_name
from engine.images.shelf import Shelf, in_thread
from engine.images.workers import work

Ready = Callable[[str, Path], Awaitable[None]]


async def load(
    shelf: Shelf, job: Job, ready: Ready, source: AsyncIterable[bytes], platform: str = ""
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
                await _unpack(shelf, job, ready, image, unpacked)
            return await shelf.change(_enter, shelf, loaded.images)
        except BaseException:
            shelf.give_up(loaded.new, unpacked)
            raise


def _check(image: LoadedImage) -> None:
    for name in image.names:
        names.for_new(name)


async def _unpack(shelf: Shelf, job: Job, ready: Ready, image: LoadedImage, unpacked: list[str]) -> None:
    job.note(image.note)
    manifest = documents.manifest(image.manifest.encode(), DOING)
    config = documents.config(shelf.store.read(manifest.config), manifest, DOING)
    diff_ids = documents.diff_ids(manifest, config, DOING)

    async def one(layer: oci.Descriptor) -> None:
        diff_id = diff_ids[layer.digest]
        part = job.part(layer.digest, layer.size)
        if shelf.layers.path(diff_id).is_dir():
            part.is_now("there")
            return
        part.is_now("unpacking")
        unpacked.append(diff_id)
        try:
            await ready(diff_id, shelf.store.path(layer.digest))
        except Corrupt as error:
            raise Corrupt(f"{DOING}: {error.message}", documents.REMEDY) from error
        part.is_now("done")

    await together(one(layer) for layer in {layer.digest: layer for layer in manifest.layers}.values())


def _enter(shelf: Shelf, images: list[LoadedImage]) -> list[str]:
    ids = []
    for image in images:
        data = image.manifest.encode()
        descriptor = shelf.store.put(image.media_type, data)
        for name in image.names or [""]:
            shelf.store.add(descriptor, name)
        ids.append(documents.manifest(data, DOING).config.digest)
    return ids


def _discard(blobs: Path, temporary: str) -> None:
    for path in blobs.glob(f"{temporary}*"):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
