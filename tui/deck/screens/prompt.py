"""A few things asked before something is done: a name, a path; answers are checked while they are typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from engine.errors import BadRequest
from tui.deck.form.fields import ChoiceField, Field
from tui.deck.messages import KeyPressed
from tui.deck.new.chips import Chips
from tui.deck.widgets.keybar import KeyBar
from tui.presentation.text import harmless, harmless_lines

T = TypeVar("T")


class Ask(NamedTuple):
    """One thing that is asked."""

    key: str
    label: str
    hint: str
    default: str = ""
    choices: Sequence[str] = ()
    optional: bool = False


class Prompt(ModalScreen[T]):
    """Dismisses with what `read` made of the answers, or None where the question was left.

    `read` raises BadRequest for what it cannot take; that is said, and the question stays.
    """

    BINDINGS = [
        Binding("enter", "next", "go on; at the last do it", id="prompt.next", priority=True),
        Binding("ctrl+s", "answer", "do it", id="prompt.answer", priority=True),
        Binding("up", "app.focus_previous", "entry above", id="prompt.up", priority=True),
        Binding("down", "app.focus_next", "entry below", id="prompt.down", priority=True),
        Binding("escape", "leave", "leave", id="prompt.leave"),
    ]
    CSS = """
    Prompt #box {
        width: 100%; max-width: 84; height: auto; max-height: 100%;
        background: $surface; border: round $border; border-title-color: $ink; padding: 0 1;
    }
    Prompt Static { color: $muted; height: 1; }
    Prompt #note { height: auto; max-height: 8; color: $ink; margin-bottom: 1; }
    Prompt .entry { height: 1; }
    Prompt .entry Static { width: 12; }
    Prompt .entry Field { width: 1fr; }
    Prompt .entry:focus-within { background: $selection; }
    Prompt .entry:focus-within Static { color: $ink; text-style: bold; }
    Prompt #hint { margin-top: 1; height: auto; max-height: 3; }
    Prompt #told { height: auto; min-height: 1; max-height: 3; color: $failed; }
    Prompt #keys { dock: none; }
    """

    def __init__(
        self, title: str, verb: str, asks: Sequence[Ask], read: Callable[[Mapping[str, str]], T], note: str = ""
    ) -> None:  # fmt: skip
        super().__init__()
        self._title = title
        self._verb = verb
        self._asks = {ask.key: ask for ask in asks}
        self._read = read
        self._note = note

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            note = Static(harmless_lines(self._note), id="note", markup=False)
            note.display = bool(self._note)
            yield note
            for ask in self._asks.values():
                with Horizontal(classes="entry"):
                    yield Static(f" {ask.label}", markup=False)
                    yield (
                        ChoiceField(ask.default, list(ask.choices), id=f"ask-{ask.key}")
                        if ask.choices
                        else Field(ask.default, id=f"ask-{ask.key}")
                    )
            yield Static(id="hint", markup=False)
            yield Chips()
            yield Static(id="told", markup=False)
            yield KeyBar((("prompt.next", self._verb), ("prompt.down", "next"), ("prompt.leave", "leave")))

    def on_mount(self) -> None:
        self.query_one("#box").border_title = harmless(self._title)
        self.bindings_updated_signal.subscribe(self, lambda _: self.query_one(KeyBar).sync())
        empty = [ask.key for ask in self._asks.values() if not ask.default and not ask.optional]
        field = self._field((empty or list(self._asks))[0])
        self.set_focus(field)
        field.cursor_position = len(field.value)

    def _field(self, key: str) -> Field:
        return self.query_one(f"#ask-{key}", Field)

    @property
    def _key(self) -> str:
        """What the focused field asks for."""
        return (self.focused.id or "").removeprefix("ask-") if self.focused else ""

    def _hint(self) -> None:
        focused = self.focused
        ask = self._asks.get(self._key)
        self.query_one("#hint", Static).update(f" {ask.hint}" if ask else "")
        choosing = isinstance(focused, ChoiceField)
        chips = self.query_one(Chips)
        chips.display = choosing
        if isinstance(focused, ChoiceField):
            chips.show(focused.choices, focused.value)
        last = self._key == list(self._asks)[-1]
        bar = self.query_one(KeyBar)
        bar.words = {"prompt.next": self._verb if last else "next"}
        bar.sync()

    def on_descendant_focus(self) -> None:
        self._hint()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._say("")
        self._hint()

    def on_chips_chosen(self, message: Chips.Chosen) -> None:
        if isinstance(self.focused, ChoiceField):
            self.focused.value = message.text
            self.focused.cursor_position = len(message.text)

    def _say(self, text: str) -> None:
        self.query_one("#told", Static).update(f" {harmless(text)}" if text else "")

    def action_next(self) -> None:
        keys = list(self._asks)
        if self._key not in keys[:-1]:
            self.action_answer()
        else:
            self.set_focus(
                self._field(keys[keys.index(self._key) + 1])
            )  # at once: keys typed ahead are for it

    def action_answer(self) -> None:
        answers = {key: self._field(key).value.strip() for key in self._asks}
        for key, ask in self._asks.items():
            if not answers[key] and not ask.optional:
                self._say(f"{ask.label} is empty: {ask.hint}")
                self.set_focus(self._field(key))
                return
        try:
            read = self._read(answers)
        except BadRequest as error:
            self._say(str(error))
            return
        self.dismiss(read)

    def action_leave(self) -> None:
        self.dismiss(cast("T", None))

    async def on_key_pressed(self, message: KeyPressed) -> None:
        await self.run_action(message.action)
