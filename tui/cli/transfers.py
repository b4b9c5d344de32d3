"""A transfer on its way: a bar for each layer on a terminal, else a line for each thing that happens."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator

from engine.model import Transfer, TransferPart
from tui.cli.output import notice
from tui.cli.terminal import size as terminal_size
from tui.presentation.quantities import rate, size
from tui.presentation.text import clip, harmless

WORDS = {
    "waiting": "waits",
    "retrying": "again soon",
    "unpacking": "unpacks",
    "done": "done",
    "there": "is here",
    "mounted": "is there",
}
BAR = 20  # cells


def follow(transfers: Iterable[Transfer], quiet: bool = False) -> Transfer:
    """Show a transfer on standard error to its end; the last of it. Raises what ended it."""
    drawn = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    shown = _Drawn() if drawn else _Lines()
    last = None
    try:
        for last in transfers:
            if not quiet:
                shown.show(last)
    finally:
        shown.close()
    assert last is not None  # an answer that ends before its last line raises
    for note in last.notes:
        notice(note)
    return last


class Counter:
    """Shows on a terminal how many bytes have gone, in place; called with that number."""

    def __init__(self, verb: str, quiet: bool, total: int = 0) -> None:
        self._verb = verb
        self._drawn = not quiet and sys.stderr.isatty()
        self._of = f" of {size(total)}" if total else ""
        self._shown = ""

    def __call__(self, count: int) -> None:
        """So many bytes have gone by now."""
        if self._drawn and (now := size(count)) != self._shown:
            self._shown = now
            print(f"\r{self._verb} {now}{self._of}\x1b[K", end="", file=sys.stderr, flush=True)

    def over(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The same pieces, counted."""
        count = 0
        for piece in pieces:
            yield piece
            count += len(piece)
            self(count)

    def close(self) -> None:
        """Clear the line."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        self._shown = ""


class _Lines:
    """For pipes and files."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def show(self, transfer: Transfer) -> None:
        for part in transfer.parts:
            if part.state in ("waiting", self._told.get(part.digest)):
                continue
            self._told[part.digest] = part.state
            word = "moves" if part.state == "moving" else WORDS[part.state]
            note = f"  {harmless(part.note)}" if part.note else ""
            print(f"{short(part)}  {size(part.size):>4}  {word}{note}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing is held."""


class _Drawn:
    """For a terminal: drawn over itself, as far as it has room."""

    def __init__(self) -> None:
        self._height = 0

    def show(self, transfer: Transfer) -> None:
        rows, columns = terminal_size()
        lines = [clip(line(part), columns - 1) for part in transfer.parts]
        if len(lines) > rows - 2:  # the last ones to change matter most
            unfinished = [
                clip(line(part), columns - 1)
                for part in transfer.parts
                if part.state not in ("done", "there", "mounted")
            ]
            done = len(lines) - len(unfinished)
            lines = [f"{done} of {len(lines)} are done", *unfinished][: rows - 2]
        text = f"\x1b[{self._height}A" if self._height else ""
        text += "".join(f"\r{one}\x1b[K\n" for one in lines) + "\x1b[J"
        self._height = len(lines)
        print(text, end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """What was drawn last stays."""


def short(part: TransferPart) -> str:
    """A blob's digest as people compare it."""
    return part.digest.removeprefix("sha256:")[:12]


def line(part: TransferPart) -> str:
    """One blob: its bar, how much of it is there, how fast it comes."""
    share = part.done / part.size if part.size else 1.0
    if part.state in ("moving", "retrying"):
        full = round(share * BAR)
        bar = "━" * full + "─" * (BAR - full)
        told = rate(part.rate) if part.state == "moving" else WORDS["retrying"]
        note = f"  {harmless(part.note)}" if part.note else ""
        return f"{short(part)}  {bar}  {size(part.done):>4} of {size(part.size):>4}  {told}{note}"
    return f"{short(part)}  {WORDS[part.state]:{BAR}}  {size(part.size):>4}"
