"""Recordings that are made up, and the deck on them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import msgspec
from deck import Deck
from scripted import HOST, T0, container, sample, some

from engine.instance import find
from engine.model import ContainerState, Event, Limits, Sample, Snapshot
from engine.recording import Recording, Writer
from tui.deck.replay.app import ReplayApp

LENGTH = 300  # seconds
STALLS = range(100, 130)  # when word waits
TURNED, KILLED = 150, 200  # when setup is limited, and db runs out of memory


def snapshot(n: int) -> Snapshot:
    """The containers of the wireframe, at one second of an eventful time."""
    pairs = some()
    containers = {c.name: c for c, _ in pairs}
    samples = {c.id: s for c, s in pairs if c.name in ("word", "setup", "web")}
    stall = 0.9 if n in STALLS else 0.02
    samples[containers["word"].id] = sample(0.1, stall, 38, 12)
    samples[containers["setup"].id] = sample(0.5 if n >= TURNED else 1.9, 0.04, 9 + n / 10, 2)
    samples[containers["web"].id] = sample(0.2, 0.0, 121, 5)
    if n >= TURNED:
        limited = msgspec.structs.replace(containers["setup"], limits=Limits(cpus=0.5))
        containers["setup"] = limited
    if n < KILLED:
        running = ContainerState(status="running", pid=5, started_at=T0 - 900)
        containers["db"] = msgspec.structs.replace(containers["db"], state=running)
        samples[containers["db"].id] = Sample(cpu=0.01, memory=200 << 20)
    return Snapshot(
        seq=n, at=T0 + n, interval=1.0, host=HOST, containers=list(containers.values()), samples=samples
    )


def happened(n: int) -> list[Event]:
    """What had happened by then."""
    if n == TURNED:
        attributes = {"image": "host", "cpus": "max → 0.5"}
        at, id = T0 + TURNED - 0.5, container("setup").id
        return [Event(at=at, type="container", action="update", id=id, name="setup", attributes=attributes)]
    if n == KILLED:
        at, id, limit = T0 + KILLED - 0.5, container("db").id, str(256 << 20)
        return [Event(at=at, type="container", action="oom", id=id, name="db", attributes={"limit": limit})]
    return []


def record(path: Path, length: int = LENGTH) -> Path:
    """A recording of that time."""
    writer = Writer(path, 1.0, "0.1.0")
    for n in range(length):
        writer.add(snapshot(n), happened(n))
    writer.close()
    return path


class Replayed(Deck):
    """With everything that was ever said in a corner."""

    said: list[str]


@asynccontextmanager
async def replay(
    folder: Path, path: Path, size: tuple[int, int] = (120, 36), **options: Any
) -> AsyncIterator[Replayed]:
    """The deck on a recording, looked through and with its first moment drawn."""
    app = ReplayApp(find(folder), Recording(path), **options)
    said: list[str] = []

    def notify(text: str, **how: Any) -> None:
        said.append(text)

    app.notify = notify  # type: ignore[method-assign]
    async with app.run_test(size=size) as pilot:
        running = Replayed(app, cast("Any", app.replay), pilot)
        running.said = said
        await running.until(lambda: app.store.snapshot is not None and app.replay.survey is not None)
        await pilot.pause()
        yield running
