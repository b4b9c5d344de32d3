"""Empty places in a private layer that the engine made to mount something on: no change of the container's."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import PurePosixPath


class Stubs:
    """Which paths, without leading slash, may be such places; those of containers' mounts."""

    def __init__(self, paths: Iterable[str] = ()) -> None:
        self._places = {path.strip("/") for path in paths}
        self._above = {str(above) for place in self._places for above in PurePosixPath(place).parents}

    def file(self, path: str, status: os.stat_result) -> bool:
        """Whether a new file is one."""
        return path in self._places and stat.S_ISREG(status.st_mode) and status.st_size == 0

    def folder(self, path: str) -> bool:
        """Whether a new folder is one, if there is nothing else in it."""
        return path in self._places or path in self._above

    def touched(self, path: str) -> bool:
        """Whether the time of a folder may have been changed by making one in it."""
        return path in self._above
