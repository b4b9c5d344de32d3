"""Reads a whole store and says what is wrong with it; runs in a worker."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from engine.errors import BadRequest, Corrupt
from engine.images import oci
from engine.images.compression import CHUNK, decompressed, recognise
from engine.images.store import Store, name_of
from engine.model import StoreReport


class VerifyJob(msgspec.Struct, frozen=True, tag=True):
    """Check the layout in a folder."""

    folder: str


def verify(job: VerifyJob, progress: Callable[[int], None]) -> StoreReport:
    """Do a VerifyJob: every blob against its size and digest, every layer against its diff id."""
    store = Store(Path(job.folder))
    problems: list[str] = []
    checked: dict[str, str] = {}  # by digest: what is wrong with the blob, or nothing
    total = 0

    def check(descriptor: oci.Descriptor, whose: str) -> bool:
        nonlocal total
        if descriptor.digest not in checked:
            checked[descriptor.digest] = _blob_problem(store.path(descriptor.digest), descriptor)
            total += descriptor.size
            progress(total)
        if problem := checked[descriptor.digest]:
            problems.append(f"{whose}: blob {descriptor.digest} {problem}")
        return not problem

    try:
        index = store.index()
    except Corrupt as e:
        return StoreReport(problems=[e.message], blobs=0, size=0)
    layers: dict[str, str] = {}  # blob digest by diff id found right
    for descriptor in index.manifests:
        whose = f"image {name_of(descriptor) or descriptor.digest}"
        if not check(descriptor, whose) or descriptor.media_type not in oci.MANIFESTS:
            continue
        try:
            manifest, config = store.documents(descriptor)
        except Corrupt as e:
            problems.append(f"{whose}: {e.message}")
            continue
        check(manifest.config, whose)
        for layer, diff_id in zip(manifest.layers, config.rootfs.diff_ids, strict=True):
            if check(layer, whose) and layers.get(layer.digest) != diff_id:
                if problem := _layer_problem(store.path(layer.digest), diff_id):
                    problems.append(f"{whose}: layer {layer.digest} {problem}")
                else:
                    layers[layer.digest] = diff_id
    return StoreReport(problems=problems, blobs=len(checked), size=total)


def _blob_problem(path: Path, descriptor: oci.Descriptor) -> str:
    found = hashlib.sha256()
    size = 0
    try:
        with path.open("rb") as file:
            while piece := file.read(CHUNK):
                found.update(piece)
                size += len(piece)
    except OSError as e:
        return f"cannot be read: {e.strerror}"
    if size != descriptor.size:
        return f"has {size} bytes instead of {descriptor.size}"
    if found.hexdigest() != path.name:
        return f"holds sha256:{found.hexdigest()}"
    return ""


def _layer_problem(path: Path, diff_id: str) -> str:
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            compression = recognise(file.read(6))
            file.seek(0)
            for piece in decompressed(file.read, compression):
                found.update(piece)
    except BadRequest as e:
        return f"cannot be unpacked: {e.message}"
    return (
        ""
        if f"sha256:{found.hexdigest()}" == diff_id
        else f"unpacks to sha256:{found.hexdigest()}, not {diff_id}"
    )
