"""crun and runc on a plain bundle: what `spec` writes, with a network namespace, no filter, no limits."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import namespaces, probe
from engine.cgroups import detect


class Runtime:
    """One OCI runtime and its bundle."""

    def __init__(self, name: str, folder: Path, rootfs: Path) -> None:
        self.name = name
        self._program = shutil.which(name) or ""
        self._bundle = folder / name
        self._state = self._bundle / "state"
        self._out = self._bundle / "out"
        self._count = 0
        # crun refuses a hybrid host: a thread with mounts of its own shows it the v1 controllers alone.
        alone = name == "crun" and detect().mode == "hybrid"
        prepare: Callable[[], None] = namespaces.only_v1_cgroups if alone else lambda: None
        self._thread = ThreadPoolExecutor(1, initializer=prepare)
        if self._program:
            self._write(rootfs)

    @property
    def missing(self) -> str:
        """Why it cannot be measured, or nothing."""
        return "" if self._program else f"{self.name} is not installed"

    def launch(self) -> float:
        """Milliseconds from the command's start to the program's first instruction. Raises RuntimeError."""
        self._count += 1
        id = f"tiffin-bench-{os.getpid()}-{self._count}"
        began = self._thread.submit(self._run, id).result()
        return (probe.noted(self._out) - began) * 1e3

    def close(self) -> None:
        """End its thread."""
        self._thread.shutdown()

    def _run(self, id: str) -> float:
        words = [self._program, "--root", str(self._state), "run", "--bundle", str(self._bundle), id]
        began = time.monotonic()
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{self.name} run: {done.stderr.strip()}")
        return began

    def _write(self, rootfs: Path) -> None:
        self._out.mkdir(parents=True)
        subprocess.run([self._program, "spec"], cwd=self._bundle, check=True)
        path = self._bundle / "config.json"
        spec = json.loads(path.read_text())
        spec["process"] |= {"args": ["/probe"], "terminal": False}
        spec["root"] = {"path": str(rootfs), "readonly": False}
        bind = {"type": "bind", "source": str(self._out), "destination": "/out", "options": ["bind", "rw"]}
        spec["mounts"].append(bind)
        path.write_text(json.dumps(spec))
