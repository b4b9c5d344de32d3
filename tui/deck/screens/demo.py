"""One demo being played: both lanes, live, and the keys that change the protection while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from engine.errors import TiffinError
from engine.model import ScenarioAsk, ScenarioRun
from tui.deck.asking import Asking
from tui.deck.demos import draw
from tui.deck.demos.playing import Playing
from tui.deck.draw.line import Line
from tui.deck.engine_link import Link
from tui.deck.messages import KeyPressed
from tui.deck.theme import palette_of
from tui.deck.widgets.drawn import DrawnLine, repaint
from tui.deck.widgets.keybar import KeyBar

if TYPE_CHECKING:
    from tui.deck.app import DeckApp

MOST = 9  # protections that have a key
OVER = ("done", "left", "failed")


class DemoScreen(Screen[None]):
    """Plays one demo; leaving the screen ends it and clears everything away."""

    BINDINGS = [
        *(
            Binding(str(n), f"protect({n})", f"protection {n}", id=f"demo.protection{n}", show=False)
            for n in range(1, MOST + 1)
        ),
        Binding("r", "again", "play again", id="demo.again"),
        Binding("escape", "leave", "leave", id="demo.leave"),
    ]
    CSS = "DemoScreen { layout: vertical; }"

    def __init__(self, link: Link, name: str, ask: ScenarioAsk) -> None:
        super().__init__()
        self._link = link
        self._demo = name
        self._ask = ask
        self._playing: Playing | None = None
        self.frame: ScenarioRun | None = None

    def compose(self) -> ComposeResult:
        yield Heading()
        yield Lanes()
        yield KeyBar(())

    def on_mount(self) -> None:
        self._asking = Asking(self)
        cast("DeckApp", self.app).theme_changed_signal.subscribe(self, lambda _: self._show())
        self._play(self._ask)

    def on_unmount(self) -> None:
        if self._playing is not None:
            self._playing.stop()

    def _play(self, ask: ScenarioAsk) -> None:
        later = self.app.call_later  # taken here: a thread has no app of its own
        self._playing = Playing(self._link.client, self._demo, ask, lambda: later(self._told))

    def _told(self) -> None:
        playing = self._playing
        if playing is None or not self.is_attached:
            return
        if playing.error is not None:
            self.notify(str(playing.error), severity="error", timeout=10)
            if self.frame is None:
                self.action_leave()
            return
        if frame := playing.take():
            self.frame = cast("DeckApp", self.app).demo_run = frame
            self._show()

    def _show(self) -> None:
        with self.app.batch_update():
            self.query_one(Heading).sync()
            self.query_one(Lanes).sync()
            bar = self.query_one(KeyBar)
            bar.use(self._keys())
            bar.sync()

    def _keys(self) -> tuple[tuple[str, str], ...]:
        """Protections first; the one in force is marked."""
        if self.frame is None:
            return (("demo.leave", "leave"),)
        shown = [("demo.leave", "leave")]
        protections = self.frame.scenario.protections
        if len(protections) > 1:
            for number, one in enumerate(protections[:MOST], 1):
                if not one.why_not:
                    mark = "•" if one.name == self.frame.protection else ""
                    shown.append((f"demo.protection{number}", mark + one.name))
        if self.frame.state in OVER:
            shown.append(("demo.again", "again"))
        return (*shown, ("app.help", "keys"), ("app.quit", "quit"))

    def action_protect(self, number: int) -> None:
        frame = self.frame
        if frame is None or not 1 <= number <= len(frame.scenario.protections):
            return
        chosen = frame.scenario.protections[number - 1]
        if chosen.why_not:
            self.notify(f"{chosen.name} is not possible here: {chosen.why_not}", severity="warning")
        elif frame.state in OVER:
            self._play(ScenarioAsk(protection=chosen.name, seconds=frame.seconds))
        else:
            client = self._link.client

            def failed(error: TiffinError) -> None:
                self.notify(str(error), severity="error")

            self._asking.ask(
                "protect", lambda: client.protect(self._demo, chosen.name), lambda _: None, failed
            )

    def action_again(self) -> None:
        if self.frame is not None and self.frame.state in OVER:
            self._play(ScenarioAsk(protection=self.frame.protection, seconds=self.frame.seconds))

    def action_leave(self) -> None:
        self.dismiss()

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    async def on_key_pressed(self, message: KeyPressed) -> None:
        await self.run_action(message.action)


class Heading(DrawnLine):
    """What is being played, and how far it is."""

    def __init__(self) -> None:
        super().__init__("host")

    def line(self) -> Line:
        """See DrawnLine."""
        frame = cast(DemoScreen, self.screen).frame
        return draw.heading(frame, self.outer_size.width, palette_of(self)) if frame else []


class Lanes(Widget):
    """Both lanes with everything below them."""

    DEFAULT_CSS = "Lanes { height: 1fr; width: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self._drawn: dict[int, Line] = {}  # by row

    def sync(self) -> None:
        """Repaint the rows that differ from what is on the screen."""
        frame = cast(DemoScreen, self.screen).frame
        wide, high = self.size
        if frame is None or not wide or not high:
            return
        before, self._drawn = self._drawn, dict(enumerate(draw.body(frame, wide, high, palette_of(self))))
        repaint(self, before, self._drawn)

    def render_line(self, y: int) -> Strip:
        """One row."""
        blank = palette_of(self).style("text")
        return Strip(self._drawn.get(y, [])).adjust_cell_length(self.size.width, blank)
