"""What every tab is: mounted when it is first looked at, and brought up to date only while it is in view."""

from __future__ import annotations

from textual import events
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Input, Static

from engine.errors import TiffinError
from engine.model import ContainerSummary, Sample
from tui.deck.asking import Asking
from tui.deck.engine_link import Link
from tui.deck.form.fields import Field
from tui.deck.store import Store
from tui.presentation.text import harmless


class Subject:
    """The container that the details are about, and the ways to learn more of it."""

    def __init__(self, link: Link, store: Store, id: str) -> None:
        self.link = link
        self.store = store
        self.id = id

    @property
    def container(self) -> ContainerSummary | None:
        """It, while it is there."""
        return self.store.containers.get(self.id)

    @property
    def sample(self) -> Sample:
        """What was measured of it last."""
        return self.store.sample(self.id)


class Tab(Vertical):
    """One tab; subclasses compose `#told` where an error can be said."""

    DEFAULT_CSS = """
    Tab { height: 1fr; }
    Tab #told { height: auto; max-height: 3; color: $failed; padding: 0 1; display: none; }
    """

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self.subject = subject
        self.asking = Asking(self)

    def refresh_now(self) -> None:
        """Bring it up to date: it came into view, or the store has changed while it is in view."""
        raise NotImplementedError

    def opened(self) -> None:
        """It came into view."""
        self.refresh_now()

    def take_focus(self) -> None:
        """Give the focus to what its keys work on."""
        for widget in self.query("*"):
            if widget.focusable:
                widget.focus()
                return

    def tell(self, text: str) -> None:
        """Say one sentence below the tab, "" for none."""
        told = self.query_one("#told", Static)
        told.update(harmless(text))
        told.display = bool(text)

    def failed(self, error: TiffinError) -> None:
        """Say what an engine's answer was."""
        self.tell(str(error))


class SearchTab(Tab):
    """A tab with a field that `/` opens; Enter goes back to the list, Esc closes the field."""

    DEFAULT_CSS = "SearchTab #search { display: none; background: $surface; }"
    BINDINGS = [
        Binding("slash", "search", "search", id="details.search"),
        Binding("escape", "end_search", "show all", id="details.end_search", show=False),
    ]

    def search_field(self, hint: str) -> Field:
        """The field, for `compose`."""
        return Field(placeholder=hint, id="search")

    def searched(self, text: str) -> None:
        """Show what the text in the field asks for."""
        raise NotImplementedError

    def submitted(self) -> None:
        """Enter was pressed in the field."""

    @property
    def sought(self) -> str:
        """What is in the field."""
        return self.query_one("#search", Field).value

    def action_search(self) -> None:
        field = self.query_one("#search", Field)
        field.display = True
        field.focus()

    def action_end_search(self) -> None:
        field = self.query_one("#search", Field)
        field.value = ""
        field.display = False
        self.take_focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.searched(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        event.input.display = bool(event.value)
        self.take_focus()
        self.submitted()

    def on_key(self, event: events.Key) -> None:
        if event.key in ("up", "down") and isinstance(self.screen.focused, Field):
            event.stop()
            self.take_focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is something to end while the field is there."""
        if action == "end_search":
            return self.is_mounted and self.query_one("#search", Field).display
        return True
