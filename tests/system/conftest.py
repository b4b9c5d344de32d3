"""An engine of its own for each test that asks for one, and proof that nothing of it is left."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.client import EngineClient
from engine.errors import EngineUnavailable
from engine.instance import Instance, find

PATIENCE = 60.0  # seconds; an emulated machine is slow


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    """An instance whose engine, containers and kernel objects are gone when the test ends."""
    instance = find(tmp_path / "tiffin")
    yield instance
    with contextlib.suppress(EngineUnavailable):
        client = EngineClient.connect(instance)
        for container in client.containers():
            client.remove(container.id, force=True, volumes=True)
        client.shutdown()
    deadline = time.monotonic() + PATIENCE
    while left := leftovers(instance):
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.02)


@pytest.fixture
def client(instance: Instance) -> EngineClient:
    """A client of the instance's engine, which it starts."""
    return EngineClient.connect(instance)


def leftovers(instance: Instance) -> list[str]:
    """Cgroups, interfaces, firewall tables, mounts and processes of an instance that should have none."""
    root = str(instance.root)
    left = [str(p) for p in Path("/sys/fs/cgroup").glob(f"**/{instance.cgroup}")]
    left += [name for name in os.listdir("/sys/class/net") if name.startswith(f"tf{instance.tag[:4]}")]
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False).stdout
    left += [table for table in tables.splitlines() if instance.table in table]
    left += [line for line in Path("/proc/self/mounts").read_text().splitlines() if root in line]
    left += [f"process {pid}: {words}" for pid, words in processes() if root in words]
    return left


def processes() -> Iterator[tuple[int, str]]:
    """Every process and its command line."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            yield (
                int(folder.name),
                (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"),
            )
