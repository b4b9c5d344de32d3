"""setup wrecks the registry: what programs and their settings depend on."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import time
from pathlib import Path

from engine.containers.rooms import Rooms
from engine.model import Limits, LimitsChange, Protection
from engine.scenarios.failing import FailingDuel
from engine.scenarios.run import Lane
from engine.scenarios.stage import MOUNTED, Message, Stage

MiB = 1 << 20
WATCHED = (
    "/etc",
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib/aarch64-linux-gnu/libc.so.6",
    "/usr/lib/libc.so.6",
)
LARGEST = 4 * MiB


class Registry(FailingDuel):
    """/etc and the C library are overwritten in one container; another, and the host, do not notice."""

    name = "registry"
    title = "setup wrecks /etc and the libraries, word cannot work"
    story = (
        "word starts /bin/true and reads a setting every 100 ms; setup overwrites the C library and every file of "
        "/etc. Together they share one root file system. Protected, each has a private layer of its own: word and "
        "the host notice nothing, and the wrecked container is like new after a reset."
    )
    suffering = "acts that failed"
    work = "files overwritten"
    seconds = 12.0
    every = 0.1
    resets = True
    victim = "reader"
    better = "fewer failures"
    together = Limits(memory=256 * MiB, pids=32)
    alone = (Limits(memory=96 * MiB, pids=16), Limits(memory=192 * MiB, pids=16))
    unprotected_title = "together: one root file system for both"

    def neighbour(self) -> str:
        """See Duel."""
        return "wrecker"

    def protections(self, rooms: Rooms) -> list[Protection]:
        """See Duel."""
        return [Protection(name="layer", words="a private layer each", price="the space of what is changed")]

    def limits(self, protection: str) -> tuple[LimitsChange, LimitsChange]:
        """See Duel."""
        return LimitsChange(), LimitsChange()

    async def play(self, stage: Stage) -> None:
        """See Demo; the host is looked at before and after."""
        before = await asyncio.to_thread(_fingerprint)
        await super().play(stage)
        count, after = await asyncio.to_thread(_fingerprint)
        same = "are byte for byte what they were" if (count, after) == before else "have changed meanwhile"
        stage.run.note(f"The host's C library and {count} files of /etc {same}.")

    async def finish(self, stage: Stage) -> None:
        """What the private layers hold; then the wrecked container is reset."""
        changed = {name: await _changed(stage, name) for name in stage.ids}
        stage.run.note(
            f"Paths that differ from the image: {changed['setup']} for setup, {changed['word']} for word."
        )
        began = time.monotonic()
        await stage.reset("protected", "setup")
        took = time.monotonic() - began
        left = await _changed(stage, "setup")
        stage.run.note(f"setup was reset and started again in {took * 1000:.0f} ms: {left} paths differ.")

    def tell_victim(self, lane: Lane, message: Message) -> str:
        """See Duel."""
        failed = int(message.get("failed", 0))
        return "cannot start /bin/true, cannot read /etc/passwd" if failed else f"worked {lane.acts} times"

    def tell_neighbour(self, lane: Lane, message: Message) -> str:
        """See Duel."""
        return f"overwrote {lane.done:,.0f} files".replace(",", " ")


async def _changed(stage: Stage, name: str) -> int:
    """How many paths of a container differ from its image's, but for where the stage is mounted."""
    changes = await stage.containers.diff(stage.ids[name])
    return sum(1 for change in changes if change.path != MOUNTED)


def _fingerprint() -> tuple[int, str]:
    """How many of the host's files were looked at, and a digest of their names and content."""
    digest, count = hashlib.sha256(), 0
    for top in map(Path, WATCHED):
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            with contextlib.suppress(OSError), path.open("rb") as file:
                digest.update(os.fsencode(path) + b"\0" + file.read(LARGEST))
                count += 1
    return count, digest.hexdigest()
