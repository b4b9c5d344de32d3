"""All keys: read from the bindings in force on the screen below, as they are after any remapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from tui.deck.draw.line import Line, Row
from tui.deck.messages import KeyPressed
from tui.deck.theme import Palette
from tui.deck.widgets.keybar import KeyBar, key_sign
from tui.deck.widgets.lines import Lines
from tui.presentation.text import pad, width

if TYPE_CHECKING:
    from tui.deck.app import DeckApp

TITLES = {
    "container": "the container", "limit": "its limits", "view": "views", "select": "choosing",
    "table": "table", "logs": "output", "details": "details", "limits": "limits editor",
    "new": "new container", "form": "fields", "list": "lists", "engine": "engine",
    "images": "images", "jobs": "long work", "changes": "changes", "compare": "comparison", "prompt": "question",
    "suspects": "suspects", "gallery": "demos", "demo": "a demo",
    "group": "the cgroup", "tree": "the host tree",
    "welcome": "first run", "confirm": "question", "app": "tiffin", "": "everywhere",
}  # fmt: skip
KEYS, WORDS = 13, 23  # cells; what is left of a column shows the id
LEAST_COLUMN = 58
WIDEST = 182


class Entry(msgspec.Struct, frozen=True):
    """One thing that keys do."""

    keys: tuple[str, ...]
    words: str
    id: str
    remapped: bool


def entries(screen: Screen[Any], remapped: dict[str, str]) -> dict[str, list[Entry]]:
    """What every key in force on a screen does, by title; `remapped` is the user's own keys by id."""
    keys: dict[tuple[str, str], list[str]] = {}
    groups: dict[str, dict[tuple[str, str], Entry]] = {}
    for key, active in screen.active_bindings.items():
        binding = active.binding
        name = (binding.id or "", binding.description or binding.action)
        if not active.enabled or not (binding.id or binding.description):
            continue
        keys.setdefault(name, []).append(_sign(key))
        title = TITLES.get(name[0].partition(".")[0], name[0].partition(".")[0])
        entry = Entry(tuple(keys[name]), name[1], name[0], name[0] in remapped)
        groups.setdefault(title, {})[name] = entry
    order = list(TITLES.values())
    return {
        title: list(groups[title].values())
        for title in sorted(groups, key=lambda t: order.index(t) if t in order else len(order))
    }


def _sign(key: str) -> str:
    return key_sign(key).replace("shift+tab", "⇧Tab").replace("shift+", "⇧")


class HelpScreen(ModalScreen[None]):
    """Shows them; any of the usual keys closes it."""

    BINDINGS = [Binding("escape,question_mark,q,enter", "dismiss", "close", id="help.close")]
    CSS = f"""
    HelpScreen #box {{
        width: 100%; max-width: {WIDEST}; height: 100%; max-height: 100%;
        background: $surface; border: round $border; border-title-color: $ink; padding: 0 1;
    }}
    HelpScreen Static {{ color: $muted; height: 1; }}
    HelpScreen #keys {{ dock: none; }}
    """

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Lines("surface", cursor=False)
            yield Static(id="note", markup=False)
            yield KeyBar((("help.close", "close"), ("list.down", "down"), ("list.up", "up")))

    def on_mount(self) -> None:
        deck = cast("DeckApp", self.app)
        self._groups = entries(deck.screen_stack[-2], deck.settings.keys)
        self.query_one("#box").border_title = "all keys"
        where = deck.settings_path
        note = f"other keys: the names at the right, under [keys] in {where}; * is remapped"
        self.query_one("#note", Static).update(note)
        deck.theme_changed_signal.subscribe(self, lambda _: self._fill())
        self.query_one(Lines).focus()

    def on_resize(self) -> None:
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        lines = self.query_one(Lines)
        palette = cast("DeckApp", self.app).palette
        wide = lines.size.width
        columns = max(1, wide // LEAST_COLUMN)
        lines.show(laid_out(self._groups, columns, wide // columns, palette), lambda line, _: line)

    async def on_key_pressed(self, message: KeyPressed) -> None:
        await self.run_action(message.action)


def laid_out(groups: dict[str, list[Entry]], columns: int, wide: int, palette: Palette) -> list[Line]:
    """Groups in columns of about the same height, each column `wide` cells; a group is not torn apart."""
    blocks = [_block(title, found, wide, palette) for title, found in groups.items()]
    each = -(-sum(map(len, blocks)) // columns)
    stacks: list[list[Line]] = [[]]
    for block in blocks:
        if len(stacks[-1]) + len(block) // 2 > each and len(stacks) < columns:
            stacks.append([])
        stacks[-1] += block
    blank = palette.style("text", "surface")
    rows = []
    for y in range(max(map(len, stacks))):
        row = Row()
        for place, stack in enumerate(stacks):
            row.join(stack[y] if y < len(stack) else []).fill((place + 1) * wide, blank)
        rows.append(row.segments)
    return rows


def _block(title: str, found: list[Entry], wide: int, palette: Palette) -> list[Line]:
    heading = palette.style("text", "surface", bold=True)
    sign, plain = palette.style("selected", "surface", bold=True), palette.style("text", "surface")
    quiet = palette.style("muted", "surface")
    lines = [Row().add(pad(title, wide), heading).segments]
    for entry in found:
        keys = " ".join(entry.keys) + (" *" if entry.remapped else "")
        row = Row().add(pad(f"  {keys}", max(KEYS, width(keys) + 3)), sign)
        row.add(pad(entry.words, max(8, KEYS + WORDS - row.cells)), plain)
        row.add(pad(f" {entry.id}", max(0, wide - row.cells)), quiet)
        lines.append(row.segments)
    return [*lines, Row().fill(wide, plain).segments]
