"""A private dockerd: own data, own socket, no network beyond this process's namespace."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import processes

PATH = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"  # the daemon and the client of one package
IMAGE = "bench"
PATIENCE = 60.0  # seconds


class Docker:
    """A running daemon with the image `bench`, and the command for it."""

    def __init__(self, folder: Path, archive: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.cgroup = f"tiffin-bench-{os.getpid()}"
        self.environment = {"PATH": PATH, "HOME": str(folder), "DOCKER_HOST": f"unix://{folder}/docker.sock"}
        words = [
            _program("dockerd"), "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec",
            "--pidfile", f"{folder}/pid", "--host", self.environment["DOCKER_HOST"], "--bridge", "none",
            "--cgroup-parent", f"/{self.cgroup}",
        ]  # fmt: skip
        words += [f"--{name}=false" for name in ("iptables", "ip-forward", "ip-masq", "userland-proxy")]
        with (folder / "log").open("wb") as log:
            began = time.monotonic()
            self._daemon = subprocess.Popen(words, stdout=log, stderr=log, env=self.environment)
        try:
            self._await()
            self.started_in = time.monotonic() - began  # seconds
            self("import", str(archive), IMAGE)
        except BaseException:
            self.close()
            raise

    def __call__(self, *words: str) -> str:
        """What a command printed. Raises RuntimeError."""
        command = self.command(*words)
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"docker {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def command(self, *words: str) -> list[str]:
        """A command line for this daemon, to be run with `environment`."""
        return [_program("docker"), *words]

    @property
    def pids(self) -> list[int]:
        """dockerd and its containerd."""
        return [self._daemon.pid, *processes.named("containerd", str(self.folder))]

    @property
    def shims(self) -> list[int]:
        """One for each running container."""
        return processes.named("containerd-shim-runc-v2", str(self.folder))

    def sleepers(self, count: int) -> Iterator[str]:
        """Start so many containers that sleep, without network; each id as soon as the command returns."""
        for number in range(count):
            name = f"sleeper-{number:03}"
            yield self("run", "-d", "--network", "none", "--name", name, IMAGE, "/bin/sleep", "100000")

    def remove(self, ids: Sequence[str]) -> None:
        """Remove these, running or not."""
        if ids:
            self("rm", "-f", *ids)

    def close(self) -> None:
        """End it with all that it runs."""
        if self._daemon.poll() is None:
            with contextlib.suppress(RuntimeError):
                self.remove(self("ps", "-aq").split())
        self._daemon.terminate()
        self._daemon.wait(PATIENCE)
        for folder in glob.glob(f"/sys/fs/cgroup/**/{self.cgroup}", recursive=True):
            os.rmdir(folder)

    def _await(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self("version")
                return
            except RuntimeError:
                if self._daemon.poll() is not None or time.monotonic() > deadline:
                    said = (self.folder / "log").read_text()[-600:]
                    raise RuntimeError(f"dockerd did not start: {said}") from None
            time.sleep(0.1)


def missing() -> str:
    """Why there can be no daemon, or nothing."""
    return (
        ""
        if all(shutil.which(name, path=PATH) for name in ("dockerd", "docker"))
        else "docker is not installed"
    )


def _program(name: str) -> str:
    return shutil.which(name, path=PATH) or name
