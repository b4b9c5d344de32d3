"""The foot of the log pane, where one types what to search, to filter by, or where to save."""

from __future__ import annotations

from typing import Literal

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label

Kind = Literal["search", "filter", "save"]


class Prompt(Horizontal):
    """Asks for one line; there only while it asks."""

    DEFAULT_CSS = """
    Prompt { height: 1; width: 1fr; display: none; background: $surface; }
    Prompt.-asking { display: block; }
    Prompt Label { width: auto; padding: 0 1; background: $surface; color: $muted; }
    Prompt Input { width: 1fr; height: 1; border: none; padding: 0; background: $surface; }
    Prompt Input:focus { border: none; background: $surface; }
    """
    BINDINGS = [Binding("escape", "leave", "leave it", id="logs.leave_prompt")]

    class Typed(Message):
        """What is typed has changed."""

        def __init__(self, kind: Kind, text: str) -> None:
            super().__init__()
            self.kind = kind
            self.text = text

    class Entered(Typed):
        """It is complete."""

    class Left(Typed):
        """It is not wanted any more; `text` is what was there when it was opened."""

    def __init__(self) -> None:
        super().__init__(id="log-prompt")
        self._kind: Kind = "search"
        self._before = ""

    def compose(self) -> ComposeResult:
        yield Label("", markup=False)
        yield Input(compact=True, select_on_focus=False)

    @property
    def asking(self) -> bool:
        """Whether it is on the screen."""
        return self.has_class("-asking")

    @property
    def kind(self) -> Kind:
        """What it asks for."""
        return self._kind

    def ask(self, kind: Kind, label: str, text: str) -> None:
        """Show it with something typed already, and give it the focus."""
        self._kind, self._before = kind, text
        self.label(label)
        field = self.query_one(Input)
        with self.prevent(Input.Changed):
            field.value = text
        field.cursor_position = len(text)
        self.add_class("-asking")
        field.focus()

    def label(self, text: str) -> None:
        """Say what is asked for."""
        self.query_one(Label).update(text)

    def close(self) -> None:
        """Take it off the screen."""
        self.remove_class("-asking")

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Typed(self._kind, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Entered(self._kind, event.value))

    def action_leave(self) -> None:
        self.post_message(self.Left(self._kind, self._before))
