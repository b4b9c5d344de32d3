"""Gallery and runner on a real engine: what keys do, what is on the screen, and that leaving clears up."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from engine.client import EngineClient
from engine.instance import Instance
from engine.model import ScenarioAsk
from tui.deck.app import DeckApp
from tui.deck.screens.demo import DemoScreen
from tui.deck.screens.demos import DemosScreen

pytestmark = pytest.mark.system

PATIENCE = 50.0  # seconds


def text(app: DeckApp) -> str:
    """The screen as text."""
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


async def until(pilot: Pilot[int], app: DeckApp, true: Callable[[], object]) -> None:
    """Wait for what a thread or the engine brings about."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"did not come about; the screen:\n{text(app)}"
        await pilot.pause(0.05)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_the_gallery_plays_and_a_demo_that_is_left_is_told_there(
    instance: Instance, size: tuple[int, int]
) -> None:
    client = EngineClient.connect(instance)
    app = DeckApp(instance, opening=DemosScreen)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, app, lambda: "both want port 80" in text(app))
        for name in ("cpu", "memory", "disk", "forks", "network", "registry", "ports", "distributions"):
            assert f" {name}" in text(app)
        assert "measured" in text(app)
        await pilot.press("g", *["down"] * 6)
        await until(pilot, app, lambda: "a network namespace each" in text(app))
        await pilot.press("enter")
        await until(pilot, app, lambda: app.demo_run and app.demo_run.verdict)
        assert isinstance(app.screen, DemoScreen)
        await until(pilot, app, lambda: "of the visits failed together" in text(app))
        assert "│" in text(app)
        await pilot.press("escape")
        await until(pilot, app, lambda: "left at" in text(app))
        await until(pilot, app, lambda: client.containers() == [])


async def test_a_key_changes_the_protection_while_it_runs(instance: Instance) -> None:
    client = EngineClient.connect(instance)
    app = DeckApp(instance, opening=lambda link: DemoScreen(link, "cpu", ScenarioAsk(seconds=30)))
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(pilot, app, lambda: app.demo_run and app.demo_run.verdict)
        assert "keystroke latency, p99" in text(app)
        assert "cpu.idle ← 1" in text(app)
        await pilot.press("3")
        await until(pilot, app, lambda: app.demo_run and app.demo_run.protection == "quota")
        await until(pilot, app, lambda: "isolated:" in text(app) and "cores for setup" in text(app))
        await pilot.press("escape")
        await until(pilot, app, lambda: client.containers() == [])
