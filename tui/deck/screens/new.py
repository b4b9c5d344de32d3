"""The form for a new container; Enter, Enter is a shell in the host's own image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, Static

from engine.errors import TiffinError
from engine.model import ImageCheck, ImageSummary
from tui.deck.asking import Asking
from tui.deck.engine_link import Link
from tui.deck.form.fields import ChoiceField, Field, Toggle
from tui.deck.messages import KeyPressed
from tui.deck.new.chips import Chips
from tui.deck.new.entries import ENTRIES, SWITCHES, Entry, Refused, check, config
from tui.deck.store import Store
from tui.deck.widgets.keybar import KeyBar
from tui.presentation import checks
from tui.presentation.images import HOST
from tui.presentation.text import harmless

if TYPE_CHECKING:
    from tui.deck.app import DeckApp

BY_KEY = {entry.key: entry for entry in (*ENTRIES, *SWITCHES)}
REFUSED = ("refused", "unreadable")
OTHERS = 8  # rows of the dialog that are not entries
KEYS = (
    ("new.next", "run"),
    ("new.run", "run at once"),
    ("form.turn", "turn"),
    ("new.down", "next"),
    ("new.up", "before"),
    ("new.close", "close"),
)


class NewScreen(ModalScreen[str]):
    """Dismisses with the id of the container that was made and started, or None."""

    BINDINGS = [
        Binding("enter", "next", "on from the image; else run it", id="new.next", priority=True),
        Binding("ctrl+s", "run", "run it", id="new.run", priority=True),
        Binding("up", "app.focus_previous", "entry above", id="new.up", priority=True),
        Binding("down", "app.focus_next", "entry below", id="new.down", priority=True),
        Binding("escape", "close", "close", id="new.close"),
    ]
    CSS = """
    NewScreen #box {
        width: 100%; max-width: 96; height: auto; max-height: 100%;
        background: $surface; border: round $border; border-title-color: $ink; padding: 0 1;
    }
    NewScreen Static { height: 1; color: $muted; }
    NewScreen #entries { height: auto; scrollbar-size-vertical: 1; background: $surface; }
    NewScreen .entry { height: 1; }
    NewScreen .entry Static { width: 15; }
    NewScreen .entry Field, NewScreen .entry Toggle { width: 1fr; }
    NewScreen .entry:focus-within { background: $selection; }
    NewScreen .entry:focus-within Static { color: $ink; text-style: bold; }
    NewScreen #hint { margin-top: 1; height: auto; max-height: 2; }
    NewScreen #hint.-bad { color: $failed; }
    NewScreen #told { height: 2; }
    NewScreen #told.-bad { color: $failed; }
    NewScreen #keys { dock: none; }
    """

    def __init__(self, link: Link, store: Store, image: str = "") -> None:
        super().__init__()
        self._link = link
        self._store = store
        self._ids: dict[str, str] = {}  # of images by name
        self._image = image  # chosen beforehand; then its own command is too

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            with VerticalScroll(id="entries", can_focus=False):
                for entry in (*ENTRIES, *SWITCHES):
                    with Horizontal(classes="entry"):
                        yield Static(f"  {entry.label}", markup=False)
                        yield _field(entry, self._default(entry))
            yield Static(id="hint", markup=False)
            yield Chips()
            yield Static(id="told", markup=False)
            yield KeyBar(KEYS)

    def on_mount(self) -> None:
        self._asking = Asking(self)
        self.query_one("#box").border_title = "new container"
        client = self._link.client
        self._asking.ask("images", lambda: client.images(), self._take_images, self._refused)
        self._asking.ask("networks", lambda: client.networks(), lambda found: self._offer(
            "network", [network.name for network in found]
        ), self._refused)  # fmt: skip
        cast("DeckApp", self.app).theme_changed_signal.subscribe(self, lambda _: self._hint())
        self.bindings_updated_signal.subscribe(self, lambda _: self.query_one(KeyBar).sync())
        self.query_one("#command" if self._image else "#image").focus()

    def _default(self, entry: Entry) -> str:
        if self._image and entry.key == "image":
            return self._image.removesuffix(":latest")
        if self._image not in ("", HOST) and entry.key == "command":
            return ""
        return entry.default

    def on_resize(self) -> None:
        rows = len(ENTRIES) + len(SWITCHES)
        self.query_one("#entries").styles.height = max(3, min(rows, self.size.height - OTHERS))

    def _offer(self, key: str, found: Sequence[str]) -> None:
        """Take more choices for an entry."""
        known = BY_KEY[key].choices
        self.query_one(f"#{key}", ChoiceField).choices = [
            *known,
            *(c for c in sorted(found) if c not in known),
        ]
        self._hint()

    def _take_images(self, found: list[ImageSummary]) -> None:
        self._offer("image", [name.removesuffix(":latest") for image in found for name in image.names])
        self._ids = {name.removesuffix(":latest"): image.id for image in found for name in image.names}
        self._check()

    def _check(self) -> None:
        """Ask whether the images run here, one by one, since each has to be looked into; the chosen one first."""
        chosen = self.query_one("#image", ChoiceField).value
        names = [name for name in (chosen, *self._ids) if name in self._ids]
        id = next(
            (self._ids[name] for name in names if self._ids[name] not in cast("DeckApp", self.app).checks),
            None,
        )
        if id is None:
            return
        client = self._link.client

        def take(found: list[ImageCheck]) -> None:
            cast("DeckApp", self.app).checks |= {check.id: check for check in found}
            self._hint()
            self._check()

        self._asking.ask("check", lambda: client.images_check(id), take, self._refused)

    def _verdict(self, name: str) -> ImageCheck | None:
        """What was found out about an image of that name."""
        return cast("DeckApp", self.app).checks.get(self._ids.get(name.removesuffix(":latest"), ""))

    # ── what is said ────────────────────────────────────────────────────────────────────────────────────────

    def _hint(self) -> None:
        focused = self.focused
        entry = BY_KEY.get(focused.id or "") if focused else None
        hint = self.query_one("#hint", Static)
        hint.update(f"  {entry.hint}" if entry else "")
        hint.set_class(False, "-bad")
        if not isinstance(focused, ChoiceField):
            self.query_one(Chips).show((), "")
            return
        bad = [name for name in focused.choices if (one := self._verdict(name)) and one.verdict in REFUSED]
        image = focused.id == "image"
        self.query_one(Chips).show(focused.choices, focused.value, bad if image else ())
        if image and (check := self._verdict(focused.value)) is not None:
            told = (
                checks.distribution(check),
                checks.library(check),
                check.reason or checks.WORDS[check.verdict],
            )
            hint.update(harmless(f"  {checks.GLYPH[check.verdict]} {' · '.join(told)}"))
            hint.set_class(check.verdict in REFUSED, "-bad")

    def on_descendant_focus(self) -> None:
        self._hint()
        bar = self.query_one(KeyBar)
        bar.words = {"new.next": "next" if self._on_image() else "run"}
        bar.sync()

    def _on_image(self) -> bool:
        return self.focused is not None and self.focused.id == "image"

    def _say(self, text: str, bad: bool = False) -> None:
        told = self.query_one("#told", Static)
        told.set_class(bad, "-bad")
        told.update(f"  {harmless(text)}" if text else "")

    def _refused(self, error: TiffinError) -> None:
        self._say(str(error), True)
        if isinstance(error, Refused):
            self.query_one(f"#{error.key}").focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        bad = ""
        try:
            check(event.input.id or "", event.value)
        except Refused as error:
            bad = str(error)
        event.input.set_class(bool(bad), "-bad")
        if event.input.has_focus:
            self._say(bad, bool(bad))
            self._hint()

    def on_chips_chosen(self, message: Chips.Chosen) -> None:
        if isinstance(self.focused, ChoiceField):
            self.focused.value = message.text
            self.focused.cursor_position = len(message.text)

    # ── keys ────────────────────────────────────────────────────────────────────────────────────────────────

    def action_next(self) -> None:
        if self._on_image():
            self.query_one("#command").focus()
        else:
            self.action_run()

    def action_run(self) -> None:
        try:
            wanted, name = config(
                {entry.key: self.query_one(f"#{entry.key}", Field).value for entry in ENTRIES},
                {entry.key: self.query_one(f"#{entry.key}", Toggle).value for entry in SWITCHES},
            )
        except Refused as error:
            self._refused(error)
            return
        if cast("DeckApp", self.app).refuses():
            self._say("read-only: nothing is made from here; R on the main screen allows it again", True)
            return
        client = self._link.client
        if self._asking.ask("run", lambda: client.run(wanted, name), self._made, self._refused):
            self._say("starting …")

    def _made(self, id: str) -> None:
        self.dismiss(id)

    def action_close(self) -> None:
        self.dismiss(None)

    async def on_key_pressed(self, message: KeyPressed) -> None:
        await self.run_action(message.action)


def _field(entry: Entry, default: str) -> Widget:
    if entry in SWITCHES:
        return Toggle(default == "on", id=entry.key)
    if entry.choices:
        return ChoiceField(default, entry.choices, id=entry.key)
    return Field(default, id=entry.key)
