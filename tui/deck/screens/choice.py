"""A question with more than one way to say yes; each has its key."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static


class Choice(ModalScreen[str]):
    """Dismisses with the key that was chosen, "" for none of them."""

    BINDINGS = [
        Binding("n,escape,q", "leave", "no", id="choice.no"),
        Binding("left,h", "app.focus_previous", "other button", id="choice.before", show=False),
        Binding("right,l", "app.focus_next", "other button", id="choice.after", show=False),
    ]

    def __init__(self, question: str, ways: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._question = question
        self._ways = ways  # key, words

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(self._question, markup=False, id="question")
            with Horizontal(id="buttons"):
                for key, words in self._ways:
                    yield Button(f"{words} ({key})", variant="error", id=f"way-{key}")
                yield Button("keep (esc)", id="no")

    def on_mount(self) -> None:
        self.query_one(f"#way-{self._ways[0][0]}").focus()

    def on_key(self, event: events.Key) -> None:
        if event.key in [key for key, _ in self._ways]:
            event.stop()
            self.dismiss(event.key)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss((event.button.id or "").removeprefix("way-") if event.button.id != "no" else "")

    def action_leave(self) -> None:
        self.dismiss("")
