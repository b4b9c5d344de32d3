"""What a program wrote as text that is safe to show: its colours are kept, all other control is taken out."""

from __future__ import annotations

import re
from typing import NamedTuple

from rich.cells import cell_len, get_character_cell_size
from rich.color import Color
from rich.style import Style

from tui.presentation.text import width

TAB = 8  # columns
TOKEN = re.compile(
    r"\x1b(?:\[(?P<codes>[0-?]*)[ -/]*(?P<final>[@-~])?"  # CSI
    r"|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC, DCS, SOS, PM, APC with their strings
    r"|[ -/]*[0-~]?)"  # all others
    r"|[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"  # C0, C1, bidi controls
)
PICTURES = {chr(n): chr(0x2400 + n) for n in range(32)} | {"\x7f": "␡"}
SILENT = frozenset("\x07\x0e\x0f")  # bell, and shifts of the character set
SWITCHES = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "strike"}
OFF = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("reverse",), 29: ("strike",)}


class Run(NamedTuple):
    """Characters in one style of the program's."""

    begin: int
    end: int
    style: Style


class Text(NamedTuple):
    """A line as it is shown."""

    plain: str
    runs: tuple[Run, ...] = ()

    def wrapped(self, room: int) -> list[tuple[int, int]]:
        """The line in rows of at most `room` cells, as first character and the one after the last."""
        plain = self.plain
        if plain.isascii():
            return [(at, min(len(plain), at + room)) for at in range(0, len(plain), room)] or [(0, 0)]
        rows, begin, cells = [], 0, 0
        for at, character in enumerate(plain):
            wide = get_character_cell_size(character)
            if cells + wide > room and at > begin:
                rows.append((begin, at))
                begin, cells = at, 0
            cells += wide
        rows.append((begin, len(plain)))
        return rows


def plain(text: bytes) -> str:
    """Only the characters of a line."""
    decoded = text.decode("utf-8", "replace")
    return decoded if decoded.isprintable() else shown(text).plain


def shown(text: bytes) -> Text:
    """A line of output as a terminal would show it in the end: after a carriage return what followed it."""
    decoded = text.decode("utf-8", "replace")
    if decoded.isprintable():
        return Text(decoded)
    out = _Out()
    at = 0
    for token in TOKEN.finditer(decoded):
        if token.start() > at:
            out.add(decoded[at : token.start()])
        at = token.end()
        character = token.group()
        if character == "\r":
            out.returned = True
        elif character == "\t":
            out.add(" " * (TAB - (0 if out.returned else out.cells) % TAB))
        elif character == "\b":
            out.back()
        elif token["final"] == "m":
            out.pen.sgr(token["codes"])
        elif character in PICTURES and character not in SILENT and character != "\x1b":
            out.add(PICTURES[character])
    if at < len(decoded):
        out.add(decoded[at:])
    return out.text()


class _Out:
    """Text under construction."""

    def __init__(self) -> None:
        self.pen = _Pen()
        self.cells = 0
        self.returned = False  # the next character begins the line anew
        self._pieces: list[tuple[str, Style]] = []

    def add(self, text: str) -> None:
        if self.returned:
            self.returned, self.cells = False, 0
            self._pieces.clear()
        self._pieces.append((text, self.pen.style))
        self.cells += width(text)

    def back(self) -> None:
        if self._pieces:
            text, style = self._pieces.pop()
            self.cells -= cell_len(text[-1:])
            if text[:-1]:
                self._pieces.append((text[:-1], style))

    def text(self) -> Text:
        runs: list[Run] = []
        at = 0
        for piece, style in self._pieces:
            end = at + len(piece)
            if style:
                if runs and runs[-1].style == style and runs[-1].end == at:
                    runs[-1] = runs[-1]._replace(end=end)
                else:
                    runs.append(Run(at, end, style))
            at = end
        return Text("".join([piece for piece, _ in self._pieces]), tuple(runs))


class _Pen:
    """The style set by Select Graphic Rendition (ECMA-48, 8.3.117); blinking and concealing are refused."""

    def __init__(self) -> None:
        self.style = Style.null()
        self._set: dict[str, bool] = {}
        self._color: Color | None = None
        self._ground: Color | None = None

    def sgr(self, codes: str) -> None:
        try:
            numbers = [int(code or 0) for code in codes.replace(":", ";").split(";")]
        except ValueError:  # private parameters: not a matter of colour
            return
        while numbers:
            self._one(numbers)
        self.style = (
            Style(color=self._color, bgcolor=self._ground, **self._set)  # type: ignore[arg-type]
            if self._set or self._color or self._ground
            else Style.null()
        )

    def _one(self, numbers: list[int]) -> None:
        code = numbers.pop(0)
        if code == 0:
            self._set, self._color, self._ground = {}, None, None
        elif code in SWITCHES:
            self._set[SWITCHES[code]] = True
        elif code in OFF:
            for name in OFF[code]:
                self._set.pop(name, None)
        elif code in (38, 48):
            color = _extended(numbers)
            if color is not None and code == 38:
                self._color = color
            elif color is not None:
                self._ground = color
        elif 30 <= code <= 37 or 90 <= code <= 97:
            self._color = Color.from_ansi(code - 30 if code < 90 else code - 82)
        elif 40 <= code <= 47 or 100 <= code <= 107:
            self._ground = Color.from_ansi(code - 40 if code < 100 else code - 92)
        elif code == 39:
            self._color = None
        elif code == 49:
            self._ground = None


def _extended(numbers: list[int]) -> Color | None:
    """The colour after 38 or 48: `5;n` of the table of 256, or `2;r;g;b`."""
    kind = numbers.pop(0) if numbers else 0
    taken = 1 if kind == 5 else 3 if kind == 2 else 0
    values, numbers[:] = numbers[:taken], numbers[taken:]
    if not taken or len(values) < taken or any(value > 255 for value in values):
        return None
    return Color.from_ansi(values[0]) if kind == 5 else Color.from_rgb(*values)
