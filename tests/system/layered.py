"""Layers on disk, and real programs that change them through a real overlay."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = str(Path(__file__).parents[2])

# Mounts the overlay of argv in a mount namespace of its own and runs the code in it.
INSIDE = """
import os, sys
sys.path.insert(0, sys.argv[1])
from engine.kernel import mount, syscalls
from engine.launch.root import mount_overlay
code, root, work, upper, *lower = sys.argv[2:]
syscalls.unshare(syscalls.CLONE_NEWNS)
mount.set_propagation("/", mount.MS_REC | mount.MS_PRIVATE)
mount_overlay({"lower": lower, "upper": upper, "work": work}, root)
os.chdir(root)
exec(code)
"""

# Becomes a container of sorts: a volume mounted, chrooted, waiting until its standard input closes.
WAITING = """
import shutil, stat, threading, time
for target, source in binds.items():
    os.makedirs(target, exist_ok=True)
    tree = mount.clone_tree(-100, source)
    mount.attach(tree, os.open(target, os.O_PATH))
os.chroot(".")
print("ready", flush=True)
{code}
sys.stdin.read()
"""


class Layers:
    """Two read-only layers, a private one, and what overlayfs needs besides."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base, self.middle, self.upper = folder / "base", folder / "middle", folder / "upper"
        self.work, self.root = folder / "work", folder / "root"
        for path in (self.base, self.middle, self.upper, self.work, self.root):
            path.mkdir()

    @property
    def lower(self) -> list[Path]:
        return [self.middle, self.base]

    @property
    def all(self) -> list[Path]:
        return [self.upper, self.middle, self.base]

    def change(self, code: str) -> str:
        """Run Python code with the merged root as working folder; what it printed."""
        done = subprocess.run(self._command(code), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def running(self, code: str = "", binds: dict[str, str] | None = None) -> Iterator[int]:
        """A process with the merged root as its root, its pid; `code` runs in it once it is ready."""
        text = f"binds = {binds or {}!r}\n" + WAITING.replace("{code}", code)
        process = subprocess.Popen(
            self._command(text), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield process.pid
        finally:
            process.kill()
            process.communicate()

    def _command(self, code: str) -> list[str]:
        paths = [self.root, self.work, *self.all]
        return [sys.executable, "-sP", "-c", INSIDE, ROOT, code, *map(os.fspath, paths)]
