"""What is typed or chosen in one row of a form."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual import events
from textual.binding import Binding
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input
from textual.widgets.input import Selection

from tui.deck.theme import Ink, palette_of

NO_LIMIT = "max"


class Field(Input):
    """One line of text, as high as a row; class `-bad` while what is in it is refused."""

    DEFAULT_CSS = """
    Field, Field:focus {
        height: 1; border: none; padding: 0 1 !important;
        background: $track; color: $ink; background-tint: transparent;
    }
    Field > .input--placeholder, Field:focus > .input--placeholder { color: $muted; }
    Field:focus { background: $background; text-style: bold; }
    Field.-bad, Field.-bad:focus { color: $failed; }
    Field:disabled { background: $surface; color: $muted; opacity: 100%; }
    """

    def __init__(self, value: str = "", placeholder: str = "", *, id: str, disabled: bool = False) -> None:
        super().__init__(
            value,
            placeholder,
            id=id,
            disabled=disabled,
            compact=True,
            select_on_focus=False,
        )


class LimitField(Field):
    """A limit: while it is empty, letters are keys, since no value begins with one."""

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """See Input."""
        if not self.value and character is not None and (character.isalpha() or character == "?"):
            return False
        return super().check_consume_key(key, character)

    def clear_limit(self) -> None:
        """Put the word for no limit in; who goes on typing it overwrites what they have not typed yet."""
        self.value = NO_LIMIT
        self.selection = Selection(1, len(NO_LIMIT))


class ChoiceField(Field):
    """Text with known choices: left and right change from one to the next while it is one of them."""

    def __init__(self, value: str, choices: Sequence[str] = (), *, id: str) -> None:
        super().__init__(value, id=id)
        self.choices = choices

    def action_cursor_left(self, select: bool = False) -> None:
        """See Input."""
        if select or not self._step(-1):
            super().action_cursor_left(select)

    def action_cursor_right(self, select: bool = False) -> None:
        """See Input."""
        if select or not self._step(1):
            super().action_cursor_right(select)

    def _step(self, by: int) -> bool:
        if self.value not in self.choices or not self.cursor_at_end:
            return False
        place = self.choices.index(self.value) + by
        self.value = self.choices[place % len(self.choices)]
        self.cursor_position = len(self.value)
        return True


class Toggle(Widget, can_focus=True):
    """Yes or no: space, left and right, or a click turn it."""

    DEFAULT_CSS = "Toggle { height: 1; width: 1fr; }"
    BINDINGS = [
        Binding("space,left,right", "turn", "turn", id="form.turn"),
    ]

    class Turned(Message):
        """It is another now."""

    def __init__(self, value: bool, *, id: str, disabled: bool = False) -> None:
        super().__init__(id=id, disabled=disabled)
        self._value = value

    @property
    def value(self) -> bool:
        """Whether it is on."""
        return self._value

    @value.setter
    def value(self, on: bool) -> None:
        self._value = on
        self.refresh()

    def action_turn(self) -> None:
        self.value = not self.value
        self.post_message(self.Turned())

    def on_click(self, event: events.Click) -> None:
        self.focus()
        self.action_turn()

    def render_line(self, y: int) -> Strip:
        """Its row."""
        palette = palette_of(self)
        ground: Ink = "background" if self.has_focus else "track"
        style = palette.style("muted" if self.disabled else "text", ground, bold=self.has_focus)
        return Strip([Segment(" [x] on" if self.value else " [ ] off", style)]).adjust_cell_length(
            self.size.width, style
        )
