"""One changed path over the whole screen: the image's text and the container's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen

from engine.errors import TiffinError
from tui.deck.asking import Asking
from tui.deck.changes.comparison import Comparison
from tui.deck.changes.texts import Compared, compared
from tui.deck.details.tab import Subject
from tui.deck.draw.line import Line, Row, cut
from tui.deck.messages import KeyPressed
from tui.deck.theme import palette_of
from tui.deck.widgets.drawn import DrawnLine
from tui.deck.widgets.keybar import KeyBar
from tui.presentation.images import tidy
from tui.presentation.text import clip, harmless, pad

if TYPE_CHECKING:
    from tui.deck.app import DeckApp

KEYS = (
    ("compare.close", "back"),
    ("compare.after", "next file"),
    ("compare.before", "file before"),
    ("compare.copy", "copy the text"),
    ("list.down", "down"),
    ("app.help", "keys"),
    ("app.quit", "quit"),
)


class CompareScreen(Screen[str]):
    """Dismisses with the path that was shown last."""

    BINDINGS = [
        Binding("escape", "close", "back", id="compare.close"),
        Binding("J,tab", "step(1)", "next file", id="compare.after", priority=True),
        Binding("K,shift+tab", "step(-1)", "file before", id="compare.before", priority=True),
        Binding("y", "copy", "copy the container's text", id="compare.copy"),
    ]
    CSS = "CompareScreen { layout: vertical; } CompareScreen Comparison { height: 1fr; }"

    def __init__(self, subject: Subject, name: str, paths: Sequence[str], place: int) -> None:
        super().__init__()
        self._subject = subject
        self._called = name
        self._paths = paths
        self._place = place

    def compose(self) -> ComposeResult:
        yield Title()
        yield Sides()
        yield Comparison()
        yield KeyBar(KEYS)

    def on_mount(self) -> None:
        self._asking = Asking(self)
        self.comparison = self.query_one(Comparison)
        self.comparison.focus()
        deck = cast("DeckApp", self.app)
        deck.theme_changed_signal.subscribe(self, lambda _: self._sync())
        self.bindings_updated_signal.subscribe(self, lambda _: self.query_one(KeyBar).sync())
        self._ask()

    @property
    def path(self) -> str:
        """What is compared."""
        return self._paths[self._place]

    def _ask(self) -> None:
        path, client, id = self.path, self._subject.link.client, self._subject.id

        def take(answer: Compared) -> None:
            if path != self.path:
                self._ask()
                return
            self.comparison.compare(answer)
            self._sync()

        def failed(error: TiffinError) -> None:
            self.comparison.tell(harmless(str(error)))

        self.comparison.tell("asking the engine …")
        self._sync()
        self._asking.ask("change", lambda: compared(client.change(id, path)), take, failed)

    def _sync(self) -> None:
        told = self.comparison.title()
        self.query_one(Title).show(self._called, self.path, told, f"{self._place + 1} of {len(self._paths)}")
        container = self._subject.container
        self.query_one(Sides).show(
            tidy(container.image) if container else "image", self._called, self.comparison.beside
        )
        self.comparison.refresh()

    def on_resize(self) -> None:
        if self.is_mounted:
            self.call_after_refresh(self._sync)

    def action_step(self, by: int) -> None:
        self._place = (self._place + by) % len(self._paths)
        self._ask()

    def action_close(self) -> None:
        self.dismiss(self.path)

    def action_copy(self) -> None:
        shown = self.comparison.compared
        side = (shown.change.after or shown.change.before) if shown else None
        if side is not None and side.text is not None:
            self.app.copy_to_clipboard(side.text)
            self.notify("the text is in the clipboard")

    async def on_key_pressed(self, message: KeyPressed) -> None:
        await self.app.run_action(message.action, default_namespace=self.focused or self)


class Title(DrawnLine):
    """Which path of which container it is."""

    def __init__(self) -> None:
        super().__init__("title")
        self._called = self._path = self._told = self._place = ""

    def show(self, name: str, path: str, told: str, place: str) -> None:
        """Take what is to be shown."""
        self._called, self._path, self._told, self._place = name, path, told, place
        self.sync()

    def line(self) -> Line:
        """See DrawnLine."""
        palette, wide = palette_of(self), self.outer_size.width
        quiet = palette.style("muted", "surface")
        row = Row().add(
            f" {clip(harmless(self._called), wide // 4)} ", palette.style("text", "surface", bold=True)
        )
        row.add(
            clip(harmless(self._path), max(0, wide - row.cells - 12)), palette.style("selected", "surface")
        )
        row.add(f"  {self._told}" if self._told else "", palette.style("text", "surface"))
        if row.cells + len(self._place) + 2 <= wide:
            row.right(f"{self._place} ", wide, quiet)
        return cut(row.fill(wide, quiet).segments, wide)


class Sides(DrawnLine):
    """Whose text is on which side."""

    def __init__(self) -> None:
        super().__init__("sides")
        self._left = self._right = ""
        self._beside = False

    def show(self, left: str, right: str, beside: bool) -> None:
        """Take what is to be shown."""
        self._left, self._right, self._beside = left, right, beside
        self.sync()

    def line(self) -> Line:
        """See DrawnLine."""
        palette, wide = palette_of(self), self.outer_size.width
        left, right = palette.style("failed"), palette.style("running")
        row = Row()
        if self._beside:
            half = (wide - 1) // 2
            row.add(pad(f"      − {harmless(self._left)}", half), left).add("│", palette.style("border"))
            row.add(pad(f"      + {harmless(self._right)}", wide - half - 1), right)
        else:
            row.add(f"      − {harmless(self._left)}  ", left).add(f"+ {harmless(self._right)}", right)
        return cut(row.fill(wide, palette.style("muted")).segments, wide)
