"""What an instance has left on this machine."""

from __future__ import annotations

import contextlib
import glob
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from engine.instance import Instance


def leftovers(instance: Instance) -> list[str]:
    """Cgroups, interfaces, firewall tables, mounts and processes of an instance that should have none."""
    root = str(instance.root)
    # Path.glob fails where another one's cgroup vanishes meanwhile.
    left = glob.glob(f"/sys/fs/cgroup/**/{instance.cgroup}", recursive=True)
    left += glob.glob(f"/dev/shm/tiffin-{instance.tag}")  # where the host image's layer goes if it must
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
