"""Images made by hand, a layer at a time, and stores to put them into."""

from __future__ import annotations

import asyncio
import gzip
import io
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import zstandard

from engine.images import Images, oci
from engine.model import ImageSummary

Entry = tuple[tarfile.TarInfo, bytes]

PACKING: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    "+gzip": lambda data: gzip.compress(data, mtime=0),
    "+zstd": lambda data: zstandard.ZstdCompressor().compress(data),
}


def entry(name: str, content: bytes | None = None, **more: object) -> Entry:
    """A member of a tar: a folder without content; `type` and the like as TarInfo has them."""
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
    info.mode, info.mtime = (0o755 if content is None else 0o644), 1_000_000
    info.size = len(content or b"")
    for key, value in more.items():
        setattr(info, key, value)
    return info, content or b""


def tar(*entries: Entry) -> bytes:
    """An archive in pax format."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as file:
        for info, content in entries:
            file.addfile(info, io.BytesIO(content))
    return out.getvalue()


async def put(
    images: Images,
    layers: Sequence[bytes],
    name: str,
    packing: str = "+gzip",
    *,
    annotations: dict[str, str] | None = None,
    **config: object,
) -> ImageSummary:
    """Put an image of uncompressed layer tars, lowest first, into the store as another tool would."""
    store = images._store
    descriptors = [
        await asyncio.to_thread(store.put, oci.LAYER + packing, PACKING[packing](layer)) for layer in layers
    ]
    fields = {"architecture": "amd64", "os": "linux", **config}
    image = oci.Image(rootfs=oci.RootFs(diff_ids=[oci.digest(layer) for layer in layers]), **fields)  # type: ignore[arg-type]
    manifest = oci.Manifest(
        schema_version=2,
        media_type=oci.MANIFEST,
        config=store.put(oci.CONFIG, oci.encode(image)),
        layers=descriptors,
        annotations=annotations or {},
    )
    store.add(store.put(oci.MANIFEST, oci.encode(manifest)), f"{name}:latest")
    return images.get(name)


def blob(images: Images, digest: str) -> Path:
    """Where a blob lies."""
    return images._store.path(digest)
