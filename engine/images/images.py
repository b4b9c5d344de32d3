"""The images of an instance: `host`, and what the content store holds."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from engine.errors import NotFound
from engine.images.host import ID, NAME, Host
from engine.instance import Instance
from engine.launch.plan import LaunchPlan
from engine.model import ImageSummary

Layers = list[Path]  # within the class, `list` is its method
Sentences = list[str]
Summaries = list[ImageSummary]


class Images:
    """All images of one instance; one object in the one engine process."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._host = Host(instance)

    async def open(self) -> None:
        """Make the store's folders, sweep what a killed engine left half-made; once, before all else."""
        for name in ("", "images", "layers"):
            (self._instance.state / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._host.sweep(used_layers(self._instance))

    async def close(self) -> None:
        """End all work in progress, and leave what containers stand on."""
        await self._host.close()
        self._host.sweep(used_layers(self._instance))

    def get(self, ref: str) -> ImageSummary:
        """The image by name, `name:tag`, id, unique beginning of an id, or digest; NotFound, BadRequest."""
        if ref in (ID, NAME):
            return self._host.summary()
        raise NotFound(f"there is no image {ref!r}", "see what there is with: tiffin images")

    def list(self) -> Summaries:
        """All images, the built-in one first."""
        return [self._host.summary()]

    async def lower(self, image: ImageSummary) -> Layers:
        """The image's unpacked layers for overlayfs, topmost first; what is missing is unpacked anew."""
        return await self._host.lower()

    def host_gaps(self) -> Sentences:
        """What of this machine containers from `host` lack, a sentence each, for the doctor."""
        return self._host.gaps()


def used_layers(instance: Instance) -> set[str]:
    """Folders of all layers that containers of this instance were last started with."""
    used: set[str] = set()
    for path in (instance.state / "containers").glob("*/launch.json"):
        with contextlib.suppress(OSError, msgspec.DecodeError):  # being deleted; half-made
            used.update(msgspec.json.decode(path.read_bytes(), type=LaunchPlan).overlay.lower)
    return used
