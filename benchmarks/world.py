"""What the benchmarks share: a folder, a small root file system, tiffin and its peers on it."""

from __future__ import annotations

import contextlib
import shutil
import tarfile
from functools import cached_property
from pathlib import Path

from benchmarks import dockerd, lazydocker, namespaces, probe
from benchmarks.dockerd import Docker
from benchmarks.oci import Runtime
from benchmarks.tiffin import Tiffin, tiffin_at

APPLETS = ("sh", "sleep", "yes", "cat")


class World:
    """Made in a folder that is thrown away; `close` ends all that was started. Enters its own namespaces."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ends = contextlib.ExitStack()
        self.lazydocker = lazydocker.install(folder / "lazydocker")
        namespaces.enter()
        self.rootfs, self.archive = _rootfs(folder)

    @cached_property
    def tiffin(self) -> Tiffin:
        """An engine of its own."""
        return self._ends.enter_context(tiffin_at(self.folder / "tiffin", self.archive))

    @cached_property
    def docker(self) -> Docker | None:
        """A daemon of its own; None where docker is not installed."""
        if dockerd.missing():
            return None
        docker = Docker(self.folder / "docker", self.archive)
        self._ends.callback(docker.close)
        return docker

    @cached_property
    def runtimes(self) -> list[Runtime]:
        """crun and runc."""
        found = [Runtime(name, self.folder, self.rootfs) for name in ("crun", "runc")]
        for runtime in found:
            self._ends.callback(runtime.close)
        return found

    def close(self) -> None:
        """End everything."""
        self._ends.close()


def _rootfs(folder: Path) -> tuple[Path, Path]:
    rootfs = folder / "rootfs"
    for name in ("bin", "dev", "etc", "out", "proc", "sys", "tmp"):
        (rootfs / name).mkdir(parents=True)
    busybox = shutil.which("busybox")
    if not busybox:
        raise RuntimeError("busybox is not installed: apt-get install busybox-static")
    shutil.copy(busybox, rootfs / "bin/busybox")
    for name in APPLETS:
        (rootfs / "bin" / name).symlink_to("busybox")
    if probe.supported():
        probe.write(rootfs / "probe")
    archive = folder / "rootfs.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(rootfs, ".")
    return rootfs, archive
