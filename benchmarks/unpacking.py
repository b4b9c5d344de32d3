"""A distribution's root from its archive to a root that containers can have, and a second container of it."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks import dockerd
from benchmarks.dockerd import Docker
from benchmarks.figures import Figure, Row, missed, number
from benchmarks.tiffin import Tiffin
from benchmarks.world import World
from engine.model import ContainerConfig
from tests.roots import debian_tar

ROUNDS = 5  # of unpacking, each some seconds for everybody
CREATED = 20
LIMIT = "not slower than the fastest of them"
IMAGE = "debian-bench:12"

Run = Callable[[], float]  # seconds


def measure(world: World) -> Iterator[Row]:
    """Two rows; what is not installed is not among the peers."""
    folder = world.folder / "unpacking"
    folder.mkdir()
    tiffin, docker = world.tiffin, world.docker
    archive = debian_tar(12)
    tiffin.client.image_import(archive, IMAGE)
    for format in ("docker-archive", "oci-archive"):
        with (folder / format).open("wb") as file:
            file.writelines(tiffin.client.image_save([IMAGE], format))
    tiffin.client.image_remove(IMAGE)
    yield _unpack(tiffin, docker, archive, folder)
    tiffin.client.image_import(archive, IMAGE)
    if docker:
        docker("load", "-i", str(folder / "docker-archive"))
    yield _create(tiffin, docker)
    tiffin.client.image_remove(IMAGE)


def _unpack(tiffin: Tiffin, docker: Docker | None, archive: Path, folder: Path) -> Row:
    """Whole commands, each into a store that has nothing of the image."""
    packed, layout, root = str(folder / "docker-archive"), folder / "layout", folder / "root"
    runs: dict[str, Run] = {}
    notes = []

    def ours(*words: str) -> float:
        took = _timed(tiffin.command(*words), tiffin.environment)
        tiffin.client.image_remove(IMAGE)
        return took

    def umoci() -> float:
        took = _timed(["umoci", "raw", "unpack", "--image", f"{layout}:1", str(root)], os.environ)
        shutil.rmtree(root)
        return took

    def load(docker: Docker) -> float:
        took = _timed(docker.command("load", "-i", packed), docker.environment)
        docker("rmi", IMAGE)
        return took

    runs["tiffin import"] = lambda: ours("import", str(archive), IMAGE)
    runs["tiffin load"] = lambda: ours("load", "-i", packed)
    if shutil.which("umoci"):
        with tarfile.open(folder / "oci-archive") as tar:
            tar.extractall(layout, filter="data")
        index = json.loads((layout / "index.json").read_text())
        index["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": "1"}  # as umoci takes it
        (layout / "index.json").write_text(json.dumps(index))
        runs["umoci unpack"] = umoci
    else:
        notes.append("umoci is not installed: not measured")
    if docker:
        runs["docker load"] = lambda: load(docker)
        notes.append(f"docker's storage driver is {docker('info', '-f', '{{.Driver}}')}")
    else:
        notes.append(f"{dockerd.missing()}: not measured")
    size = archive.stat().st_size / 1e6
    what = f"unpack the root of Debian 12, {size:.0f} MB of uncompressed tar"
    figures = _in_turns(runs, ROUNDS, 1, "s")
    return _judged(what, figures, ("tiffin import", "tiffin load"), notes)


def _create(tiffin: Tiffin, docker: Docker | None) -> Row:
    """The image is unpacked and has a container already. Judged is what one client, Docker's, has of either."""
    config = ContainerConfig(image=IMAGE, command=["/bin/true"])

    def client() -> float:
        began = time.monotonic()
        id = tiffin.client.create(config)
        took = time.monotonic() - began
        tiffin.client.remove(id)
        return took

    def command(words: Sequence[str], environment: Mapping[str, str]) -> float:
        began = time.monotonic()
        id = _run([*words, "create", "--name", "second", IMAGE, "/bin/true"], environment)
        took = time.monotonic() - began
        _run([*words, "rm", id], environment)
        return took

    runs: dict[str, Run] = {
        "tiffin, request → answer": client,
        "tiffin create": lambda: command(tiffin.command(), tiffin.environment),
    }
    judged = "tiffin, request → answer"
    notes = []
    first = tiffin.client.create(config)
    if docker:
        judged = "tiffin by docker create"
        socket = {**docker.environment, "DOCKER_HOST": f"unix://{tiffin.instance.socket}"}
        runs[judged] = lambda: command(docker.command(), socket)
        runs["docker create"] = lambda: command(docker.command(), docker.environment)
        docker("create", "--name", "first", IMAGE, "/bin/true")
    else:
        notes.append(f"{dockerd.missing()}: not measured")
    figures = _in_turns(runs, CREATED, 1e3, "ms")
    tiffin.client.remove(first)
    if docker:
        docker("rm", "first")
        docker("rmi", IMAGE)
        notes.append(f"judged is `{judged}`: the same client, with the one engine and the other")
        share = figures["tiffin create"].median / figures["docker create"].median
        notes.append(f"`tiffin create`, Python's start included: {number(share)} of docker's; not judged")
    return _judged("a second container from an unpacked image", figures, (judged,), notes)


def _judged(what: str, figures: Mapping[str, Figure], ours: Sequence[str], notes: Sequence[str]) -> Row:
    """Met where each of `ours` is; the fastest peer is the budget."""
    peers = [figure.median for name, figure in figures.items() if not name.startswith("tiffin")]
    if not peers:
        return Row(what, LIMIT, list(figures.values()), None, list(notes))
    fastest = min(peers)
    shares = [f"{name}: {number(figures[name].median / fastest)} of the fastest of them" for name in ours]
    over = [f"{name}: {told}" for name in ours for told in missed(figures[name], fastest)]
    return Row(what, LIMIT, list(figures.values()), not over, [*notes, *shares, *over])


def _in_turns(runs: Mapping[str, Run], rounds: int, factor: float, unit: str) -> dict[str, Figure]:
    found: dict[str, list[float]] = {name: [] for name in runs}
    order = list(runs)
    for seed in range(rounds):
        random.Random(seed).shuffle(
            order
        )  # what has returned goes on tidying up: each time beside another one
        for name in order:
            os.sync()  # nor is it to write what that one has left in the page cache
            found[name].append(runs[name]() * factor)
    return {name: Figure(name, values, unit) for name, values in found.items()}


def _timed(words: Sequence[str], environment: Mapping[str, str]) -> float:
    began = time.monotonic()
    _run(words, environment)
    return time.monotonic() - began


def _run(words: Sequence[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()
