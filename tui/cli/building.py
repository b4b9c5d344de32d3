"""How a build goes, as the command line shows it: line by line, or on a terminal with the output of now."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from engine.errors import EngineUnavailable
from engine.model import BuildProgress, ImageSummary
from tui.presentation.builds import head, outcome
from tui.presentation.quantities import size
from tui.presentation.text import clip, harmless, pad

TAIL = 6  # lines of a step's output that are kept on the screen while it runs
INTERVAL = 0.05  # seconds between drawings


class Lines:
    """Every step, layer and line of output on standard error; with `quiet` nothing."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._rest = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()

    def sent(self, count: int) -> None:
        """So much of the context was sent."""

    def follow(self, going: Iterable[BuildProgress]) -> ImageSummary:
        """Show all that happens; the image that comes of it."""
        for progress in going:
            if progress.image:
                return progress.image
            self.show(progress)
        raise EngineUnavailable(
            "the engine ended before the build did", "build again: finished steps are kept"
        )

    def show(self, progress: BuildProgress) -> None:
        """Show one thing that happened."""
        if self._quiet:
            return
        if progress.what == "output":
            *whole, self._rest = (self._rest + progress.text).split("\n")
            for line in whole:
                self._print(f"  {harmless(last_drawn(line))}")
            return
        self._flush()
        if progress.what == "step" and not progress.container:
            self._print(head(progress))
        elif progress.what in ("cached", "layer") and (text := outcome(progress)):
            self._print(f"  → {text}")
        elif progress.what == "warning":
            self._print(f"warning: {harmless(progress.text)}")

    def _flush(self) -> None:
        if self._rest:
            self._print(f"  {harmless(self._rest)}")
            self._rest = ""

    def _print(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


class Screen(Lines):
    """On a terminal: one line a step that is done; below the one at work the last lines of its output."""

    def __init__(self) -> None:
        super().__init__()
        self._tail: list[str] = []
        self._step: BuildProgress | None = None
        self._drawn = 0
        self._last = 0.0
        self._began = time.monotonic()
        self._colour = not os.environ.get("NO_COLOR")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._step is not None:
            self._clear()
            self._print(self._line(head(self._step), ("✕", "31") if kind else (" ", "")))
            for line in [*self._tail, self._rest]:  # what it said last, which tells why
                if line.strip():
                    self._print(self._line(f"  {harmless(line)}"))

    def sent(self, count: int) -> None:
        """So much of the context was sent."""
        if time.monotonic() - self._last >= INTERVAL:
            self._clear()
            self._last = time.monotonic()
            self._live([self._line(f"sending the context: {size(count)}")])

    def show(self, progress: BuildProgress) -> None:
        """Show one thing that happened."""
        if progress.what == "output":
            *whole, self._rest = (self._rest + progress.text).split("\n")
            self._tail = [*self._tail, *map(last_drawn, whole)][-TAIL:]
            self._draw()
        elif progress.what == "step":
            if (
                self._step is not None and not progress.steps
            ):  # of those that nobody counts, the next ends the last
                self._clear()
                self._print(self._line(head(self._step), ("✓", "32")))
            self._step = progress
            if not progress.container:
                self._tail, self._rest = [], ""
                self._began = time.monotonic()
            self._draw(force=True)
        elif progress.what == "warning":
            self._clear()
            self._print(self._line(harmless(progress.text), ("!", "33")))
        elif self._step is not None and progress.what in ("cached", "layer"):
            self._clear()
            mark = ("≡", "36") if progress.what == "cached" else ("✓", "32")
            self._print(self._line(head(self._step), mark, outcome(progress)))
            self._step = None

    def _draw(self, force: bool = False) -> None:
        now = time.monotonic()
        if self._step is None or (not force and now - self._last < INTERVAL):
            return
        self._last = now
        self._clear()
        seconds = f"{now - self._began:.0f} s" if now - self._began >= 1 else ""
        lines = [self._line(head(self._step), ("●", "34"), seconds)]
        lines += [self._line(f"  {harmless(line)}") for line in self._tail]
        self._live(lines)

    def _live(self, lines: list[str]) -> None:
        print("\n".join(lines), file=sys.stderr, flush=True)
        self._drawn = len(lines)

    def _clear(self) -> None:
        if self._drawn:
            print(f"\x1b[{self._drawn}A\x1b[J", end="", file=sys.stderr, flush=True)
            self._drawn = 0

    def _line(self, text: str, mark: tuple[str, str] = (" ", ""), right: str = "") -> str:
        """A line of the terminal's width: a mark in its colour, the text, and what stands at the right."""
        width = max(30, shutil.get_terminal_size().columns) - 3
        glyph, colour = mark
        if colour and self._colour:
            glyph = f"\x1b[{colour}m{glyph}\x1b[0m"
        body = pad(text, width - len(right) - 1) + " " + right if right else clip(text, width)
        return f"{glyph} {body}"


def last_drawn(line: str) -> str:
    """What a terminal would show of a line that returns to its own beginning, as progress bars do."""
    return line.rstrip("\r").rpartition("\r")[2]


def shown(quiet: bool, progress: str) -> Lines:
    """What fits standard error."""
    plain = progress == "plain" or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb"
    return Lines(quiet) if plain or quiet else Screen()
