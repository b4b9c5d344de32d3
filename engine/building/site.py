"""Where one build happens: its folder, its events, and the layers it makes and finds again."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.containers import Containers
from engine.errors import KernelError
from engine.images import oci
from engine.images.platforms import here
from engine.images.shelf import in_thread
from engine.kernel.paths import delete
from engine.model import BuildOptions, BuildProgress
from engine.rootfs.root import Stopped

RESERVE = 0.05  # share of the free space that a build must leave


class Made(msgspec.Struct, frozen=True):
    """A layer that a step made, or found."""

    image: str  # id of the image that ends with it
    layer: oci.Descriptor | None  # None: the step changed nothing
    diff_id: str
    size: int
    cached: bool
    created: str


class Site:
    """One build's place."""

    def __init__(self, containers: Containers, folder: Path, id: str) -> None:
        self.containers = containers
        self.images = containers.rooms.images
        self.options = BuildOptions(containerfile="")
        self.folder = folder
        self.context = folder / "context"
        self.id = id
        self.events: asyncio.Queue[BuildProgress] = asyncio.Queue(
            64
        )  # a client that does not read is waited for
        self._roots = 0

    async def tell(self, progress: BuildProgress) -> None:
        """Tell the client."""
        await self.events.put(progress)

    @property
    def room(self) -> int:
        """Bytes that may be written now; raises KernelError."""
        try:
            space = os.statvfs(self.folder)
        except OSError as error:
            raise KernelError.of(f"asking how much is free in {self.folder}", error) from error
        return int(space.f_bavail * space.f_frsize * (1 - RESERVE))

    async def root(self, image: str) -> Stopped:
        """An image's root with a private layer of this build's own above it; "" is an empty one."""
        self._roots += 1
        base = self.folder / f"root-{self._roots}"
        for part in ("upper", "work", "empty"):
            (base / part).mkdir(parents=True)
        (base / "upper").chmod(0o755)
        lower = await self.images.lower(self.images.get(image)) if image else []
        return Stopped([base / "upper", *(lower or [base / "empty"])], base / "work")

    async def discard(self, root: Stopped) -> None:
        """Delete a root's private layer."""
        await in_thread(delete, root.work.parent)

    def found(self, key: str) -> str:
        """The id of the image that an earlier step with this key left; empty where there is none."""
        return self.images.kept_for(key) if self.options.cache else ""

    async def keep(
        self,
        key: str,
        parent: str,
        upper: Path,
        lower: Sequence[Path],
        stubs: Collection[str] = (),
    ) -> Made:
        """Make a layer of a private one, and an image that ends with it, to be found again by `key`."""
        manifest, config = self.images.documents(parent) if parent else (None, None)
        layers = list(manifest.layers) if manifest else []
        diff_ids = list(config.rootfs.diff_ids) if config else []
        packed = await self.images.pack(upper, lower, stubs=stubs, latest=self.options.epoch)
        if packed.entries:
            layers.append(packed.layer)
            diff_ids.append(packed.diff_id)
        created = self.now()
        image = oci.Image(
            architecture=config.architecture if config else architecture(),
            os="linux",
            created=created,
            config=oci.Execution(labels={oci.BUILD_CACHE: key}),
            rootfs=oci.RootFs(diff_ids=diff_ids),
            history=[oci.Step(created=created, created_by="tiffin build", comment="kept for later builds")],
        )
        kept = await self.images.enter(image, layers)
        return Made(
            kept.id, packed.layer if packed.entries else None, packed.diff_id, packed.unpacked, False, created
        )

    def reuse(self, image: str, parent: str) -> Made:
        """The layer that an image found by its key has above its parent."""
        manifest, config = self.images.documents(image)
        below = len(self.images.documents(parent)[0].layers) if parent else 0
        layer = manifest.layers[-1] if len(manifest.layers) > below else None
        diff_id = config.rootfs.diff_ids[-1] if layer else ""
        return Made(image, layer, diff_id, 0, True, config.created or "")

    def now(self) -> str:
        """The time to record: SOURCE_DATE_EPOCH where it is set."""
        epoch = self.options.epoch
        return oci.moment(time.time() if epoch is None else epoch)


def key(what: str, **parts: Any) -> str:
    """The key of a layer: a digest of everything that determines it."""
    text = msgspec.json.encode({"tiffin": 1, "what": what, **parts}, order="sorted")
    return hashlib.sha256(text).hexdigest()


def architecture() -> str:
    """This machine's, as image configs call it."""
    return here().architecture
