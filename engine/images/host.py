"""The built-in `host` image: this machine's own root file system, with its secrets hidden."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from engine.errors import TiffinError
from engine.images.hiding import PREFIX, HostJob, HostLayer
from engine.images.names import GO_ARCHITECTURES
from engine.images.noticing import Times, notice
from engine.images.workers import work
from engine.instance import Instance
from engine.kernel.inotify import Watch
from engine.model import ImageConfig, ImageSummary

ID = "host"
NAME = "host:latest"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
STALE = 60.0  # seconds after which what lies outside /etc is looked through again, at the next use
PSEUDO = frozenset({
    "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs",
    "efivarfs", "fusectl", "hugetlbfs", "mqueue", "nsfs", "overlay", "proc", "pstore", "ramfs", "rpc_pipefs",
    "securityfs", "selinuxfs", "sysfs", "tracefs", "tmpfs",
})  # fmt: skip
MATTERS = ("/usr", "/var", "/opt", "/etc", "/lib", "/lib64", "/bin", "/sbin", "/nix", "/gnu", "/snap")


class Host:
    """Keeps the hiding layer in step with the machine.

    Overlayfs shows its lower layers live: what the host adds later shows through in running containers unless
    its folder is emptied or its name is hidden beforehand. New containers get a layer that knows of it: any
    change in /etc is noticed at once, what lies elsewhere within `STALE` seconds of use.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        memory = Path("/dev/shm") / ("tiffin" + (f"-{instance.tag}" if instance.tag else ""))
        # Best first; overlayfs wants the layer on another file system than "/" (see hiding.py).
        self._places = [instance.state / "layers", instance.run / "layers", memory]
        self._layer: HostLayer | None = None
        self._looked = 0.0
        self._changed = False
        self._watch: Watch | Times | None = None
        self._lock = asyncio.Lock()
        self._refreshing: asyncio.Task[None] | None = None

    def summary(self) -> ImageSummary:
        """The image as the store lists it; it takes no room of its own."""
        shell = next((path for path in ("/bin/bash", "/bin/sh") if os.access(path, os.X_OK)), "/bin/sh")
        try:
            created = Path("/etc/os-release").stat().st_mtime
        except OSError:
            created = 0.0
        return ImageSummary(
            id=ID,
            names=[NAME],
            created_at=created,
            size=0,
            architecture=architecture(),
            os="linux",
            config=ImageConfig(env=[PATH], command=[shell]),
        )

    async def lower(self) -> list[Path]:
        """The hiding layer and "/"; takes some 0.2 s at first and after /etc changed, else microseconds."""
        if self._outdated():
            await self.refresh()
        elif time.monotonic() - self._looked > STALE and self._refreshing is None:
            self._refreshing = asyncio.create_task(self._refresh_later())
        assert self._layer is not None
        return [Path(self._layer.layer), Path("/")]

    def _outdated(self) -> bool:
        if self._watch is not None and self._watch.changed():
            self._changed = True  # noted, because a watch tells only once
        return self._changed or self._layer is None or not os.path.isdir(self._layer.layer)

    async def refresh(self, always: bool = False) -> None:
        """Look through the machine again if something changed or `always`; make another layer if need be."""
        async with self._lock:
            if not (always or self._outdated()):  # somebody else has looked meanwhile
                return
            watch = await asyncio.to_thread(notice, "/etc")  # before looking, so that no change falls between
            own = [self._instance.state, self._instance.run, self._instance.config]
            places = [str(place) for place in self._places]
            job = HostJob([*map(str, own), places[-1]], places, str(self._instance.state / "layers"))
            looked = time.monotonic()
            try:
                self._layer = await work(job, HostLayer)
            except BaseException:
                watch.close()
                raise
            self._unwatch()
            self._watch, self._looked, self._changed = watch, looked, False
            self._places = [Path(self._layer.place)]

    async def _refresh_later(self) -> None:
        try:
            with contextlib.suppress(TiffinError):  # the next use that must wait for it says what is wrong
                await self.refresh(always=True)
        finally:
            self._refreshing = None

    def gaps(self) -> list[str]:
        """What of this machine a container from `host` lacks, a sentence each."""
        found = mount_gaps()
        for folder in self._layer.unsearched if self._layer else []:
            found.append(
                f"{folder} is empty in containers from host: it holds too many files to look for secrets in"
            )
        return found

    def sweep(self, used: Iterable[str]) -> None:
        """Delete half-made layers and those not `used`; not while one may be handed out."""
        keep = set(used)
        for place in self._places:
            with contextlib.suppress(FileNotFoundError):
                for name in os.listdir(place):
                    if name.startswith((PREFIX, f".{PREFIX}", ".trial-")) and str(place / name) not in keep:
                        shutil.rmtree(place / name, ignore_errors=True)
                if place.parent == Path("/dev/shm"):
                    with contextlib.suppress(OSError):  # not empty
                        place.rmdir()

    async def close(self) -> None:
        """Stop watching and looking; what containers use stays."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)
        self._unwatch()

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None


def architecture() -> str:
    """What the OCI image-spec calls this machine."""
    return GO_ARCHITECTURES.get(platform.machine(), platform.machine())


def mount_gaps(mountinfo: str | None = None) -> list[str]:
    """Which file systems mounted below "/" containers from `host` see as empty folders, a sentence each.

    Only "/" itself becomes their lower layer; proc_pid_mountinfo(5) tells the rest.
    """
    if mountinfo is None:
        mountinfo = Path("/proc/self/mountinfo").read_text()
    gaps = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        target, kind = before.split()[4].replace("\\040", " "), after.split()[0]
        if kind not in PSEUDO and any(target == top or target.startswith(f"{top}/") for top in MATTERS):
            gaps.append(
                f"{target} ({kind}) is mounted on its own, so containers from host find an empty folder; "
                f"give them --volume {target}:{target}:ro if they need it"
            )
    return gaps
