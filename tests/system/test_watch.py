"""The live watch: ticks, pokes, subscriptions, history."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from inside import group, new

from engine.cgroups import Cgroup, Group
from engine.model import ContainerState, ContainerSummary
from engine.watch import Target, Watch, live

pytestmark = pytest.mark.system
PROJECT = Path(__file__).parents[2]


def summary(id: str) -> ContainerSummary:
    state = ContainerState(status="running")
    return ContainerSummary(id=id, name=id, image="x", image_id="x", command="x", created_at=0, state=state)


class Room:
    """A watch over one cgroup, with the state that containers would give it."""

    def __init__(self, ours: Group, interval: float) -> None:
        self.cgroup: Cgroup = new(ours)
        self.containers = [summary("a")]
        self.watch = Watch(ours, interval=interval)
        self.sampler = self.watch._sampler
        self.watch.add(Target("a", self.cgroup))
        self.watch.start(lambda: list(self.containers), lambda: {"a": 2})


@pytest.fixture
async def room(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Room]:
    with group(tmp_path) as ours:
        room = Room(ours, getattr(request, "param", 0.05))
        yield room
        await room.watch.close()


never = pytest.mark.parametrize("room", [3600.0], indirect=True)


async def test_tick_after_tick(room: Room) -> None:
    async with aclosing(room.watch.subscribe()) as snapshots:
        first = await anext(snapshots)
        second = await anext(snapshots)
        third = await anext(snapshots)
    assert (second.seq, third.seq) == (first.seq + 1, first.seq + 2)
    assert third.at > second.at
    assert third.interval == 0.05
    assert [container.id for container in third.containers] == ["a"]
    assert third.samples["a"].pids == 0
    assert third.samples["a"].cpu == 0
    assert third.host.cpu is not None
    assert third.undo == {"a": 2}
    past = room.watch.history.history("a", fields=["pids"])
    assert past.fields["pids"][-1] == 0
    assert past.at[-1] == pytest.approx(third.at, abs=1)  # a busy machine stands between the two


async def test_long_ticks_run_beside_the_loop(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LONG", 0.0)
    threads = set[str]()
    tick = room.sampler.tick
    monkeypatch.setattr(
        room.sampler, "tick", lambda: (threads.add(threading.current_thread().name), tick())[1]
    )
    async with aclosing(room.watch.subscribe()) as snapshots:
        while "MainThread" in threads or not threads:
            threads.clear()
            await anext(snapshots)
            snapshot = await anext(snapshots)
    assert snapshot.samples["a"].pids == 0


@never
async def test_poke_publishes_the_new_state_at_once(room: Room) -> None:
    async with aclosing(room.watch.subscribe()) as snapshots:
        await anext(snapshots)
        room.containers.append(summary("b"))
        room.watch.poke()
        async with asyncio.timeout(1):
            snapshot = await anext(snapshots)
    assert [container.id for container in snapshot.containers] == ["a", "b"]


@never
async def test_many_pokes_are_few_snapshots(room: Room) -> None:
    async with aclosing(room.watch.subscribe()) as snapshots:
        before = (await anext(snapshots)).seq
        for number in range(100):
            room.containers.append(summary(str(number)))
            room.watch.poke()
            await asyncio.sleep(0)
        snapshot = await anext(snapshots)
        while len(snapshot.containers) < 101:
            snapshot = await anext(snapshots)
    assert snapshot.seq - before <= 3


async def test_slow_subscriber_gets_the_latest(room: Room) -> None:
    async with aclosing(room.watch.subscribe()) as slow, aclosing(room.watch.subscribe()) as quick:
        first = await anext(slow)
        while (latest := await anext(quick)).seq < first.seq + 4:
            pass
        assert (await anext(slow)).seq == latest.seq


@never
async def test_removed_container_leaves_the_next_snapshot(room: Room) -> None:
    room.watch.remove("a")
    room.containers.clear()
    snapshot = room.watch.snapshot()
    assert (snapshot.containers, snapshot.samples) == ([], {})


async def test_cgroup_that_vanishes_does_not_stop_the_ticks(room: Room) -> None:
    async with aclosing(room.watch.subscribe()) as snapshots:
        while "a" not in (await anext(snapshots)).samples:
            pass
        room.cgroup.remove()
        while "a" in (await anext(snapshots)).samples:
            pass
        await anext(snapshots)


@never
async def test_closing_ends_subscriptions(room: Room) -> None:
    snapshots = room.watch.subscribe()
    await anext(snapshots)
    waiting = asyncio.ensure_future(anext(snapshots, None))
    await asyncio.sleep(0)
    await room.watch.close()
    async with asyncio.timeout(1):
        assert await waiting is None
    room.watch.poke()  # too late to matter


def test_without_root_the_machine_is_watched() -> None:
    script = (
        "import os, time; from engine.cgroups import *; from engine.watch import *;"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534);"
        "sampler = Sampler(Group(detect(), 'tiffin-none')); sampler.tick();"
        "began = time.process_time()\nwhile time.process_time() < began + 0.05: pass\n"
        "host, _ = sampler.tick();"
        "print(host.cpu is not None, host.memory > 0, host.self_cpu > 0, host.self_memory > 0)"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True True True True\n", "")
