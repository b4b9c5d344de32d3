"""Driving the deck in tests: an app on a scripted link, and what is on its screen as text."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

from scripted import ScriptedLink, some
from textual.pilot import Pilot

from engine.instance import find
from engine.model import ContainerSummary, Sample
from tui.deck.app import DeckApp

LIMIT = 10.0  # seconds until something that has to come is missed


class Deck:
    """A running deck, its link and its pilot."""

    def __init__(self, app: DeckApp, link: ScriptedLink, pilot: Pilot[int]) -> None:
        self.app = app
        self.link = link
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        """Press keys and wait until they are worked off."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def tick(self) -> None:
        """Play the next second and wait until it is shown."""
        self.link.tick()
        await self.pilot.pause()

    def text(self) -> str:
        """The screen as text."""
        return "\n".join(strip.text.rstrip() for strip in self.app.screen._compositor.render_strips())

    def line(self, part: str) -> str:
        """The first line of the screen with `part` in it."""
        return next((line for line in self.text().splitlines() if part in line), "")

    async def until(self, true: Callable[[], object]) -> None:
        """Wait for something that a thread brings about."""
        end = monotonic() + LIMIT
        while not true():
            assert monotonic() < end, f"did not come about; the screen:\n{self.text()}"
            await self.pilot.pause(0.02)

    def calls(self, verb: str) -> list[tuple[object, ...]]:
        """What the engine was asked by that name."""
        return [call[1:] for call in self.link.fake.calls if call[0] == verb]

    @property
    def selected(self) -> str:
        """The name of the selected container."""
        return self.app.store.containers[self.app.selection.current].name

    @property
    def notices(self) -> list[str]:
        """What was said in a corner."""
        return [notice.message for notice in self.app._notifications]


@asynccontextmanager
async def deck(
    folder: Path,
    containers: list[tuple[ContainerSummary, Sample]] | None = None,
    size: tuple[int, int] = (120, 36),
    **options: object,
) -> AsyncIterator[Deck]:
    """A deck that has drawn its first snapshot; `folder` is its instance's root."""
    instance = find(folder)
    link = ScriptedLink(instance, some() if containers is None else containers)
    app = DeckApp(instance, link, **options)  # type: ignore[arg-type]
    async with app.run_test(size=size, notifications=True) as pilot:
        running = Deck(app, link, pilot)
        await running.until(lambda: app.store.snapshot is not None)
        await pilot.pause()
        yield running
