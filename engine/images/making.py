"""Images made here: a container's private layer becomes a layer, a config and layers become an image."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from engine.images import names, oci
from engine.images.layers import new_name
from engine.images.packing import Packed, PackJob
from engine.images.shelf import Shelf, in_thread
from engine.images.workers import work


async def pack(
    shelf: Shelf,
    upper: Path,
    lower: Sequence[Path],
    *,
    stubs: Collection[str] = (),
    latest: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> Packed:
    """Make a layer in the store of what `upper` changes of `lower`, topmost first, as overlayfs has them.

    Nothing needs it until `enter` names it in an image: hold `shelf.coming()` around both. `stubs` are paths
    where something is mounted, whose empty places are left out; no time in the layer is later than `latest`,
    Unix seconds (SOURCE_DATE_EPOCH). Raises Unsupported, KernelError.
    """
    temporary = new_name()
    job = PackJob(
        str(shelf.store.blobs),
        [str(upper), *map(str, lower)],
        temporary,
        sorted(stubs),
        None if latest is None else int(latest * 10**9),
    )
    try:
        return await work(job, Packed, progress=progress)
    finally:
        await in_thread(shelf.store.path(temporary).unlink, missing_ok=True)


async def enter(shelf: Shelf, config: oci.Image, layers: Sequence[oci.Descriptor], name: str = "") -> str:
    """Make an image of a config and its layers, lowest first, which are in the store; its id.

    The config's diff ids are those of the layers. Without a name it stays until it is pruned. Raises
    BadRequest for a bad name, Corrupt, KernelError.
    """
    name = names.for_new(name) if name else ""

    def put() -> str:
        stored = shelf.store.put(oci.CONFIG, oci.encode(config))
        manifest = oci.Manifest(schema_version=2, media_type=oci.MANIFEST, config=stored, layers=list(layers))
        shelf.store.add(shelf.store.put(oci.MANIFEST, oci.encode(manifest)), name)
        return stored.digest

    return await shelf.change(put)
