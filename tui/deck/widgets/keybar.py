"""The bottom row: the keys that matter most now, as many as fit."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.binding import Binding
from textual.screen import Screen

from tui.deck.draw.line import Line, Row
from tui.deck.messages import KeyPressed
from tui.deck.theme import palette_of
from tui.deck.widgets.drawn import DrawnLine
from tui.presentation.text import width

SHOWN = (
    ("app.help", "keys"),
    ("container.start_stop", "stop"),
    ("container.pause", "pause"),
    ("limit.up", "limit"),
    ("limit.edit", "limits"),
    ("view.suspects", "who hurts whom"),
    ("view.toggle", "table"),
    ("view.details", "open"),
    ("container.restart", "restart"),
    ("view.filter", "filter"),
    ("container.new", "new"),
    ("view.images", "images"),
    ("view.logs", "logs"),
    ("container.shell", "shell"),
    ("container.remove", "remove"),
    ("app.quit", "quit"),
    ("limit.undo", "undo"),
    ("view.chart", "chart"),
    ("select.mark", "mark"),
    ("container.kill", "kill"),
    ("app.palette", "palette"),
)
"""Binding ids and words, the most important first; the bar shows them in this order, as many as fit."""

PAIRS = {
    "limit.up": "limit.down",
    "chart.left": "chart.right", "chart.narrower": "chart.wider", "chart.earlier": "chart.later",
    "chart.next": "chart.previous", "replay.back": "replay.on", "replay.faster": "replay.slower",
    "replay.next_worst": "replay.previous_worst", "replay.next_event": "replay.previous_event",
}  # fmt: skip
"""Keys that are told of together with another: that one's ids."""

ACTING = ("container.", "group.", "limit.up", "limit.undo")
"""Beginnings of the ids of keys that a read-only deck refuses."""

SIGNS = {
    "question_mark": "?", "slash": "/", "plus": "+", "minus": "−", "enter": "⏎", "space": "␣", "colon": ":",
    "escape": "esc", "delete": "del", "less_than_sign": "<", "greater_than_sign": ">",
    "up": "↑", "down": "↓", "left": "←", "right": "→", "pageup": "PgUp", "pagedown": "PgDn",
    "left_square_bracket": "[", "right_square_bracket": "]", "left_curly_bracket": "{",
    "right_curly_bracket": "}", "equals_sign": "=", "ampersand": "&", "tab": "Tab",
}  # fmt: skip


def key_sign(key: str) -> str:
    """How a key is written on screen: "question_mark" as "?"."""
    return SIGNS.get(key, key.replace("ctrl+", "^"))


class KeyBar(DrawnLine):
    """Keys with their meaning, made from the bindings as they are now; a click does what the key does."""

    def __init__(self, shown: Sequence[tuple[str, str]] = SHOWN) -> None:
        super().__init__("keys")
        self._shown = shown
        self.words: dict[str, str] = {}  # instead of those above, by id
        self._places: list[tuple[int, int, str]] = []  # from cell, to cell, action

    def use(self, shown: Sequence[tuple[str, str]]) -> None:
        """Show other keys from now on."""
        self._shown = shown

    def line(self) -> Line:
        """See DrawnLine."""
        palette, wide = palette_of(self), self.outer_size.width
        sign, word = palette.style("selected", "surface", bold=True), palette.style("muted", "surface")
        by_id = bindings(self.screen)
        row = Row()
        self._places = []
        read_only = bool(getattr(self.app, "read_only", False))
        if read_only:
            row.add(" read-only ", palette.style("warn", "surface", bold=True, reverse=True))
        for id, text in (*self._of_focused(), *self._shown):
            if id not in by_id or (read_only and id.startswith(ACTING)):
                continue
            keys = key_sign(by_id[id].key)
            if (other := PAIRS.get(id)) in by_id:
                keys += f" {key_sign(by_id[other].key)}"
            text = self.words.get(id, text)
            needs = width(keys) + width(text) + 3
            if row.cells + needs > wide:
                continue
            self._places.append((row.cells, row.cells + needs, by_id[id].action))
            row.add(f" {keys}", sign).add(f" {text} ", word)
        return row.fill(wide, word).segments

    def _of_focused(self) -> list[tuple[str, str]]:
        """Keys of the widget that has the focus: they come first."""
        focused = self.screen.focused
        return [
            (active.binding.id, active.binding.description)
            for active in self.screen.active_bindings.values()
            if active.node is focused and active.binding.show and active.binding.id
        ]

    def on_click(self, event: events.Click) -> None:
        for begin, end, action in self._places:
            if begin <= event.x < end:
                self.post_message(KeyPressed(action))


def bindings(screen: Screen[object]) -> dict[str, Binding]:
    """The bindings in force on a screen, by id, each with the first of its keys."""
    found: dict[str, Binding] = {}
    for active in screen.active_bindings.values():
        if active.binding.id and active.binding.id not in found:
            found[active.binding.id] = active.binding
    return found
