"""Detach keys, and modes that a program leaves switched on."""

from __future__ import annotations

import contextlib
import os
import pty
import termios

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadRequest
from tui.cli.terminal import DetachKeys, Screen, detach_keys, raw

KEYS = b"\x10\x11"


def test_detach_keys_are_found_across_reads() -> None:
    keys = DetachKeys(KEYS)
    assert keys.feed(b"ab\x10") == (b"ab", False)
    assert keys.feed(b"\x11rest") == (b"", True)


def test_the_beginning_of_the_keys_goes_through_when_something_else_follows() -> None:
    keys = DetachKeys(KEYS)
    assert keys.feed(b"\x10") == (b"", False)
    assert keys.feed(b"\x10") == (b"\x10", False)
    assert keys.feed(b"x") == (b"\x10x", False)


def test_keys_that_repeat_themselves() -> None:
    assert DetachKeys(b"aab").feed(b"aaab") == (b"a", True)
    assert DetachKeys(b"aab").feed(b"aax") == (b"aax", False)


@given(
    st.lists(st.lists(st.sampled_from(b"abqx\x10\x11"), max_size=6).map(bytes)),
    st.sampled_from([b"\x10\x11", b"q", b"aab", b"abab"]),
)
def test_nothing_typed_is_lost_or_reordered(pieces: list[bytes], sequence: bytes) -> None:
    keys, through = DetachKeys(sequence), b""
    for place, piece in enumerate(pieces):
        data, left = keys.feed(piece)
        through += data
        if left:
            assert sequence in b"".join(pieces[: place + 1])
            assert b"".join(pieces).startswith(through + sequence)
            return
    typed = b"".join(pieces)
    assert sequence not in typed
    assert typed.startswith(through)
    assert sequence.startswith(typed[len(through) :])


def test_detach_keys_as_in_docker() -> None:
    assert detach_keys("ctrl-p,ctrl-q") == KEYS
    assert detach_keys("ctrl-],x") == b"\x1dx"
    for wrong in ("", "ctrl-", "ctrl-ä", "alt-x", "ab"):
        with pytest.raises(BadRequest):
            detach_keys(wrong)


def test_what_a_program_left_switched_on_is_switched_off() -> None:
    screen = Screen()
    for piece in (b"\x1b[?1049h\x1b[?25l text", b"\x1b[?1000;100", b"6h", b"\x1b[?2004h\x1b[?2004l"):
        screen.saw(piece)
    assert screen.undo() == b"\x1b[?1000l\x1b[?1006l\x1b[?1049l\x1b[?25h"


def test_a_program_that_tidied_up_needs_nothing() -> None:
    screen = Screen()
    screen.saw(b"\x1b[?1049h\x1b[?25l\x1b[31mred\x1b[0m\x1b[?25h\x1b[?1049l")
    assert screen.undo() == b""


def test_a_terminal_is_left_as_it_was_also_after_an_error() -> None:
    controller, terminal = pty.openpty()
    try:
        before = termios.tcgetattr(terminal)
        with contextlib.suppress(RuntimeError), raw(terminal):
            assert termios.tcgetattr(terminal) != before
            raise RuntimeError
        assert termios.tcgetattr(terminal) == before
    finally:
        os.close(controller)
        os.close(terminal)
