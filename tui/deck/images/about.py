"""What is known of one image: its facts, and its layers with the commands that made them."""

from __future__ import annotations

from collections.abc import Sequence

from engine.model import HistoryStep, ImageCheck
from tui.deck.draw.line import Line, Row
from tui.deck.images.listing import VERDICTS, Entry
from tui.deck.theme import Ink, Palette
from tui.presentation import checks
from tui.presentation.images import HOST, platform, short_id, tidy
from tui.presentation.quantities import size
from tui.presentation.states import look
from tui.presentation.text import clip, harmless, pad, width
from tui.presentation.times import ago, local_stamp

LABELS = 11  # cells


Fact = tuple[str, str, Ink]


def facts(entry: Entry, wide: int) -> list[Fact]:
    """Label, text and colour, a row each; long texts go on in the next row."""
    image, check, config = entry.image, entry.check, entry.image.config
    found: list[Fact] = []

    def fact(label: str, text: str, ink: Ink = "text") -> None:
        if text:
            rows = wrapped(harmless(text), max(12, wide - LABELS - 2))
            found.extend((label if not place else "", row, ink) for place, row in enumerate(rows))

    if check:
        here = f"{checks.WORDS[check.verdict]}, on Linux {check.running_kernel}"
        verdict = f"{checks.GLYPH[check.verdict]} {check.reason or here}"
        fact("here", verdict, VERDICTS[check.verdict])
        fact("", check.remedy and f"→ {check.remedy}")
        fact("inside", " · ".join(part for part in _inside(check) if part))
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


def _inside(check: ImageCheck) -> tuple[str, ...]:
    packaged = check.packaged
    says = f", says {packaged.kernel_from}" if packaged.kernel_from else ""
    least = f"for Linux {packaged.kernel} or later{says}" if packaged.kernel else ""
    machine = f"programs for {packaged.machine}" if packaged.machine not in ("", check.architecture) else ""
    return (
        packaged.distribution,
        checks.library(check) if packaged.libc or packaged.static else "",
        least,
        machine,
    )


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


def layer(number: int, one: HistoryStep, wide: int, palette: Palette, current: bool) -> Line:
    """One layer: its number, size, whether others share it, and the command that made it."""
    ground: Ink = "selection" if current else "background"
    has = bool(one.layer)
    quiet = palette.style("muted", ground)
    row = Row().add("▌" if current else " ", palette.style("selected", ground))
    row.add(pad(str(number) if has else "·", 3, True), quiet)
    row.add(f" {pad(size(one.size) if one.blob else '', 5, True)} ", palette.style("text", ground))
    row.add(pad("≡" if one.shared_with else "", 2), palette.style("cache", ground))
    command = tidy_command(one.command) or one.comment or (short_id(one.layer) if has else "")
    room = max(0, wide - row.cells)
    told = harmless(command)
    if one.shared_with and width(told) + 16 < room:
        shared = f"  with {', '.join(tidy(harmless(name)) for name in one.shared_with)}"
        row.add(told, palette.style("text", ground))
        row.add(clip(shared, room - width(told)), palette.style("cache", ground))
        return row.fill(wide, quiet).segments
    row.add(clip(told, room), palette.style("text" if has else "muted", ground))
    return row.fill(wide, quiet).segments


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


def numbered(entry: Entry, steps: Sequence[HistoryStep] | None) -> list[tuple[int, HistoryStep]]:
    """The steps that made an image, the first one first, their layers numbered; before they are told, ids alone."""
    if not steps:
        return [(n, HistoryStep(0.0, layer=layer)) for n, layer in enumerate(entry.image.layers, 1)]
    number = 0
    found = []
    for step in reversed(steps):
        number += bool(step.layer)
        found.append((number, step))
    return found
