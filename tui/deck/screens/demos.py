"""The gallery of demos: which there are, what each shows, and what it is measured by."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen

from engine.errors import TiffinError
from engine.model import Scenario, ScenarioAsk
from tui.deck.asking import Asking
from tui.deck.draw.line import Line, Row
from tui.deck.engine_link import Link
from tui.deck.messages import KeyPressed
from tui.deck.theme import Ink, Palette, palette_of
from tui.deck.widgets.drawn import DrawnLine
from tui.deck.widgets.keybar import KeyBar
from tui.deck.widgets.lines import Lines
from tui.presentation.text import clip, pad

if TYPE_CHECKING:
    from tui.deck.app import DeckApp

KEYS = (
    ("gallery.play", "play"),
    ("gallery.again", "from the beginning"),
    ("list.down", "down"),
    ("list.up", "up"),
    ("gallery.close", "back"),
    ("app.help", "keys"),
    ("app.quit", "quit"),
)
NAME = 16  # cells
AGAIN = 1.0  # seconds


class DemosScreen(Screen[None]):
    """Choose a demo; Enter plays it, or goes on with it where it was left."""

    BINDINGS = [
        Binding("enter", "play(True)", "play", id="gallery.play"),
        Binding("r", "play(False)", "play from the beginning", id="gallery.again"),
        Binding("escape", "dismiss", "back", id="gallery.close"),
    ]
    CSS = """
    DemosScreen { layout: vertical; }
    Choices { height: auto; max-height: 60%; margin: 1 0 0 0; }
    About { height: 1fr; }
    """

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link
        self._scenarios: list[Scenario] = []

    def compose(self) -> ComposeResult:
        yield GalleryTitle()
        yield Choices()
        yield About(cursor=False)
        yield KeyBar(KEYS)

    def on_mount(self) -> None:
        self._asking = Asking(self)
        self.query_one(Choices).focus()
        cast("DeckApp", self.app).theme_changed_signal.subscribe(self, lambda _: self._fill())
        self.bindings_updated_signal.subscribe(self, lambda _: self.query_one(KeyBar).sync())
        self._ask()
        self.set_interval(AGAIN, self._ask)

    def _ask(self) -> None:
        """Asked again and again while it is in view: a run that was left takes a moment to be told as that."""
        if self.is_current:
            self._asking.ask("demos", self._link.client.scenarios, self._take, self._failed)

    def _failed(self, error: TiffinError) -> None:
        self.notify(str(error), severity="error")

    def _take(self, scenarios: list[Scenario]) -> None:
        self._scenarios = scenarios
        self._fill()

    @property
    def chosen(self) -> Scenario | None:
        """The one the cursor is on."""
        place = self.query_one(Choices).current
        return self._scenarios[place] if place < len(self._scenarios) else None

    def on_resize(self) -> None:
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        demos, about, palette = (
            self.query_one(Choices),
            self.query_one(About),
            palette_of(self),
        )
        wide = self.size.width
        demos.styles.height = len(self._scenarios)
        demos.show(self._scenarios, lambda one, current: _row(one, current, wide, palette))
        about.show(_about(self.chosen, wide, palette) if self.chosen else [], lambda line, _: line)

    def on_lines_moved(self) -> None:
        self._fill()

    def action_play(self, resume: bool) -> None:
        scenario = self.chosen
        if scenario is None:
            return
        if scenario.why_not:
            self.notify(f"{scenario.name} cannot be played here: {scenario.why_not}", severity="warning")
            return
        if cast("DeckApp", self.app).refuses():
            return
        from tui.deck.screens.demo import DemoScreen

        ask = ScenarioAsk(resume=resume and scenario.left_at is not None)
        self.app.push_screen(DemoScreen(self._link, scenario.name, ask))

    async def on_key_pressed(self, message: KeyPressed) -> None:
        await self.run_action(message.action)


class Choices(Lines):
    """The demos, with a cursor."""


class About(Lines, can_focus=False):
    """What the chosen one is about."""


class GalleryTitle(DrawnLine):
    """The screen's first row."""

    def __init__(self) -> None:
        super().__init__("host")

    def line(self) -> Line:
        """See DrawnLine."""
        palette, wide = palette_of(self), self.outer_size.width
        quiet = palette.style("muted", "surface")
        row = Row().add(" demos ", palette.style("selected", "surface", bold=True))
        return (
            row.add(clip(" who hurts whom, and what protects", wide - row.cells), quiet)
            .fill(wide, quiet)
            .segments
        )


def _row(scenario: Scenario, current: bool, wide: int, palette: Palette) -> Line:
    ground: Ink = "selection" if current else "background"
    plain, quiet = palette.style("text", ground, bold=current), palette.style("muted", ground)
    state = "not here" if scenario.why_not else f"{scenario.seconds:g} s"
    if scenario.left_at is not None:
        state = f"left at {scenario.left_at:.0f} s"
    row = Row().add(pad(f" {scenario.name}", NAME), palette.style("selected", ground, bold=True))
    row.add(clip(scenario.title, wide - NAME - len(state) - 3), quiet if scenario.why_not else plain)
    return row.right(state, wide - 1, quiet).fill(wide, quiet).segments


def _about(scenario: Scenario, wide: int, palette: Palette) -> list[Line]:
    quiet, plain, bold = palette.style("muted"), palette.style("text"), palette.style("text", bold=True)
    room = min(100, wide - 4)
    lines: list[Line] = [[], Row().add(f"  {scenario.title}", bold).segments, []]
    lines += [Row().add(f"  {line}", plain).segments for line in textwrap.wrap(scenario.story, room)]
    lines += [[], Row().add("  measured  ", quiet).add(clip(scenario.suffering, room - 10), plain).segments]
    lines.append(Row().add("  and       ", quiet).add(f"setup's work: {scenario.work}", plain).segments)
    if scenario.why_not:
        told = f"not here: {scenario.why_not}"
        return [
            *lines,
            [],
            *(Row().add(f"  {line}", palette.style("warn")).segments for line in textwrap.wrap(told, room)),
        ]
    lines.append([])
    for number, one in enumerate(scenario.protections, 1):
        price = f"not here: {one.why_not}" if one.why_not else f"price: {one.price}"
        row = Row().add(f"  {number} ", palette.style("selected", bold=True)).add(pad(one.name, 9), plain)
        row.add(pad(one.words, min(34, room // 2)), quiet if one.why_not else plain)
        lines.append(row.add(clip(price, wide - row.cells - 1), quiet).segments)
    return lines
