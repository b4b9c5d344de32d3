"""What was kept of one container's private layer; Enter chooses the one to go back to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from engine.errors import TiffinError
from engine.model import LayerSnapshot
from tui.deck.asking import Asking
from tui.deck.details.tab import Subject
from tui.deck.draw.line import Line, Row
from tui.deck.messages import KeyPressed
from tui.deck.screens.confirm import Confirm
from tui.deck.theme import Ink, Palette, palette_of
from tui.deck.widgets.keybar import KeyBar
from tui.deck.widgets.lines import Lines
from tui.presentation.quantities import size
from tui.presentation.text import clip, harmless, pad
from tui.presentation.times import ago

if TYPE_CHECKING:
    from tui.deck.app import DeckApp

MOST = 14  # rows
KEYS = (("snapshots.choose", "go back to it"), ("snapshots.remove", "forget"), ("snapshots.close", "close"))


class SnapshotsScreen(ModalScreen[LayerSnapshot]):
    """Dismisses with the one that was chosen, or None."""

    BINDINGS = [
        Binding("enter", "choose", "go back to it", id="snapshots.choose"),
        Binding("d,delete", "remove", "forget it", id="snapshots.remove"),
        Binding("escape,q", "dismiss", "close", id="snapshots.close"),
    ]
    CSS = f"""
    SnapshotsScreen #box {{
        width: 100%; max-width: 96; height: auto; max-height: 100%;
        background: $surface; border: round $border; border-title-color: $ink; padding: 0 1;
    }}
    SnapshotsScreen Static {{ color: $muted; height: auto; }}
    SnapshotsScreen Lines {{ height: 1; max-height: {MOST}; }}
    SnapshotsScreen #told {{ color: $failed; }}
    SnapshotsScreen #keys {{ dock: none; }}
    """

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self._subject = subject
        self._found: Sequence[LayerSnapshot] = ()

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static("asking the engine …", id="note", markup=False)
            yield Lines("surface")
            yield Static(id="told", markup=False)
            yield KeyBar(KEYS)

    def on_mount(self) -> None:
        self._asking = Asking(self)
        container = self._subject.container
        name = container.name if container else self._subject.id[:12]
        self.query_one("#box").border_title = f"snapshots of {harmless(name)}"
        self.query_one(Lines).focus()
        self._look()

    def _look(self) -> None:
        client, id = self._subject.link.client, self._subject.id
        self._asking.ask("snapshots", lambda: client.snapshots(id), self._take, self._failed)

    def _take(self, found: list[LayerSnapshot]) -> None:
        self._found = found[::-1]
        note = "the latest first" if found else "there are none yet; S in the changes makes one"
        self.query_one("#note", Static).update(note)
        lines, palette, now = self.query_one(Lines), palette_of(self), time.time()
        lines.styles.height = max(1, len(found))
        lines.show(self._found, lambda one, on: draw(one, now, lines.room, palette, on))

    def _failed(self, error: TiffinError) -> None:
        self.query_one("#told", Static).update(harmless(str(error)))

    @property
    def _current(self) -> LayerSnapshot | None:
        current = self.query_one(Lines).current
        return self._found[current] if current < len(self._found) else None

    def action_choose(self) -> None:
        if (snapshot := self._current) is not None and not cast("DeckApp", self.app).refuses():
            self.dismiss(snapshot)

    def action_remove(self) -> None:
        snapshot = self._current
        if snapshot is None or cast("DeckApp", self.app).refuses():
            return
        client, id = self._subject.link.client, self._subject.id

        def answered(yes: bool | None) -> None:
            if yes:
                self._asking.ask(
                    "remove",
                    lambda: client.snapshot_remove(id, snapshot.name),
                    lambda _: self._look(),
                    self._failed,
                )

        question = f"Forget snapshot {harmless(snapshot.name)} and its {size(snapshot.size)}?"
        self.app.push_screen(Confirm(question, "forget"), answered)

    async def on_key_pressed(self, message: KeyPressed) -> None:
        await self.run_action(message.action)


def draw(snapshot: LayerSnapshot, now: float, wide: int, palette: Palette, current: bool) -> Line:
    """One snapshot as a row."""
    ground: Ink = "selection" if current else "surface"
    quiet = palette.style("muted", ground)
    row = Row().add("▌" if current else " ", palette.style("selected", ground))
    row.add(pad(harmless(snapshot.name), 18), palette.style("text", ground, bold=True))
    row.add(pad(ago(snapshot.created_at, now), 18), quiet)
    row.add(pad(f"{snapshot.files} files", 12, True), quiet)
    row.add(pad(size(snapshot.size), 7, True) + "  ", palette.style("text", ground))
    row.add(clip(harmless(snapshot.note), max(0, wide - row.cells)), quiet)
    return row.fill(wide, quiet).segments
