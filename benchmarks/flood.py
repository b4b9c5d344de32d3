"""A container that writes as fast as it can, looked at."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence

from benchmarks import dockerd, processes
from benchmarks.figures import Figure, Row, number
from benchmarks.terminal import Terminal
from benchmarks.tiffin import IMAGE
from benchmarks.world import World
from engine.model import ContainerConfig, LogOptions

SETTLING = 5.0  # seconds
WINDOW = 15.0  # seconds
FLAT = 4.0  # MB that may come and go
LINE = "the quick brown fox jumps over the lazy dog"


def measure(world: World) -> list[Row]:
    """Growth of the front end's memory over the window, and the engine's CPU in it; then the same of peers."""
    tiffin, docker = world.tiffin, world.docker
    config = ContainerConfig(
        image=IMAGE, command=["/bin/yes", LINE], log=LogOptions(max_size=16 << 20, max_files=2)
    )
    id = tiffin.client.run(config, "flood")
    with contextlib.ExitStack() as ends:
        ends.callback(tiffin.remove, [id])
        engine = [p.pid for p in tiffin.client.status().processes if p.role != "monitor"]
        written = tiffin.client.log_extent(id).end
        began = time.monotonic()
        grown, cpu = _look(tiffin.command(), tiffin.environment, engine)
        rate = (tiffin.client.log_extent(id).end - written) / (time.monotonic() - began) / 2**20
    figures = [Figure("tiffin", [grown], "MB")]
    notes = [
        f"growth of the front end's memory in {WINDOW:.0f} s; the container wrote {number(rate)} MiB/s of log",
        f"tiffin's engine and launcher used {number(cpu)} % of a core meanwhile",
    ]
    if docker and world.lazydocker:
        words = ["run", "-d", "--network", "none", "--log-opt", "max-size=16m", IMAGE, "/bin/yes", LINE]
        other = docker(*words)
        with contextlib.ExitStack() as ends:
            ends.callback(docker.remove, [other])
            grown_other, cpu = _look([world.lazydocker], docker.environment, docker.pids)
        figures.append(Figure("lazydocker", [grown_other], "MB"))
        notes.append(f"dockerd and containerd used {number(cpu)} % of a core meanwhile")
    else:
        notes.append(f"{dockerd.missing() or 'lazydocker could not be had'}: no peer was measured")
    return [Row("a container writes as fast as it can", "memory flat", figures, grown < FLAT, notes)]


def _look(words: Sequence[str], environment: Mapping[str, str], daemon: list[int]) -> tuple[float, float]:
    with Terminal(words, environment) as terminal:
        time.sleep(SETTLING)
        before, spent, began = processes.resident(terminal.pid), processes.cpu(daemon), time.monotonic()
        time.sleep(WINDOW)
        share = (processes.cpu(daemon) - spent) / (time.monotonic() - began) * 100
        return processes.resident(terminal.pid) - before, share
