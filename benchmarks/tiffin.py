"""tiffin on an instance of its own."""

from __future__ import annotations

import contextlib
import glob
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.client import EngineClient
from engine.instance import find
from engine.model import ContainerConfig

PROJECT = Path(__file__).parents[1]
COMMAND = str(Path(sys.executable).with_name("tiffin"))
IMAGE = "bench"


class Tiffin:
    """A running engine with the image `bench`, and the command for it."""

    def __init__(self, root: Path, archive: Path) -> None:
        self.instance = find(root)
        self.environment = {**os.environ, "TIFFIN_ROOT": str(root)}
        self.client = EngineClient.connect(self.instance)
        self.client.image_import(archive, IMAGE)

    def command(self, *words: str) -> list[str]:
        """A command line for this instance."""
        return [COMMAND, *words]

    @property
    def pids(self) -> list[int]:
        """Engine, launcher, monitors."""
        return [process.pid for process in self.client.status().processes]

    def sleepers(self, count: int) -> Iterator[str]:
        """Start so many containers that sleep; each id as soon as its program runs."""
        for number in range(count):
            config = ContainerConfig(image=IMAGE, command=["/bin/sleep", "100000"])
            yield self.client.run(config, f"sleeper-{number:03}")

    def remove(self, ids: Sequence[str]) -> None:
        """Remove these, running or not."""
        for id in ids:
            self.client.remove(id, force=True)


@contextlib.contextmanager
def tiffin_at(root: Path, archive: Path) -> Iterator[Tiffin]:
    """An instance that is gone afterwards: containers, engine, cgroups. Raises RuntimeError if it is not."""
    tiffin = Tiffin(root, archive)
    try:
        yield tiffin
    finally:
        client = EngineClient.connect(tiffin.instance)
        tiffin.remove([container.id for container in client.containers()])
        client.shutdown()
        deadline = time.monotonic() + 10
        while left := glob.glob(f"/sys/fs/cgroup/**/{tiffin.instance.cgroup}", recursive=True):
            if time.monotonic() > deadline:
                raise RuntimeError(f"left behind: {left}")
            time.sleep(0.05)
