"""Images."""

from __future__ import annotations

from engine.model.base import Noun


class ImageConfig(Noun, frozen=True):
    """The part of an OCI image config that a container inherits."""

    env: list[str] = []
    entrypoint: list[str] = []
    command: list[str] = []
    workdir: str = ""
    user: str = ""
    labels: dict[str, str] = {}
    stop_signal: str = ""
    volumes: list[str] = []
    exposed: list[str] = []


class ImageSummary(Noun, frozen=True):
    """One image in the store."""

    id: str  # digest of its config, "sha256:…"; "host" for the built-in one
    names: list[str]  # "name:tag"
    created_at: float
    size: int  # bytes of its unpacked layers
    shared: int = 0  # bytes of those that other images have too
    digest: str = ""  # of its manifest
    architecture: str = ""
    os: str = ""
    layers: list[str] = []  # diff ids, lowest first
    config: ImageConfig = ImageConfig()


class ImageRemoval(Noun, frozen=True):
    """What removing an image did: names taken away, and digests of what was deleted with the last of them."""

    untagged: list[str] = []
    deleted: list[str] = []
