"""What is known of one image: its facts, and its layers with the commands that made them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tui.deck.draw.line import Line, Row
from tui.deck.images.listing import VERDICTS, Entry
from tui.deck.theme import Ink, Palette
from tui.presentation.images import HOST, platform, short_id
from tui.presentation.quantities import ABSENT, size
from tui.presentation.states import look
from tui.presentation.text import clip, harmless, pad, width
from tui.presentation.times import ago, local_stamp

LABELS = 11  # cells


class Layer(msgspec.Struct, frozen=True):
    """One step in the making of an image; without a layer where it changed no file."""

    command: str
    size: int | None = None  # bytes of its files; None: it has no layer, or the engine does not tell
    diff_id: str = ""
    shared: int = 0  # other images that have it
    created_at: float = 0.0


Fact = tuple[str, str, Ink]


def facts(entry: Entry, wide: int) -> list[Fact]:
    """Label, text and colour, a row each; long texts go on in the next row."""
    image, told, config = entry.image, entry.environment, entry.image.config
    found: list[Fact] = []

    def fact(label: str, text: str, ink: Ink = "text") -> None:
        if text:
            rows = wrapped(harmless(text), max(12, wide - LABELS - 2))
            found.extend((label if not place else "", row, ink) for place, row in enumerate(rows))

    if told:
        fact("here", f"{told.glyph} {told.reason or told.word}", VERDICTS[told.verdict])
        fact("inside", " · ".join(part for part in (told.distribution, told.libc) if part))
    fact("for", platform(image) if image.id != HOST else "this machine")
    if entry.users:
        fact("used by", ", ".join(f"{look(user.state).glyph} {user.name}" for user in entry.users))
    if image.created_at and image.id != HOST:
        fact("made", f"{ago(image.created_at, entry.now)}, {local_stamp(image.created_at)}", "muted")
    if entry.space:
        fact("on disk", f"{size(entry.space.own)} its own, {size(entry.space.shared)} shared with others")
    fact("names", ", ".join(image.names), "muted")
    fact("runs", " ".join([*config.entrypoint, *config.command]) or "no command of its own: name one")
    fact("as", config.user)
    fact("in", config.workdir)
    fact("ports", " ".join(config.exposed))
    fact("volumes", " ".join(config.volumes))
    fact("stops by", config.stop_signal)
    for place, variable in enumerate(config.env):
        fact("" if place else "env", variable, "muted")
    for place, (key, value) in enumerate(sorted(config.labels.items())):
        fact("" if place else "labels", f"{key}={value}", "muted")
    fact("id", short_id(image.id) if image.id != HOST else "", "muted")
    fact("digest", image.digest, "muted")
    return found


def wrapped(text: str, wide: int) -> list[str]:
    """Text in rows of at most `wide` cells, broken at blanks where there are some."""
    rows, row = [], ""
    for word in text.split():
        while width(word) > wide:
            head, word = word[:wide], word[wide:]
            if row:
                rows.append(row)
                row = ""
            rows.append(head)
        if row and width(row) + 1 + width(word) > wide:
            rows.append(row)
            row = word
        else:
            row = f"{row} {word}" if row else word
    return [*rows, row] if row or not rows else rows


def fact(one: Fact, palette: Palette, current: bool) -> Line:
    """One fact as a row."""
    label, text, ink = one
    row = Row().add(pad(f" {label}", LABELS), palette.style("muted"))
    return row.add(text, palette.style(ink)).segments


def layer(number: int, one: Layer, wide: int, palette: Palette, current: bool) -> Line:
    """One layer: its number, size, and the command that made it."""
    ground: Ink = "selection" if current else "background"
    has = one.size is not None or bool(one.diff_id)
    quiet = palette.style("muted", ground)
    row = Row().add("▌" if current else " ", palette.style("selected", ground))
    row.add(pad(str(number) if has else "·", 3, True), quiet)
    bytes = (size(one.size) if one.size is not None else ABSENT) if has else ""
    row.add(f" {pad(bytes, 5, True)} ", palette.style("text", ground))
    row.add(pad("⧉" if one.shared else "", 2), palette.style("cache", ground))
    command = tidy_command(one.command) or (short_id(one.diff_id) if one.diff_id else "")
    row.add(
        clip(harmless(command), max(0, wide - row.cells)), palette.style("text" if has else "muted", ground)
    )
    return row.segments


def tidy_command(command: str) -> str:
    """A history's command as a Containerfile has it: "/bin/sh -c #(nop)  CMD [...]" is "CMD [...]"."""
    text = " ".join(command.split()).removesuffix(" # buildkit")
    if text.startswith("/bin/sh -c #(nop)"):
        return text.removeprefix("/bin/sh -c #(nop)").strip()
    if text.startswith("/bin/sh -c "):
        return "RUN " + text.removeprefix("/bin/sh -c ")
    if text.startswith("RUN /bin/sh -c "):
        return "RUN " + text.removeprefix("RUN /bin/sh -c ")
    return text


def layers(entry: Entry, told: Sequence[Layer] | None) -> list[Layer]:
    """What the engine told of an image's layers, else their ids alone; lowest first."""
    if told is not None:
        return list(told)
    return [Layer("", None, diff_id) for diff_id in entry.image.layers]
