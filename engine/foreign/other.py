"""A cgroup that somebody else made, as the one face over its hierarchies."""

from __future__ import annotations

import contextlib
import os

from engine.cgroups import Cgroup, Hierarchy
from engine.cgroups import files as kernel
from engine.cgroups.cpu import KEPT_WEIGHT
from engine.errors import Unsupported
from engine.watch.groups.absent import missing

EXACT = (
    ("cpu.cfs_period_us", "cpu.cfs_quota_us", "cpu.shares"),
    ("cpu.max", "cpu.weight"),
)
"""Files of which Limits holds less than the kernel does: the period, shares that are no whole weight. v1's, v2's."""


class Other(Cgroup):
    """Only in those hierarchies which `here` has; `host` has all."""

    def __init__(self, host: Hierarchy, here: Hierarchy, path: str) -> None:
        super().__init__(here, path, all_devices=True)
        self._host = host
        self.home = f"{here.mounts[0]}/{path}"

    @property
    def folders(self) -> list[str]:
        """Its folder in each hierarchy it is in."""
        return [f"{mount}/{self.path}" for mount in self.hierarchy.mounts]

    @property
    def exists(self) -> bool:
        """Whether it is still there."""
        return os.path.isdir(self.home)

    def why_missing(self, controller: str) -> str:
        """See Cgroup."""
        return missing(self._host, controller)

    def freeze(self) -> None:
        """See Cgroup; raises Unsupported where it is in no hierarchy that freezes."""
        self._freezes()
        super().freeze()

    def thaw(self) -> None:
        """See Cgroup."""
        self._freezes()
        super().thaw()

    def _freezes(self) -> None:
        if self.hierarchy.freezer(self.path) is None and self._host.freezer(self.path) is not None:
            raise Unsupported(f"/{self.path} is in no hierarchy that freezes", "choose another cgroup")

    def inode(self) -> int:
        """Tells it from a later one of the same path; 0 where it has gone."""
        try:
            return os.stat(self.home).st_ino
        except OSError:
            return 0

    def exact(self) -> dict[str, str]:
        """The content of the files in EXACT, by name."""
        folder = self._cpu_folder()
        found = {name: kernel.read_or(f"{folder}/{name}") for names in EXACT for name in names if folder}
        return {name: text for name, text in found.items() if text}

    def restore_exact(self, wanted: dict[str, str]) -> None:
        """Write back what differs, as far as the kernel takes it; the limits themselves were put back before."""
        folder = self._cpu_folder()
        now = self.exact()
        if folder and now.get("cpu.cfs_period_us") != wanted.get("cpu.cfs_period_us"):
            self._put(f"{folder}/cpu.cfs_quota_us", "-1")  # any period goes with no quota
            now["cpu.cfs_quota_us"] = "-1"
        for name, text in wanted.items():
            if now.get(name) != text:
                self._put(f"{folder}/{name}", text)
        if folder:
            with contextlib.suppress(OSError):
                os.removexattr(folder, KEPT_WEIGHT)

    def _cpu_folder(self) -> str:
        place = self.hierarchy.place("cpu", self.path)
        return place.folder if place else ""

    def _put(self, path: str, text: str) -> None:
        with contextlib.suppress(OSError):
            kernel.write(path, text)
