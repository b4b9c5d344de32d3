"""What is kept, what it takes, and whether it runs here."""

from __future__ import annotations

from typing import Literal

from engine.model.base import Noun


class HistoryStep(Noun, frozen=True):
    """One step of how an image was made, the latest first in lists; one without a layer changed settings only."""

    created_at: float
    command: str = ""  # what made it, as the image says
    comment: str = ""
    author: str = ""
    layer: str = ""  # diff id
    size: int = 0  # bytes of the layer's files; of its blob where it was never unpacked
    blob: str = ""  # digest
    blob_size: int = 0  # bytes, as it travels
    shared_with: list[str] = []  # names (else ids) of other images that have this layer


class Packaged(Noun, frozen=True):
    """What an image's own files say it is; empty where they do not say."""

    distribution: str = ""  # os-release's PRETTY_NAME
    distribution_id: str = ""  # "debian"
    distribution_version: str = ""  # "12"
    libc: Literal["", "glibc", "musl"] = ""
    libc_version: str = ""
    kernel: str = ""  # the least that its C library accepts, "3.2.0"
    kernel_from: str = ""  # the file whose ABI note says so, or the label or annotation
    static: bool = False  # its shell (or first program) needs no C library from the image
    machine: str = ""  # the CPU its programs are really for, in the image-spec's words


class ImageCheck(Noun, frozen=True):
    """Whether containers of an image can run on this machine, and why not."""

    id: str
    names: list[str]
    os: str
    architecture: str  # as the image's config says
    verdict: Literal["fits", "emulated", "refused", "unreadable"]
    packaged: Packaged = Packaged()
    reason: str = ""  # one sentence
    remedy: str = ""
    running_kernel: str = ""  # of this machine


class StoreReport(Noun, frozen=True):
    """What reading the whole store found: what is wrong, a sentence each, and how much was read."""

    problems: list[str]
    blobs: int
    size: int  # bytes
    layers: int = 0  # unpacked ones that were looked at


class ImageUse(Noun, frozen=True):
    """The room one image takes; bytes of unpacked layers."""

    id: str
    names: list[str]
    size: int
    own: int  # of layers that no other image has
    shared: int
    containers: list[str] = []  # names of those made from it


class ContainerUse(Noun, frozen=True):
    """The room one container takes of its own, in bytes on disk."""

    id: str
    name: str
    running: bool
    private: int  # its private layer
    logs: int
    snapshots: int = 0


class VolumeUse(Noun, frozen=True):
    """The room one volume takes, in bytes on disk."""

    name: str
    size: int
    containers: list[str] = []  # names of those that mount it


class DiskUse(Noun, frozen=True):
    """What of an instance takes how much room, in bytes."""

    images: list[ImageUse]
    containers: list[ContainerUse]
    volumes: list[VolumeUse]
    layers: int  # all unpacked layers, each once
    blobs: int  # the content store: what images travel as, each once
    reclaimable: int  # what a prune of all images without containers would give back


class Pruned(Noun, frozen=True):
    """What a prune deleted (or would delete), by name where it has one."""

    images: list[str] = []
    containers: list[str] = []
    volumes: list[str] = []
    reclaimed: int = 0  # bytes
