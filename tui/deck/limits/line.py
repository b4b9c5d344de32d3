"""One limit in the editor: what it is now, a field for what it shall be, and what it does."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal

from tui.deck.draw.line import Line, Row
from tui.deck.form.fields import Field, LimitField, Toggle
from tui.deck.limits.rows import LimitRow
from tui.deck.theme import Ink, palette_of
from tui.deck.widgets.drawn import DrawnLine
from tui.presentation.text import clip, harmless, pad

LABEL, NOW, NEW, FILE = 12, 12, 16, 22  # cells; FILE only where there is room
LEFT = 2 + LABEL + NOW
LEAST_WHAT = 30


def names(wide: int, file: bool) -> str:
    """The titles of the columns."""
    text = "  " + pad("", LABEL) + pad("now", NOW) + pad(" new", NEW) + " what it does"
    return pad(pad(text, wide - FILE) + "kernel file" if file else text, wide)


class LimitLine(Horizontal):
    """A row of the editor; `row` is what it shows."""

    DEFAULT_CSS = f"""
    LimitLine {{ height: 1; }}
    LimitLine #now {{ width: {LEFT}; }}
    LimitLine Field, LimitLine Toggle {{ width: {NEW}; }}
    """

    def __init__(self, row: LimitRow) -> None:
        super().__init__()
        self.row = row
        self.flashing = False

    def compose(self) -> ComposeResult:
        yield NowPart(self)
        yield self._field()
        yield WhatPart(self)

    def _field(self) -> Field | Toggle:
        off = not self.row.reading.supported
        if self.row.name == "cpu_idle":
            return Toggle(bool(self.row.reading.value), id="field", disabled=off)
        return LimitField(placeholder="" if off else self.row.kind.example, id="field", disabled=off)

    @property
    def field(self) -> Field | Toggle:
        """What is typed in."""
        found = self.query_one("#field")
        assert isinstance(found, (Field, Toggle))
        return found

    def typed(self) -> str:
        """What was typed; empty where it shall stay as it is."""
        field = self.field
        if isinstance(field, Toggle):
            changed = field.value != bool(self.row.reading.value)
            return ("on" if field.value else "off") if changed else ""
        return field.value

    def clear(self) -> None:
        """Forget what was typed."""
        field = self.field
        if isinstance(field, Toggle):
            field.value = bool(self.row.reading.value)
        else:
            field.value = ""

    def take(self, row: LimitRow) -> None:
        """Show another reading of the same limit; what was typed stays."""
        field = self.field
        if isinstance(field, Toggle) and not self.typed():
            field.value = bool(row.reading.value)
        self.row = row
        field.disabled = not row.reading.supported
        self.sync()

    def sync(self) -> None:
        """Repaint."""
        for part in self.query(DrawnLine):
            part.sync()

    @property
    def ground(self) -> Ink:
        """What it is drawn on: another for the one that has the focus."""
        return "selection" if self.has_focus_within else "surface"

    def on_descendant_focus(self) -> None:
        self.sync()

    def on_descendant_blur(self) -> None:
        self.sync()

    def on_click(self, event: events.Click) -> None:
        if not self.field.disabled:
            self.field.focus()


class NowPart(DrawnLine):
    """Its name and value, left of the field."""

    def __init__(self, of: LimitLine) -> None:
        super().__init__("now")
        self._of = of

    def line(self) -> Line:
        """See DrawnLine."""
        palette, of, ground = palette_of(self), self._of, self._of.ground
        supported = of.row.reading.supported
        row = Row().add("▌ " if of.has_focus_within else "  ", palette.style("selected", ground, bold=True))
        indent = "  " if of.row.device else ""
        row.add(
            pad(indent + of.row.label, LABEL),
            palette.style("text" if supported else "muted", ground, bold=of.has_focus_within),
        )
        now: Ink = "flash" if of.flashing else "text" if supported else "muted"
        row.add(clip(of.row.now, NOW - 1), palette.style(now, ground, bold=supported, reverse=of.flashing))
        return row.fill(LEFT, palette.style("text", ground)).segments


class WhatPart(DrawnLine):
    """What it does and the kernel's file, right of the field; or why it cannot be set here."""

    def __init__(self, of: LimitLine) -> None:
        super().__init__("what")
        self._of = of

    def line(self) -> Line:
        """See DrawnLine."""
        palette, of, wide = palette_of(self), self._of, self.outer_size.width
        quiet = palette.style("muted", of.ground)
        reading = of.row.reading
        room = wide - FILE if wide >= LEAST_WHAT + FILE else wide
        what = of.row.kind.what if reading.supported else reading.why_not
        if not reading.supported or room == wide:
            return Row().add(clip(f" {harmless(what)}", wide), quiet).fill(wide, quiet).segments
        return Row().add(pad(f" {what}", room), quiet).add(pad(reading.file, FILE), quiet).segments
