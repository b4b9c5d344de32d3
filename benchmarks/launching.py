"""From a client's request to the first instruction of the container."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import dockerd, probe
from benchmarks.dockerd import Docker
from benchmarks.figures import Figure, Row, missed, number
from benchmarks.tiffin import IMAGE, Tiffin
from benchmarks.world import World
from engine.model import ContainerConfig, Limits, Mount

ROUNDS = 40
LIMITS = Limits(cpus=1, memory=64 << 20, pids=100)


def measure(world: World) -> list[Row]:
    """Everyone in turns."""
    if not probe.supported():
        return [
            Row("request → first instruction", "below `crun run`", [], notes=["the probe is x86-64 code"])
        ]
    out = world.folder / "out"
    out.mkdir()
    runs: dict[str, Callable[[], float]] = {
        "tiffin": lambda: _tiffin(world.tiffin, out, "bridge"),
        "tiffin --network none": lambda: _tiffin(world.tiffin, out, "none"),
        "fork and exec alone": lambda: _alone(world, out),
    }
    notes = []
    for runtime in world.runtimes:
        if runtime.missing:
            notes.append(f"{runtime.missing}: not measured")
        else:
            runs[f"{runtime.name} run"] = runtime.launch
    docker = world.docker
    if docker:
        runs["docker run --network none"] = lambda: _docker(docker, out)
    else:
        notes.append(f"{dockerd.missing()}: not measured")
    found: dict[str, list[float]] = {name: [] for name in runs}
    order = list(runs)
    for seed in range(ROUNDS):
        # What has returned goes on tidying up behind itself: another one each time has that for a neighbour.
        random.Random(seed).shuffle(order)
        for name in order:
            found[name].append(runs[name]())
    figures = {name: Figure(name, values, "ms") for name, values in found.items()}
    return [_first_instruction(figures, notes), *_twentieth(figures), *_command(world)]


def _first_instruction(figures: dict[str, Figure], notes: list[str]) -> Row:
    tiffin, crun = figures["tiffin"], figures.get("crun run")
    shown = [figure for name, figure in figures.items() if not name.startswith("docker")]
    met = None
    if crun:
        met = tiffin.median < crun.median
        share = f"{number(tiffin.median / crun.median)} of `crun run` (goal 0.5)"
        notes = [*notes, share, *missed(tiffin, crun.median)]
    network = tiffin.median - figures["tiffin --network none"].median
    notes = [*notes, f"of tiffin's time {number(network)} ms is the network"]
    what = "request → first instruction; overlay, own network and address, limits, seccomp, masks"
    return Row(what, "below `crun run` of a plain bundle", shown, met, notes)


def _twentieth(figures: dict[str, Figure]) -> list[Row]:
    tiffin, docker = figures["tiffin"], figures.get("docker run --network none")
    if not docker:
        return [Row("the same against `docker run`", "1/20", [tiffin])]
    share = f"1/{number(docker.median / tiffin.median)} of `docker run`"
    notes = [share, *missed(tiffin, docker.median / 20)]
    return [Row("the same against `docker run`", "1/20", [tiffin, docker], not notes[1:], notes)]


def _tiffin(tiffin: Tiffin, out: Path, network: str) -> float:
    config = ContainerConfig(
        image=IMAGE,
        command=["/probe"],
        mounts=[Mount(type="bind", source=str(out), target="/out")],
        network=network,
        limits=LIMITS,
    )
    began = time.monotonic()
    id = tiffin.client.run(config)
    tiffin.client.wait(id)
    tiffin.client.remove(id)
    return (probe.noted(out) - began) * 1e3


def _docker(docker: Docker, out: Path) -> float:
    began = time.monotonic()
    docker("run", "--rm", "--network", "none", "-v", f"{out}:/out", IMAGE, "/probe")
    return (probe.noted(out) - began) * 1e3


def _alone(world: World, out: Path) -> float:
    """The probe without any isolation but chroot: what no container can be faster than."""
    bound = world.rootfs / "out"
    began = time.monotonic()
    subprocess.run(["chroot", str(world.rootfs), "/probe"], check=True)
    return (probe.noted(bound) - began) * 1e3


def _command(world: World) -> list[Row]:
    """The whole command, Python's own start included, from its exec to its end."""
    tiffin, docker = world.tiffin, world.docker
    runs = {"tiffin run --rm": (tiffin.command("run", "--rm", IMAGE, "/bin/sleep", "0"), tiffin.environment)}
    if docker:
        words = docker.command("run", "--rm", "--network", "none", IMAGE, "/bin/sleep", "0")
        runs["docker run --rm --network none"] = words, docker.environment
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS // 2):
        for name, (words, environment) in runs.items():
            began = time.monotonic()
            subprocess.run(words, env=environment, check=True, capture_output=True)
            found[name].append((time.monotonic() - began) * 1e3)
    return [Row("the whole command, start to end", "–", [Figure(n, v, "ms") for n, v in found.items()])]
