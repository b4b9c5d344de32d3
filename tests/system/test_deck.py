"""The deck on a real engine: what its keys do to real containers, and what it says of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from textual.pilot import Pilot

from engine.client import EngineClient
from engine.instance import Instance
from engine.model import ContainerConfig, ContainerSummary, Limits
from tui.deck.app import DeckApp

pytestmark = pytest.mark.system

PATIENCE = 45.0  # seconds; an emulated machine is slow
BUSY = ["sh", "-c", "while :; do :; done"]


class Driven:
    """A running deck and the engine it looks at."""

    def __init__(self, app: DeckApp, pilot: Pilot[int], client: EngineClient) -> None:
        self.app = app
        self.pilot = pilot
        self.client = client

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    def text(self) -> str:
        return "\n".join(strip.text.rstrip() for strip in self.app.screen._compositor.render_strips())

    async def until(self, true: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < end, f"did not come about; the screen:\n{self.text()}"
            await self.pilot.pause(0.05)

    async def shows(self, text: str) -> None:
        await self.until(lambda: text in self.text())

    def only(self) -> ContainerSummary:
        (container,) = self.client.containers()
        return container


@asynccontextmanager
async def deck(client: EngineClient) -> AsyncIterator[Driven]:
    app = DeckApp(client.instance)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        driven = Driven(app, pilot, client)
        await driven.until(lambda: app.store.snapshot is not None)
        await pilot.pause()
        yield driven


def run(client: EngineClient, command: list[str], name: str, limits: Limits | None = None) -> str:
    config = ContainerConfig(image="host", command=command, network="none", limits=limits or Limits())
    return client.run(config, name)


async def test_keys_turn_and_undo_a_real_limit(client: EngineClient) -> None:
    run(client, BUSY, "busy", Limits(cpus=0.5))
    async with deck(client) as it:
        await it.shows("● busy")
        await it.until(lambda: 0.02 < (it.app.store.sample(it.only().id).cpu or 0) < 0.6)  # others run too
        await it.press("plus", "plus")
        await it.until(lambda: it.only().limits.cpus == 1.0)
        readings = {reading.name: reading.value for reading in client.limits("busy")}
        assert readings["cpus"] == 1.0
        await it.press("u")
        await it.until(lambda: it.only().limits.cpus == 0.75)
        await it.shows("/ 0.75")
        await it.press("right", "minus")
        await it.until(lambda: it.only().limits.memory is not None)


async def test_keys_stop_start_pause_and_remove(client: EngineClient) -> None:
    run(client, ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"], "calm")
    async with deck(client) as it:
        await it.shows("● calm")
        await it.press("p")
        await it.shows("◐ calm paused")
        assert it.only().state.status == "paused"
        await it.press("p")
        await it.shows("● calm")
        await it.press("s")
        await it.shows("exited 0")
        await it.press("s")
        await it.until(lambda: it.only().state.status == "running")
        await it.press("K", "y")
        await it.shows("exited 137 · SIGKILL")
        await it.press("d", "y")
        await it.until(lambda: not client.containers())
        await it.shows("no containers yet")


async def test_a_death_for_want_of_memory_is_named_with_its_limit(client: EngineClient) -> None:
    async with deck(client) as it:
        hungry = "x = bytearray(200 << 20); import time; time.sleep(60)"
        run(client, ["python3", "-c", hungry], "hungry", Limits(memory=64 << 20))
        await it.shows("hungry exited 137 · out of memory at 64M")


async def test_output_is_in_the_pane(client: EngineClient) -> None:
    run(client, ["sh", "-c", "echo the quick brown fox; exec sleep 1000"], "word")
    async with deck(client) as it:
        await it.shows("the quick brown fox")


async def test_an_engine_that_is_killed_comes_back_with_its_gauges(client: EngineClient) -> None:
    id = run(client, BUSY, "busy", Limits(cpus=0.25))
    async with deck(client) as it:
        await it.until(lambda: it.app.store.sample(id).cpu)
        seq = it.app.store.snapshot.seq if it.app.store.snapshot else 0
        os.kill(client.status().pid, signal.SIGKILL)
        await it.until(lambda: it.app.store.gone)
        await it.until(lambda: not it.app.store.gone)
        await it.until(lambda: it.app.store.snapshot is not None and it.app.store.snapshot.seq != seq)
        await it.until(lambda: it.app.store.sample(id).cpu)
        await it.shows("● busy")


async def test_an_engine_that_was_stopped_is_started_only_when_asked(client: EngineClient) -> None:
    run(client, ["sleep", "1000"], "calm")
    async with deck(client) as it:
        client.shutdown()
        await it.shows("press E to start it")
        assert not client.instance.socket.exists() or it.app.store.gone
        await it.press("E")
        await it.until(lambda: not it.app.store.gone)
        await it.shows("● calm")


async def test_the_first_run_shows_two_containers_and_takes_them_back(instance: Instance) -> None:
    client = EngineClient.connect(instance)
    async with deck(client) as it:
        await it.shows("X removes them")
        await it.until(lambda: [c.state.status for c in client.containers()] == ["running"] * 2)
        await it.shows("all quiet")
        await it.press("X")
        await it.until(lambda: not client.containers())
    async with deck(client) as it:
        await it.shows("no containers yet")
        assert not client.containers()


async def test_an_instance_that_has_had_containers_gets_none(client: EngineClient) -> None:
    client.remove(run(client, ["true"], "once"), force=True)
    async with deck(client) as it:
        await it.until(lambda: it.app.settings.welcomed)
        assert not client.containers()
