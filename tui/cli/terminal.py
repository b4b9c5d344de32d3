"""The terminal this command runs in: raw while a container has it, and left as it was found."""

from __future__ import annotations

import os
import re
import sys
import termios
import tty
from collections.abc import Generator
from contextlib import contextmanager

from engine.errors import BadRequest

_MODE = re.compile(rb"\x1b\[\?([0-9;]+)([hl])")
_MODES_ON = {b"25", b"7"}  # cursor shown, lines wrap: on in an untouched terminal
_TRACKED = _MODES_ON | {b"1", b"47", b"1000", b"1002", b"1003", b"1004", b"1005", b"1006", b"1015"} | {
    b"1047", b"1049", b"2004"
}  # fmt: skip


@contextmanager
def raw(fd: int) -> Generator[None]:
    """Every key goes through unchanged inside the block; afterwards the settings are those from before."""
    before = termios.tcgetattr(fd)
    try:
        tty.setraw(fd, termios.TCSADRAIN)  # the default would throw away what was typed ahead
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def size() -> tuple[int, int]:
    """Rows and columns of the terminal on standard output, or else input."""
    for fd in (1, 0):
        try:
            columns, rows = os.get_terminal_size(fd)
        except OSError:
            continue
        if rows and columns:
            return rows, columns
    return 24, 80


def need_terminal() -> None:
    """Refuse -it where standard input is not a terminal."""
    if not sys.stdin.isatty():
        raise BadRequest("standard input is not a terminal", "leave -t out, or run it in a terminal")


class Screen:
    """Follows what a program does to the terminal, so that what it left switched on can be switched off."""

    def __init__(self) -> None:
        self._changed: set[bytes] = set()
        self._rest = b""

    def saw(self, data: bytes) -> None:
        """Take note of the private modes that `data` sets and resets."""
        data = self._rest + data
        end = 0
        for match in _MODE.finditer(data):
            end = match.end()
            for mode in _TRACKED.intersection(match[1].split(b";")):
                if (match[2] == b"h") == (mode in _MODES_ON):
                    self._changed.discard(mode)
                else:
                    self._changed.add(mode)
        escape = data.rfind(b"\x1b", max(end, len(data) - 32))  # a sequence may be cut in two
        self._rest = data[escape:] if escape >= 0 else b""

    def undo(self) -> bytes:
        """What to write so that the terminal is as it was."""
        return b"".join(
            b"\x1b[?%b%b" % (mode, b"h" if mode in _MODES_ON else b"l") for mode in sorted(self._changed)
        )


class DetachKeys:
    """Finds the keys that detach in what is typed; a beginning of them is held back until it is decided."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = b""  # the last bytes typed, where they begin the keys

    def feed(self, typed: bytes) -> tuple[bytes, bool]:
        """What of `typed` is for the program, and whether the keys were completed (the rest is dropped)."""
        through = bytearray()
        for byte in typed:
            self._held += bytes([byte])
            while not self._keys.startswith(self._held):
                through.append(self._held[0])
                self._held = self._held[1:]
            if self._held == self._keys:
                return bytes(through), True
        return bytes(through), False


def detach_keys(text: str) -> bytes:
    """Docker's --detach-keys: "ctrl-p,ctrl-q", "ctrl-]", "q"."""
    keys = bytearray()
    for word in text.split(","):
        if len(word) == 1 and word.isascii() and word.isprintable():
            keys.append(ord(word))
        elif re.fullmatch(r"ctrl-[a-z@\[\]\\^_]", word):
            keys.append(ord(word[-1].upper()) & 0x1F)
        else:
            raise BadRequest("not keys to detach with", "write ctrl-p,ctrl-q")
    return bytes(keys)


DEFAULT_DETACH_KEYS = detach_keys("ctrl-p,ctrl-q")
