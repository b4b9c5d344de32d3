"""What the OCI image-spec keeps in JSON, as typed data; unknown fields are passed over.

Spec: https://github.com/opencontainers/image-spec (image-layout.md, image-index.md, manifest.md, config.md,
annotations.md), version 1.1. Docker's media types for the same documents are read as well.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from engine import decoding
from engine.errors import Corrupt

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"  # "+gzip" and "+zstd" where compressed
MANIFESTS = (MANIFEST, "application/vnd.docker.distribution.manifest.v2+json")
INDEXES = (INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
BUILD_CACHE = "io.tiffin.build.cache"  # label: a step of a build, kept to be found by this key
REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"

Digest = Annotated[str, msgspec.Meta(pattern="^sha256:[0-9a-f]{64}$")]
Size = Annotated[int, msgspec.Meta(ge=0)]
T = TypeVar("T")


class Document(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of the documents; fields that hold their default are left out."""


class Descriptor(Document, frozen=True):
    """Points to a blob by its digest; descriptor.md."""

    media_type: str
    digest: Digest
    size: Size
    annotations: dict[str, str] = {}
    platform: dict[str, Any] | None = None
    artifact_type: str | None = None
    urls: list[str] = []
    data: str | None = None


class Index(Document, frozen=True, kw_only=True):
    """The images of a layout, or one image for several platforms."""

    schema_version: Literal[2]
    media_type: str = ""
    manifests: list[Descriptor]
    annotations: dict[str, str] = {}


class Manifest(Document, frozen=True, kw_only=True):
    """One image for one platform: its config and its layers, lowest first."""

    schema_version: Literal[2]
    media_type: str = ""
    config: Descriptor
    layers: list[Descriptor]
    annotations: dict[str, str] = {}


class Execution(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """What a container of the image inherits; Docker writes null for what is not set."""

    user: str | None = None
    exposed_ports: dict[str, Any] | None = None
    env: list[str] | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    volumes: dict[str, Any] | None = None
    working_dir: str | None = None
    labels: dict[str, str] | None = None
    stop_signal: str | None = None
    healthcheck: dict[str, Any] | None = None  # Docker's, as are those that follow
    shell: list[str] | None = None
    on_build: list[str] | None = None
    args_escaped: bool | None = None


class RootFs(msgspec.Struct, frozen=True):
    """The digests of the uncompressed layers, lowest first."""

    diff_ids: list[Digest]
    type: str = "layers"  # always written


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of the history; lowest first, those with `empty_layer` made no layer."""

    created: str | None = None
    created_by: str | None = None
    comment: str | None = None
    author: str | None = None
    empty_layer: bool = False


class Image(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The image config: its digest is the image's id."""

    architecture: str
    os: str
    rootfs: RootFs
    created: str | None = None
    author: str | None = None
    variant: str | None = None  # of the CPU, such as "v8"
    config: Execution | None = None
    history: list[Step] | None = None


def encode(document: msgspec.Struct) -> bytes:
    """The document as JSON."""
    return msgspec.json.encode(document)


def decode(data: bytes, type: type[T], what: str) -> T:
    """Read a document; Corrupt names the field that is not as the specification says."""
    try:
        return decoding.decode(data, type)
    except msgspec.DecodeError as e:
        raise Corrupt(f"reading {what}: {e}", "fetch or import the image again") from e


def digest(data: bytes) -> str:
    """The digest by which a blob is addressed."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def moment(seconds: float) -> str:
    """A Unix time as the documents write it (RFC 3339)."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def seconds(moment: str | None) -> float:
    """A moment as Unix time; 0 where there is none or it cannot be read."""
    try:
        return datetime.fromisoformat(moment or "").timestamp()
    except ValueError:
        return 0.0
