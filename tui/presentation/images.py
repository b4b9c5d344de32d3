"""Images in words: what is in one, whether it runs here, how old it is."""

from __future__ import annotations

import msgspec

from engine.model import ImageSummary
from tui.presentation.quantities import ABSENT
from tui.presentation.times import duration

HOST = "host"
"""The id of the built-in image."""


class Space(msgspec.Struct, frozen=True):
    """What an image takes on disk, in bytes."""

    own: int  # gone with it
    shared: int  # with other images


def tidy(name: str) -> str:
    """A name without what Docker's names leave out: "docker.io/library/debian:latest" is "debian"."""
    return name.removeprefix("docker.io/library/").removesuffix(":latest")


def short_id(id: str) -> str:
    """An id as lists show it."""
    return id.removeprefix("sha256:")[:12]


def age(image: ImageSummary, now: float) -> str:
    """How long ago it was made, in its largest unit."""
    return duration(now - image.created_at, 1) if image.created_at and image.id != HOST else ABSENT


def platform(image: ImageSummary) -> str:
    """Which machine it is for: "linux/amd64"."""
    return "/".join(part for part in (image.os, image.architecture) if part) or ABSENT
