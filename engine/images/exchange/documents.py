"""Manifests, indexes and configs from strangers: refused by the field that is not as the specification says."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from engine import decoding
from engine.errors import Corrupt, Unsupported
from engine.images import oci
from engine.images.platforms import Platform
from engine.images.store import DOCUMENT_LIMIT

CONFIGS = (oci.CONFIG, "application/vnd.docker.container.image.v1+json")
LAYERS = (
    oci.LAYER,
    f"{oci.LAYER}+gzip",
    f"{oci.LAYER}+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
)
FOREIGN = ("nondistributable", "foreign")  # in media types of layers that only their owner hands out
MOST_LAYERS = 500  # overlayfs stacks no more (OVL_MAX_STACK)
REMEDY = "ask those who made the image to make it anew"

T = TypeVar("T", bound=msgspec.Struct)


class _Head(msgspec.Struct, rename="camel"):
    schema_version: int = 0
    media_type: str = ""


def kind(media_type: str, data: bytes, what: str) -> str:
    """The media type of a manifest or an index, from what was said of it and what it says itself.

    Raises Corrupt where the two differ or neither is one, Unsupported for Docker's oldest format.
    """
    head = _decode(data, _Head, what)
    if head.schema_version == 1:
        raise Unsupported(
            f"{what}: schemaVersion is 1, a format that no engine reads any more",
            "have it pushed again by Docker 1.10 or later",
        )
    known = (*oci.MANIFESTS, *oci.INDEXES)
    if head.media_type and media_type in known and head.media_type != media_type:
        raise Corrupt(f"{what}: mediaType is {head.media_type!r}, but it came as {media_type!r}", REMEDY)
    found = head.media_type or media_type
    if found not in known:
        raise Corrupt(f"{what}: mediaType {found!r} is that of no image"[:300], REMEDY)
    return found


def index(data: bytes, what: str) -> oci.Index:
    """An index; raises Corrupt."""
    return _decode(data, oci.Index, what)


def manifest(data: bytes, what: str) -> oci.Manifest:
    """The manifest of an image; Corrupt, or Unsupported where it is that of something else."""
    found = _decode(data, oci.Manifest, what)
    if found.config.media_type not in CONFIGS:
        raise Unsupported(
            f"{what}: config.mediaType is {found.config.media_type!r}: it is no image to run"[:300],
            "choose another name; it may be a chart or a signature",
        )
    if found.config.size > DOCUMENT_LIMIT:
        raise Corrupt(f"{what}: config.size is {found.config.size}, too much for a config", REMEDY)
    if len(found.layers) > MOST_LAYERS:
        raise Unsupported(
            f"{what}: layers has {len(found.layers)} entries, and overlayfs stacks {MOST_LAYERS}",
            "use an image of fewer layers",
        )
    for number, layer in enumerate(found.layers):
        if any(word in layer.media_type for word in FOREIGN):
            raise Unsupported(
                f"{what}: layers[{number}].mediaType is {layer.media_type!r}: only its owner hands it out",
                "use another image; those for Windows are made so",
            )
        if layer.media_type not in LAYERS:
            raise Unsupported(
                f"{what}: layers[{number}].mediaType {layer.media_type!r} is not known here"[:300],
                "use an image whose layers are tar, as it is or compressed with gzip or zstd",
            )
    return found


def config(data: bytes, manifest: oci.Manifest, what: str) -> oci.Image:
    """The config that belongs to a manifest; raises Corrupt."""
    found = _decode(data, oci.Image, what)
    if found.rootfs.type != "layers":
        raise Corrupt(f"{what}: rootfs.type is {found.rootfs.type!r}, not 'layers'", REMEDY)
    if len(found.rootfs.diff_ids) != len(manifest.layers):
        raise Corrupt(
            f"{what}: rootfs.diff_ids has {len(found.rootfs.diff_ids)} entries "
            f"for {len(manifest.layers)} layers",
            REMEDY,
        )
    if not found.os or not found.architecture:
        raise Corrupt(f"{what}: {'architecture' if found.os else 'os'} is empty", REMEDY)
    return found


def diff_ids(manifest: oci.Manifest, config: oci.Image, what: str) -> dict[oci.Digest, oci.Digest]:
    """What each blob unpacks to; raises Corrupt where the config says two things of one."""
    found: dict[oci.Digest, oci.Digest] = {}
    for layer, diff_id in zip(manifest.layers, config.rootfs.diff_ids, strict=True):
        if found.setdefault(layer.digest, diff_id) != diff_id:
            raise Corrupt(
                f"{what}: rootfs.diff_ids has {found[layer.digest]} and {diff_id} for one layer", REMEDY
            )
    return found


class _Platform(msgspec.Struct):
    os: str
    architecture: str
    variant: str = ""


def platform(descriptor: oci.Descriptor) -> Platform | None:
    """What an index says an entry is for; None where it does not say so in a readable way."""
    try:
        found = msgspec.convert(descriptor.platform, _Platform)
    except msgspec.ValidationError:
        return None
    return Platform(found.os, found.architecture, found.variant)


def platform_of(config: oci.Image) -> Platform:
    """What an image is for."""
    return Platform(config.os, config.architecture, config.variant or "")


def _decode(data: bytes, type: type[T], what: str) -> T:
    try:
        return decoding.decode(data, type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Corrupt(f"{what}: {error}", REMEDY) from error
