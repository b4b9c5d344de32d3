"""Whether containers of an image can run on this machine: system, CPU and kernel, each with its reason.

What the layers say is read once by a worker and kept beside the topmost one, `<diff id>.about.json`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping, Sequence

import msgspec

from engine.decoding import decode
from engine.errors import TiffinError, Unsupported
from engine.images import oci, platforms
from engine.images.layers import Layers
from engine.images.packaged import AboutJob, version
from engine.images.platforms import Platform
from engine.images.workers import work
from engine.kernel import files
from engine.model import ImageCheck, ImageSummary, Packaged

LEAST_KERNEL = "tiffin.kernel.least"
"""Label of a config or annotation of a manifest: the least kernel, such as "6.1", where no C library knows."""


class _Kept(msgspec.Struct):
    key: str
    packaged: Packaged


class Fitting:
    """Judges images whose layers are unpacked."""

    def __init__(self, layers: Layers, kernel: str = "") -> None:
        """`kernel` is the running one's release, by default this machine's."""
        self._layers = layers
        self._kernel = kernel or os.uname().release

    async def packaged(self, diff_ids: Sequence[str], execution: oci.Execution | None = None) -> Packaged:
        """What the unpacked layers, lowest first, say they hold; TiffinError where they cannot be read."""
        if not diff_ids:
            return Packaged()
        programs = [
            words[0] for words in (execution and execution.entrypoint, execution and execution.cmd) if words
        ]
        paths = [str(path) for path in self._layers.stack(diff_ids)]
        key = hashlib.sha256("\n".join([*diff_ids, *programs]).encode()).hexdigest()
        beside = self._layers.path(diff_ids[-1]).with_suffix(".about.json")
        try:
            kept = decode(beside.read_bytes(), _Kept)
            if kept.key == key:
                return kept.packaged
        except (OSError, msgspec.DecodeError):
            pass
        packaged = await work(AboutJob(paths, programs), Packaged)
        files.replace(beside, msgspec.json.encode(_Kept(key, packaged)))
        return packaged

    async def check_host(self, image: ImageSummary) -> ImageCheck:
        """What this machine itself is: whatever runs on it runs on it."""
        told = ImageCheck(
            id=image.id,
            names=image.names,
            os=image.os,
            architecture=image.architecture,
            verdict="fits",
            running_kernel=self._kernel,
        )
        with contextlib.suppress(TiffinError):
            return _but(told, packaged=await work(AboutJob(["/"]), Packaged))
        return told

    async def check(self, manifest: oci.Manifest, config: oci.Image, names: Sequence[str] = ()) -> ImageCheck:
        """The verdict on an image; its layers are unpacked unless another system's or CPU's."""
        told = ImageCheck(
            id=manifest.config.digest,
            names=[*names],
            os=config.os,
            architecture=config.architecture,
            verdict="fits",
            running_kernel=self._kernel,
        )
        try:
            note = platforms.check(
                Platform(config.os, config.architecture, config.variant or ""), "running it here"
            )
        except Unsupported as e:
            return _but(told, verdict="refused", reason=_reason(e), remedy=e.remedy)
        try:
            packaged = await self.packaged(config.rootfs.diff_ids, config.config)
        except TiffinError as e:
            return unreadable(manifest, config, names, e)
        told = _but(told, packaged=packaged)
        labels = (config.config and config.config.labels) or {}
        if refusal := self._refusal(packaged, config, {**labels, **manifest.annotations}):
            return _but(told, verdict="refused", reason=refusal[0], remedy=refusal[1])
        if note:
            return _but(told, verdict="emulated", reason=note)
        return told

    async def require(self, manifest: oci.Manifest, config: oci.Image, what: str) -> None:
        """Raise Unsupported where containers of the image cannot run here; `what` is being done to it."""
        told = await self.check(manifest, config)
        if told.verdict == "refused":
            raise Unsupported(f"{what}: {told.reason}", told.remedy)

    def _refusal(
        self, packaged: Packaged, config: oci.Image, words: Mapping[str, str]
    ) -> tuple[str, str] | None:
        machine = packaged.machine
        if (
            machine
            and machine != config.architecture
            and platforms.fit(Platform("linux", machine)).rank is None
        ):
            return (
                f"it says it is for {config.architecture}, but its programs are for {machine}",
                "tell whoever made it; get an image that is what it says",
            )
        running = version(self._kernel)
        if packaged.kernel and version(packaged.kernel) > running:
            library = f"{packaged.libc} {packaged.libc_version}".strip() or "its program"
            return self._too_old(packaged.kernel, f"{library}, says {packaged.kernel_from}", packaged)
        if version(words.get(LEAST_KERNEL, "")) > running:
            return self._too_old(words[LEAST_KERNEL], f"so its label {LEAST_KERNEL}", packaged)
        return None

    def _too_old(self, least: str, source: str, packaged: Packaged) -> tuple[str, str]:
        older = (
            f"an older release of {packaged.distribution_id}"
            if packaged.distribution_id
            else "an older image"
        )
        return (
            f"it needs Linux {least} or later ({source}), and this machine runs {self._kernel}",
            f"use {older}, or start this machine with a newer kernel",
        )


def unreadable(
    manifest: oci.Manifest, config: oci.Image, names: Sequence[str], error: TiffinError
) -> ImageCheck:
    """What can be said of an image whose layers cannot be read."""
    return ImageCheck(
        id=manifest.config.digest,
        names=[*names],
        os=config.os,
        architecture=config.architecture,
        verdict="unreadable",
        reason=error.message,
        remedy=error.remedy,
        running_kernel=os.uname().release,
    )


def _reason(error: TiffinError) -> str:
    return error.message.removeprefix("running it here: ")


def _but(told: ImageCheck, **changes: object) -> ImageCheck:
    return msgspec.structs.replace(told, **changes)
