"""Which block devices are whole disks of their own, so that no byte is counted twice."""

from __future__ import annotations

import os

MEMORY_BACKED = ("loop", "ram", "zram")


class Disks:
    """The devices, as b"major:minor", whose requests are no disk's own: partitions, what lies on other disks
    (device mapper, RAID: they have `slaves`), loop devices and disks made of memory.
    """

    def __init__(self, sys: str = "/sys") -> None:
        self.layered: set[bytes] = set()
        self._folder = f"{sys}/dev/block"
        self.look()

    def look(self) -> None:
        """Find them anew, for disks come and go."""
        try:
            numbers = os.listdir(self._folder)
        except OSError:
            return
        self.layered = {number.encode() for number in numbers if _is_layered(f"{self._folder}/{number}")}


def _is_layered(device: str) -> bool:
    name = os.path.basename(os.path.realpath(device))
    if name.startswith(MEMORY_BACKED) or os.path.exists(f"{device}/partition"):
        return True
    try:
        return bool(os.listdir(f"{device}/slaves"))
    except OSError:
        return False
