"""Colour themes: read from TOML, checked, and turned into styles by meaning.

Ours are in `themes/`, a user's own in `themes/` of the settings folder, in the same format. A file that is
not a theme gives one warning, and the others work.
"""

from __future__ import annotations

import os
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast, get_args

import msgspec
from rich.style import Style
from textual.theme import Theme

if TYPE_CHECKING:
    from textual.dom import DOMNode

Ink = Literal[
    "background", "surface", "text", "muted", "border", "selected", "selection", "track", "used", "cache",
    "running", "paused", "waiting", "stopped", "warn", "failed", "stalled", "flash",
]  # fmt: skip
"""What a colour means; a theme has one for each."""

INKS: tuple[str, ...] = get_args(Ink)
COLOR = re.compile(r"#[0-9a-fA-F]{6}")
GLOW_STEPS = 8


class Palette:
    """The colours of one theme, and the styles made of them, each made once."""

    def __init__(self, name: str, dark: bool, colors: dict[str, str]) -> None:
        self.name = name
        self.dark = dark
        self.colors = colors
        self.empty = (
            "·" if "NO_COLOR" in os.environ else " "
        )  # the empty part of a bar, where no ground shows it
        self._styles: dict[object, Style] = {}

    def style(
        self, ink: Ink, ground: Ink = "background", *, bold: bool = False, reverse: bool = False
    ) -> Style:
        """Text of one meaning on a ground of another."""
        key = (ink, ground, bold, reverse)
        if (style := self._styles.get(key)) is None:
            style = Style(
                color=self.colors[ink],
                bgcolor=self.colors[ground],
                bold=bold or None,
                reverse=reverse or None,
            )
            self._styles[key] = style
        return style

    def past(self, share: float, ground: Ink = "background") -> Style:
        """A cell of a history line; its ground is the more in the colour of stalls the larger `share` is."""
        step = max(0, min(GLOW_STEPS, round(share * GLOW_STEPS)))
        key = (ground, step)
        if (style := self._styles.get(key)) is None:
            color = _mix(self.colors[ground], self.colors["stalled"], 0.75 * step / GLOW_STEPS)
            style = Style(color=_mix(self.colors["used"], self.colors[ground], 0.35), bgcolor=color)
            self._styles[key] = style
        return style

    def textual(self) -> Theme:
        """The same theme for Textual's own widgets; each meaning is a CSS variable, such as `$running`."""
        c = self.colors
        return Theme(
            name=self.name,
            dark=self.dark,
            primary=c["selected"],
            secondary=c["used"],
            accent=c["selected"],
            warning=c["warn"],
            error=c["failed"],
            success=c["running"],
            foreground=c["text"],
            background=c["background"],
            surface=c["surface"],
            panel=c["surface"],
            variables=variables(c),
        )


def variables(colors: dict[str, str]) -> dict[str, str]:
    """CSS variables of a theme; "text" is `$ink`, since Textual gives `$text` a meaning of its own."""
    named = {
        ("ink" if ink == "text" else ink): colors[ink] for ink in INKS if ink not in ("background", "surface")
    }
    return {
        **named,
        "border": colors["border"],
        "scrollbar": colors["border"],
        "scrollbar-hover": colors["muted"],
        "scrollbar-active": colors["selected"],
        "scrollbar-background": colors["background"],
        "scrollbar-background-hover": colors["background"],
        "scrollbar-background-active": colors["background"],
        "scrollbar-corner-color": colors["background"],
        "input-selection-background": colors["selection"],
        "block-cursor-background": colors["selection"],
        "block-cursor-foreground": colors["text"],
        "block-cursor-text-style": "bold",
    }


def _mix(one: str, other: str, share: float) -> str:
    pairs = ((int(one[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


class NotATheme(ValueError):
    """What a theme file lacks."""


def parse(text: str) -> Palette:
    """The theme in one TOML text. Raises NotATheme, or another ValueError of the parser."""
    table: dict[str, Any] = tomllib.loads(text)
    name, dark, colors = table.get("name"), table.get("dark"), table.get("colors")
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise NotATheme('it needs a name, such as name = "mine"')
    if not isinstance(dark, bool):
        raise NotATheme("it needs dark = true or dark = false")
    if not isinstance(colors, dict):
        raise NotATheme("it needs a [colors] table")
    if missing := [ink for ink in INKS if ink not in colors]:
        raise NotATheme(f"it lacks {', '.join(missing)}")
    if unknown := [str(key) for key in colors if key not in INKS]:
        raise NotATheme(f"nothing is called {', '.join(unknown)}")
    for ink, color in colors.items():
        if not isinstance(color, str) or not COLOR.fullmatch(color):
            raise NotATheme(f'{ink} is {color!r}, not a colour such as "#7cc7ff"')
    return Palette(name.strip(), dark, colors)


class Themes(msgspec.Struct, frozen=True):
    """Every theme that could be read, ours first, and one warning for each file that could not."""

    palettes: dict[str, Palette]
    warnings: list[str]


def load(folder: Path) -> Themes:
    """Our themes and those in `folder`, which may be missing; a user's own replaces one of ours by name."""
    palettes = {}
    for source in ("dark", "light", "contrast"):
        palette = parse((files("themes") / f"{source}.toml").read_text())
        palettes[palette.name] = palette
    warnings = []
    for path in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
        try:
            palette = parse(path.read_text())
        except (ValueError, OSError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
            warnings.append(f"the theme file {path} was left out: {error}")
        else:
            palettes[palette.name] = palette
    return Themes(palettes, warnings)


class Painted(Protocol):
    """An app with a palette."""

    palette: Palette


def palette_of(node: DOMNode) -> Palette:
    """The palette of the app that a widget is in."""
    return cast("Painted", node.app).palette
