"""The images of an instance: `host`, and what the content store holds."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import stat
import time
from collections import Counter
from collections.abc import AsyncIterable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from engine.errors import BadRequest, Conflict, KernelError, NotFound, TiffinError, Unsupported
from engine.images import fitting, host, making, names, oci, platforms
from engine.images.exchange.exchange import Exchange
from engine.images.keeping import Keeping
from engine.images.layers import new_name
from engine.images.packing import Packed
from engine.images.platforms import Platform
from engine.images.shelf import Shelf, in_thread
from engine.images.store import Stored, source_of
from engine.images.unpacking import ImportJob, Unpacked
from engine.images.verify import VerifyJob
from engine.images.workers import work
from engine.instance import Instance
from engine.model import ImageCheck, ImageConfig, ImageRemoval, ImageSummary, StoreReport

ID_PREFIX = re.compile("(?:sha256:)?([0-9a-f]{4,64})")

Source = str | os.PathLike[str] | AsyncIterable[bytes]
Paths = list[Path]  # within the class, `list` is its method
Sentences = list[str]
Summaries = list[ImageSummary]
Checks = list[ImageCheck]


class Images:
    """All images of one instance; one object in the one engine process."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._host = host.Host(instance)
        self._shelf = Shelf(instance)
        self._store = self._shelf.store
        self._layers = self._shelf.layers
        self.keeping = Keeping(self._shelf, self._find_stored)
        self.exchange = Exchange(instance, self._shelf, self.get, self._find_stored)
        self.fitting = self._shelf.fitting
        self._fitting_here: set[str] = set()  # ids of images that were found to run on this machine

    async def open(self) -> None:
        """Make the store's folders, sweep what a killed engine left half-made; once, before all else."""
        await asyncio.to_thread(self._open)

    def _open(self) -> None:
        for folder in (self._instance.state, self._layers.folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._store.open()
        self._store.sweep()
        used = self._layers.used()
        self._layers.sweep(self._shelf.diff_ids(), used)
        self._host.sweep(used)
        self.exchange.open()

    async def close(self) -> None:
        """End all work in progress, and leave what containers stand on."""
        await self.exchange.close()
        await self._host.close()
        await self._layers.close()
        await asyncio.to_thread(lambda: self._host.sweep(self._layers.used()))

    # ── what there is ───────────────────────────────────────────────────────────────────────────────────────

    def get(self, ref: str) -> ImageSummary:
        """The image by name, `name:tag`, `name@digest`, id, digest, or the unique beginning of an id.

        Raises NotFound; BadRequest where several ids begin so.
        """
        if names.known(ref) == host.NAME:
            return self._host.summary()
        return self._summary(self._find(ref), self._owners())

    def list(self) -> Summaries:
        """All images, the built-in one first, then the newest; not those that builds keep to build on again."""
        owners = self._owners()
        stored = [self._summary(image, owners) for image in self._store.images() if not image.build_key]
        return [self._host.summary(), *sorted(stored, key=lambda image: -image.created_at)]

    def _owners(self) -> Counter[str]:
        """How many images have each layer, by diff id."""
        return Counter(
            diff_id
            for image in self._store.images()
            if not image.build_key
            for diff_id in set(image.config.rootfs.diff_ids)
        )

    def kept_for(self, key: str) -> str:
        """The id of the image that a build has left under this key; empty where there is none."""
        return next((image.id for image in self._store.images() if image.build_key == key), "")

    def _find_stored(self, ref: str) -> Stored:
        if ref == host.ID or names.known(ref) == host.NAME:
            raise Unsupported(
                "the image host is this machine itself, and not stored in layers",
                "choose another image; `tiffin import` makes one of a root file system",
            )
        return self._find(ref)

    def _find(self, ref: str) -> Stored:
        images = self._store.images()
        ref = ref.partition("@")[2] or ref
        for image in images:
            known = (d for m in image.manifests for d in (m.digest, source_of(m).partition("@")[2]))
            if ref == image.id or (ref and ref in known):
                return image
        with contextlib.suppress(BadRequest):
            wanted = names.normal(ref)
            for image in images:
                if wanted in image.names:
                    return image
        if prefix := ID_PREFIX.fullmatch(ref):
            found = [image for image in images if image.id[7:].startswith(prefix[1])]
            if len(found) == 1:
                return found[0]
            if found:
                raise BadRequest(
                    f"{len(found)} images have ids that begin with {prefix[1]}", "give more digits"
                )
        raise NotFound(f"there is no image {ref!r}", "see what there is with: tiffin images")

    def _summary(self, image: Stored, owners: Mapping[str, int]) -> ImageSummary:
        layers = image.config.rootfs.diff_ids
        sizes = {
            diff_id: self._layers.size(diff_id, layer.size)
            for diff_id, layer in zip(layers, image.manifest.layers, strict=True)
        }
        return ImageSummary(
            id=image.id,
            names=image.names,
            created_at=oci.seconds(image.config.created),
            size=sum(sizes.values()),
            shared=sum(size for diff_id, size in sizes.items() if owners[diff_id] > 1),
            digest=image.manifests[0].digest,
            architecture=image.config.architecture,
            os=image.config.os,
            layers=layers,
            config=_inherited(image.config.config or oci.Execution()),
        )

    # ── what a container needs ──────────────────────────────────────────────────────────────────────────────

    async def lower(self, image: ImageSummary) -> Paths:
        """The image's unpacked layers for overlayfs, topmost first; what is missing is unpacked anew.

        Raises NotFound, Corrupt where a blob is not what it was, Unsupported (`host`), KernelError.
        """
        if image.id == host.ID:
            return await self._host.lower()
        if not all(self._layers.path(diff_id).is_dir() for diff_id in image.layers):
            await self._unpack(self._find(image.id))
        await self._layers.mend(image.layers)
        if image.id not in self._fitting_here:
            stored = self._find(image.id)
            await self.fitting.require(stored.manifest, stored.config, f"running {stored.called}")
            self._fitting_here.add(image.id)
        return self._layers.stack(image.layers)

    async def _unpack(self, image: Stored) -> None:
        blobs = [self._store.path(layer.digest) for layer in image.manifest.layers]
        async with self._shelf.coming():
            await self._layers.ready_all(dict(zip(image.config.rootfs.diff_ids, blobs, strict=True)))

    async def check(self, ref: str = "") -> Checks:
        """Whether one image's containers, or those of all, can run here; what is missing is unpacked.

        Raises NotFound.
        """
        of_host = ref == host.ID or names.known(ref) == host.NAME
        checks = [await self.fitting.check_host(self._host.summary())] if of_host or not ref else []
        for image in [] if of_host else [self._find(ref)] if ref else self._store.images():
            try:
                if platforms.fit(Platform(image.config.os, image.config.architecture)).rank is not None:
                    await self._unpack(image)
            except TiffinError as e:
                checks.append(fitting.unreadable(image.manifest, image.config, image.names, e))
            else:
                checks.append(await self.fitting.check(image.manifest, image.config, image.names))
        return checks

    def host_gaps(self) -> Sentences:
        """What of this machine containers from `host` lack, a sentence each, for the doctor."""
        return self._host.gaps()

    # ── what is made here ───────────────────────────────────────────────────────────────────────────────────

    def coming(self) -> AbstractAsyncContextManager[None]:
        """Nothing is deleted inside the block: an image that is on its way in may share it."""
        return self._shelf.coming()

    def documents(self, ref: str) -> tuple[oci.Manifest, oci.Image]:
        """An image's manifest and config as they are stored; NotFound, and Unsupported for `host`."""
        stored = self._find_stored(ref)
        return stored.manifest, stored.config

    async def pack(
        self,
        upper: Path,
        lower: Sequence[Path],
        *,
        stubs: Collection[str] = (),
        latest: float | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Packed:
        """Make a layer in the store of what `upper` changes of `lower`; see `making.pack`."""
        return await making.pack(self._shelf, upper, lower, stubs=stubs, latest=latest, progress=progress)

    async def enter(
        self, config: oci.Image, layers: Sequence[oci.Descriptor], name: str = ""
    ) -> ImageSummary:
        """Make an image of a config and layers that are in the store; see `making.enter`."""
        return self.get(await making.enter(self._shelf, config, layers, name))

    # ── what comes and goes ─────────────────────────────────────────────────────────────────────────────────

    async def import_rootfs(
        self, source: Source, name: str, progress: Callable[[int], None] | None = None
    ) -> ImageSummary:
        """Make an image of the tar archive of a root file system, and give it `name`.

        The archive is a file's path or comes as bytes; uncompressed, gzip, zstd or xz. `progress` hears how
        many of its bytes were read. Raises BadRequest for an archive that is none, KernelError.
        """
        name = names.for_new(name)
        archive = source if isinstance(source, AsyncIterable) else _open_archive(source)
        temporary = new_name()
        async with self._shelf.coming():
            try:
                room = self._layers.room()
                job = ImportJob(str(self._store.blobs), str(self._layers.folder), temporary, room)
                layer = await work(job, Unpacked, source=archive, progress=progress)
            finally:
                if isinstance(archive, int):
                    os.close(archive)
                await in_thread(self._discard, temporary)
            try:
                await self._shelf.change(self._enter, layer, name)
            except BaseException:
                self._shelf.give_up([layer.digest], [layer.diff_id])
                raise
        return self.get(name)

    def _discard(self, temporary: str) -> None:
        self._store.path(temporary).unlink(missing_ok=True)
        self._layers.discard(temporary)

    def _enter(self, layer: Unpacked, name: str) -> None:
        created = oci.moment(time.time())
        config = oci.Image(
            architecture=layer.architecture or host.architecture(),
            os="linux",
            created=created,
            config=oci.Execution(env=[host.PATH], cmd=["/bin/sh"] if layer.shell else None),
            rootfs=oci.RootFs(diff_ids=[layer.diff_id]),
            history=[oci.Step(created=created, created_by="tiffin import", comment="a root file system")],
        )
        manifest = oci.Manifest(
            schema_version=2,
            media_type=oci.MANIFEST,
            config=self._store.put(oci.CONFIG, oci.encode(config)),
            layers=[oci.Descriptor(media_type=layer.media_type, digest=layer.digest, size=layer.size)],
        )
        self._store.tag(self._store.put(oci.MANIFEST, oci.encode(manifest)), name)

    async def remove(
        self, ref: str, in_use: Mapping[str, Collection[str]], force: bool = False
    ) -> ImageRemoval:
        """Take a name away, and delete the image with its last one; see `Keeping.remove`."""
        if ref == host.ID or names.known(ref) == host.NAME:
            raise Conflict(
                "the image host is this machine itself and cannot be removed", "choose another image"
            )
        return await self.keeping.remove(ref, in_use, force)

    async def verify(self, progress: Callable[[int], None] | None = None) -> StoreReport:
        """Read the whole store in a worker and tell what is wrong with it."""
        return await work(VerifyJob(str(self._store.folder)), StoreReport, progress=progress)


def _open_archive(path: str | os.PathLike[str]) -> int:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO would wait for its writer
    except FileNotFoundError:
        raise NotFound(f"there is no file {os.fspath(path)!r}", "give the path of a tar archive") from None
    except OSError as e:
        raise KernelError.of(f"opening {os.fspath(path)}", e) from e
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise BadRequest(f"{os.fspath(path)!r} is not a file", "give a tar archive, or pipe it in")
    return fd


def _inherited(execution: oci.Execution) -> ImageConfig:
    return ImageConfig(
        env=execution.env or [],
        entrypoint=execution.entrypoint or [],
        command=execution.cmd or [],
        workdir=execution.working_dir or "",
        user=execution.user or "",
        labels=execution.labels or {},
        stop_signal=execution.stop_signal or "",
        volumes=list(execution.volumes or {}),
        exposed=list(execution.exposed_ports or {}),
    )
