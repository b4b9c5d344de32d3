"""Two distributions, one kernel."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator

from engine import logs
from engine.containers.rooms import Rooms
from engine.errors import TiffinError
from engine.model import (
    ContainerConfig,
    ImageSummary,
    LaneName,
    Limits,
    Measure,
    Mount,
    Protection,
    Scenario,
    Verdict,
)
from engine.scenarios import rootfs
from engine.scenarios.demo import Demo
from engine.scenarios.run import Lane
from engine.scenarios.stage import Message, Stage

MiB = 1 << 20
STARTS = 5  # of each, by turns
SEE = """
. /etc/os-release 2>/dev/null
echo "system=${PRETTY_NAME:-does not say}"
echo "C library=$(command -v ldd >/dev/null && ldd --version 2>&1 | head -n 1 || echo none, its programs are static)"
echo "shell=$(readlink -f /bin/sh)"
echo "programs=$(ls /bin /sbin /usr/bin /usr/sbin 2>/dev/null | wc -l)"
echo "kernel, shared=$(uname -r)"
echo "boot, shared=$(cat /proc/sys/kernel/random/boot_id)"
"""
IDLE = ["sh", "-c", "while :; do sleep 1000; done"]
SMALL, LARGE = Limits(memory=64 * MiB, pids=16), Limits(memory=512 * MiB, pids=64)
KERNELS = [Mount(type="bind", source="/boot", target="/boot", read_only=True)]  # which `host` hides
LARGEST_LOG = 1 << 16  # bytes
VM = "vm"


class Distributions(Demo):
    """What differs, what is the same, and what each costs beside a virtual machine."""

    name = "distributions"

    def announce(self, rooms: Rooms) -> Scenario:
        """See Demo."""
        return Scenario(
            name=self.name,
            title="two distributions, one kernel",
            story=(
                "A container of each image says what it finds: system, C library, shell and programs are its own, "
                "the kernel and its boot are the machine's. Each is then started five times, by turns, and once a "
                "virtual machine, which brings a kernel of its own."
            ),
            suffering="time to start",
            unit="ms",
            work="memory",
            seconds=10,
            protections=[Protection(name="image", words="an image each", price="the space of the image")],
            why_not=_why_not(rooms),
        )

    def heard(self, stage: Stage, lane: Lane, who: str, message: Message) -> None:
        """See Demo."""
        if who == VM and ("ms" in message or "why_not" in message):
            stage.told.put_nowait(message)

    async def play(self, stage: Stage) -> None:
        """See Demo; one that is resumed begins anew, for it takes only moments."""
        run, rooms = stage.run, stage.containers.rooms
        run.written.clear()
        run.notes.clear()
        run.state = "running"
        other = _other(rooms.images.list())
        if other is None:
            stage.afterwards.append(lambda: rooms.images.remove(rootfs.NAME, {}))
            other = await rooms.images.import_rootfs(
                _chunks(await asyncio.to_thread(rootfs.archive)), rootfs.NAME
            )
            run.note(
                "`tiffin pull` or `tiffin import` bring images of other distributions; the newest is compared."
            )
        images: tuple[tuple[Lane, str], ...] = ((run.unprotected, "host"), (run.protected, other.names[0]))
        steps, done = 2 + 2 * STARTS + 1, 0

        def advance() -> None:
            nonlocal done
            done += 1
            run.elapsed = run.seconds * done / steps

        for lane, image in images:
            lane.title = image
            lane.facts = await _see(stage, lane.name, image)
            lane.victim = lane.facts.get("system", "")
            advance()
        took: dict[str, list[float]] = {image: [] for _, image in images}
        memory: dict[str, int] = {}
        for number in range(STARTS):
            for lane, image in images:
                lane.turned_at, lane.turn = time.monotonic(), True
                name = f"{lane.name}-{number}"
                took[image].append(await _start(stage, lane.name, name, image))
                memory[image] = max(memory.get(image, 0), stage.memory(name))
                await stage.take_off(name)
                lane.neighbour = f"started {number + 1} times"
                lane.measures = _measures(took[image], memory[image])
                lane.turn = False
                advance()
        machine = await self._machine(stage)
        advance()
        run.verdict = _verdict(statistics.median(took["host"]), memory["host"], machine)

    async def _machine(self, stage: Stage) -> Message:
        """What a virtual machine costs, or why that was not measured."""
        try:
            await stage.cast("protected", VM, [f"{VM}:vm"], LARGE, mounts=KERNELS)
        except TiffinError as error:
            return {"why_not": error.message}
        stage.tell("protected", VM, do="go")
        return await stage.told.get()


def _why_not(rooms: Rooms) -> str:
    if _other(rooms.images.list()) or rootfs.possible():
        return ""
    return "there is only the image host: import or pull another, or install busybox-static"


def _other(images: list[ImageSummary]) -> ImageSummary | None:
    """The newest image that is another system than the host's."""
    named = [image for image in images if image.id != "host" and image.names]
    return max(named, key=lambda image: image.created_at, default=None)


async def _chunks(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _see(stage: Stage, lane: LaneName, image: str) -> dict[str, str]:
    """What a container of an image finds."""
    name = f"{lane}-facts"
    config = ContainerConfig(image=image, command=["sh", "-c", SEE], network="none", limits=SMALL)
    id = await stage.put(lane, name, config)
    await stage.containers.wait(id)
    data = await asyncio.to_thread(logs.read, stage.containers.get(id).log_dir, 0, LARGEST_LOG)
    texts = [
        line.split(" ", 3)[3] for line in data.decode(errors="replace").splitlines() if line.count(" ") > 2
    ]
    await stage.take_off(name)
    return {label: value or "–" for label, found, value in (text.partition("=") for text in texts) if found}


async def _start(stage: Stage, lane: LaneName, name: str, image: str) -> float:
    """How many ms it takes from the request to the program that runs."""
    config = ContainerConfig(image=image, command=IDLE, network="none", limits=SMALL, stop_grace=0)
    await stage.put(lane, name, config)
    return 1000 * stage.took


def _measures(took: list[float], memory: int) -> list[Measure]:
    return [
        Measure(label="start, p50", value=statistics.median(took), unit="ms"),
        Measure(label="slowest", value=max(took), unit="ms"),
        Measure(label="memory", value=memory / MiB, unit="MiB"),
    ]


def _verdict(start: float, memory: int, machine: Message) -> Verdict:
    why_not = str(machine.get("why_not", ""))
    share = None if why_not else 100 * memory / float(machine["memory"])
    took = None if why_not else float(machine["ms"])
    figures = [
        Measure(label="start of a virtual machine", value=took, unit="ms", why_not=why_not),
        Measure(label="start of a container", value=start, unit="ms"),
        Measure(label="its memory, of the machine's", value=share, unit="%", why_not=why_not),
    ]
    if took is None:
        words = f"Two systems on one kernel, a start {start:.0f} ms. A virtual machine was not measured: {why_not}."
    else:
        words = (
            f"Two systems on one kernel: {took / start:.0f} × sooner started than a virtual machine (qemu without "
            f"KVM), with {share:.1f} % of its memory."
        )
    return Verdict(figures=figures, words=words)
