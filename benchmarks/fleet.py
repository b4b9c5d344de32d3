"""A hundred live containers: starting them, what one costs, watching them, opening the deck on them."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterable, Iterator

from benchmarks import dockerd, processes
from benchmarks.figures import Figure, Row, missed, number
from benchmarks.terminal import Terminal
from benchmarks.world import World

SIZE = 100
ROUNDS = 3
SETTLING = 4.0  # seconds before a watcher's cost is counted
WINDOW = 10.0  # seconds over which it is
PLENTY = 20  # rounds of short commands


def measure(world: World) -> Iterator[Row]:
    """One after the other, on the same hundred."""
    tiffin, docker = world.tiffin, world.docker
    with contextlib.ExitStack() as ends:
        figures, ids = _start("tiffin", tiffin.sleepers(SIZE))
        ends.callback(tiffin.remove, ids)
        shown = [figures]
        notes = ["one by one, by one client, each awaited"]
        if docker:
            others, other_ids = _start("docker run -d --network none", docker.sleepers(SIZE))
            ends.callback(docker.remove, other_ids)
            shown.append(others)
        else:
            notes.append(f"{dockerd.missing()}: not measured")
        notes += missed(figures, 2)
        yield Row(f"starting {SIZE} containers", "under 2 s", shown, figures.median < 2, notes)
        yield _resident(world)
        yield _watching(world)
        yield _opening(world)
        yield _listing(world)


def _start(who: str, starts: Iterable[str]) -> tuple[Figure, list[str]]:
    began = time.monotonic()
    ids = list(starts)
    return Figure(who, [time.monotonic() - began], "s"), ids


def _resident(world: World) -> Row:
    monitors = [p.pss / 2**20 for p in world.tiffin.client.status().processes if p.role == "monitor"]
    own = Figure("tiffin monitor", monitors, "MB")
    shown = [own]
    if world.docker:
        shown.append(Figure("containerd-shim", [processes.proportional(p) for p in world.docker.shims], "MB"))
    what = "one container's resident cost, proportional set size"
    return Row(what, "under 1.2 MB", shown, own.median < 1.2, missed(own, 1.2))


def _watching(world: World) -> Row:
    """CPU of the watcher in a terminal, and apart from it of what it asks, over the same seconds."""
    tiffin, docker = world.tiffin, world.docker
    watchers = {"tiffin": (tiffin.command(), tiffin.environment, tiffin.pids)}
    notes = [
        f"{SIZE} sleeping containers, watched in a terminal of 120×36 for {WINDOW:.0f} s, {ROUNDS} times"
    ]
    if docker:
        watchers["docker stats"] = docker.command("stats"), docker.environment, docker.pids
        if world.lazydocker:
            watchers["lazydocker"] = [world.lazydocker], docker.environment, docker.pids
        else:
            notes.append("lazydocker could not be had: not measured")
    else:
        notes.append(f"{dockerd.missing()}: neither docker stats nor lazydocker was measured")
    own: dict[str, list[float]] = {name: [] for name in watchers}
    asked: dict[str, list[float]] = {name: [] for name in watchers}
    for _ in range(ROUNDS):
        for name, (words, environment, daemon) in watchers.items():
            with Terminal(words, environment) as terminal:
                time.sleep(SETTLING)
                before = processes.cpu([terminal.pid]), processes.cpu(daemon), time.monotonic()
                time.sleep(WINDOW)
                seconds = time.monotonic() - before[2]
                own[name].append((processes.cpu([terminal.pid]) - before[0]) / seconds * 100)
                asked[name].append((processes.cpu(daemon) - before[1]) / seconds * 100)
    both = {n: Figure(n, [a + b for a, b in zip(own[n], asked[n], strict=True)], "%") for n in watchers}
    for name in watchers:
        parts = Figure(name, own[name], "%").median, Figure(name, asked[name], "%").median
        daemons = "engine, launcher and monitors" if name == "tiffin" else "dockerd and containerd"
        notes.append(f"{name}: {number(parts[0])} % in the terminal, {number(parts[1])} % {daemons}")
    whole = both["tiffin"]
    notes += missed(whole, 4)
    what = f"watching {SIZE} live containers, front end and engine, of one core"
    return Row(what, "under 4 %", list(both.values()), whole.median < 4, notes)


def _opening(world: World) -> Row:
    """From the command's start to the frame that has containers with gauges and the line of keys."""
    tiffin, docker = world.tiffin, world.docker
    found: dict[str, list[float]] = {"tiffin": []}
    for _ in range(ROUNDS * 3):
        with Terminal(tiffin.command(), tiffin.environment) as terminal:
            seen = max(terminal.wait(rb"sleeper-0\d\d.*CPU"), terminal.wait(rb"keys"))
            found["tiffin"].append(seen - terminal.began)
        if docker and world.lazydocker:
            with Terminal([world.lazydocker], docker.environment) as terminal:
                found.setdefault("lazydocker", []).append(terminal.wait(rb"sleeper-0\d\d") - terminal.began)
    figures = [Figure(who, values, "s") for who, values in found.items()]
    notes = missed(figures[0], 0.7)
    what = f"front end's start → first full frame, engine running, {SIZE} containers"
    return Row(what, "under 0.7 s", figures, figures[0].median < 0.7, notes)


def _listing(world: World) -> Row:
    tiffin, docker = world.tiffin, world.docker
    runs = {"tiffin ps": (tiffin.command("ps"), tiffin.environment)}
    if docker:
        runs["docker ps"] = docker.command("ps"), docker.environment
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(PLENTY):
        for name, (words, environment) in runs.items():
            began = time.monotonic()
            subprocess.run(words, env=environment, check=True, capture_output=True)
            found[name].append((time.monotonic() - began) * 1e3)
    figures = [Figure(who, values, "ms") for who, values in found.items()]
    met = figures[0].median < 150
    return Row(f"`ps` with {SIZE} containers", "under 150 ms", figures, met, missed(figures[0], 150))
