"""This terminal or these pipes, connected to a program in a container, until it ends or is left."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum, auto
from types import FrameType

from engine.client import Stream
from engine.errors import TiffinError
from tui.cli import terminal
from tui.cli.output import write_all

STDIN, STDOUT, STDERR = 0, 1, 2
CHUNK = 64 << 10
DETACH = b"\0"  # arrives among signal numbers, which begin at 1
PROXIED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGCONT,
)
LEAVING = (signal.SIGHUP, signal.SIGTERM)  # what ends this command while the program has the terminal
GIVE_UP_AFTER = 3  # times ^C that the program did not heed


class End(Enum):
    """Why a conversation ended."""

    CLOSED = auto()  # the program's output ended, or the engine went away
    DETACHED = auto()  # the person left, with the detach keys


class Conversation:
    """One program's input and output, here; may be held again with another stream when the first broke."""

    def __init__(
        self,
        *,
        tty: bool,
        stdin: bool,
        resize: Callable[[int, int], None],
        kill: Callable[[str], None] | None = None,
        keys: bytes = terminal.DEFAULT_DETACH_KEYS,
    ) -> None:
        """`resize(rows, columns)` and `kill(signal)` reach the program; without `kill` signals end this."""
        self._tty = tty
        self._stdin = stdin
        self._resize = resize
        self._kill = kill
        self._keys = terminal.DetachKeys(keys) if tty else None
        self._interrupts = 0
        self._screen = terminal.Screen()
        self._stream: Stream | None = None
        self._replaced = threading.Condition()  # guards _stream
        self._wake, self._notify = socket.socketpair()
        self._wake.setblocking(False)
        self._notify.setblocking(False)

    def hold(self, stream: Stream, begin: Callable[[], None] | None = None) -> End:
        """Carry bytes both ways until the end; `begin` starts the program once everything is connected.

        The terminal is as it was afterwards, however this ends.
        """
        with ExitStack() as stack:
            stack.enter_context(_signals(self._notify, self._caught()))
            if self._tty and self._stdin and sys.stdin.isatty():
                stack.enter_context(terminal.raw(STDIN))
            if begin:
                begin()
            if self._tty:
                stack.callback(self._tidy)
                self._fit()
            self._take_input(stream)
            return self._carry(stream)

    def _caught(self) -> tuple[signal.Signals, ...]:
        if self._tty:
            return (signal.SIGWINCH, *LEAVING)
        return PROXIED if self._kill else ()

    def _carry(self, stream: Stream) -> End:
        sources: list[Stream | socket.socket] = [stream, self._wake]
        while True:
            ready, _, _ = select.select(sources, [], [])
            if self._wake in ready and self._heed(self._wake.recv(512)):
                return End.DETACHED
            if stream in ready:
                try:
                    piece = stream.read()
                except TiffinError:
                    return End.CLOSED
                if piece is None:
                    return End.CLOSED
                name, data = piece
                if self._tty:
                    self._screen.saw(data)
                write_all(STDERR if name == "stderr" else STDOUT, data)

    def _heed(self, numbers: bytes) -> bool:
        """Act on signals; whether the detach keys were among them."""
        for number in numbers:
            if number == DETACH[0]:
                return True
            if number == signal.SIGWINCH:
                self._fit()
            elif self._tty and number in LEAVING:
                raise SystemExit(128 + number)
            elif self._kill and number in PROXIED:
                self._pass_on(signal.Signals(number), self._kill)
        return False

    def _pass_on(self, number: signal.Signals, kill: Callable[[str], None]) -> None:
        if number == signal.SIGINT:
            self._interrupts += 1
            if self._interrupts >= GIVE_UP_AFTER:
                raise KeyboardInterrupt
        with suppress(TiffinError):  # it has just ended, or has not begun
            kill(number.name)

    def _fit(self) -> None:
        with suppress(TiffinError):  # it has just ended
            self._resize(*terminal.size())

    def _tidy(self) -> None:
        if undo := self._screen.undo():
            write_all(STDOUT, undo)

    def _take_input(self, stream: Stream) -> None:
        with self._replaced:
            first = self._stream is None
            self._stream = stream
            self._replaced.notify()
        if self._stdin and first:
            threading.Thread(target=self._forward, daemon=True).start()

    def _forward(self) -> None:
        """Carry what is typed or piped in; a thread of its own, for the program may not read for a while."""
        while data := _read_input():
            left = False
            if self._keys:
                data, left = self._keys.feed(data)
            if data:  # what is held back as a beginning of the detach keys is no end of input
                self._send(data)
            if left:
                self._notify.send(DETACH)
                return
        self._send(b"")

    def _send(self, data: bytes) -> None:
        """Write to the stream, or close it with b""; where it broke, the one that takes its place."""
        broken: Stream | None = None
        while True:
            with self._replaced:
                self._replaced.wait_for(lambda: self._stream is not broken)  # noqa: B023 - called in here
                stream = self._stream
            assert stream is not None
            try:
                return stream.write(data) if data else stream.close_write()
            except TiffinError:
                broken = stream


def _read_input() -> bytes:
    try:
        return os.read(STDIN, CHUNK)
    except OSError:
        return b""  # the terminal hung up


@contextmanager
def _signals(notify: socket.socket, numbers: tuple[signal.Signals, ...]) -> Generator[None]:
    """Have `numbers` arrive as bytes on `notify` inside the block instead of interrupting anything."""

    def arrived(number: int, frame: FrameType | None) -> None:
        pass  # the interpreter has written it to the wake-up descriptor

    before = {number: signal.signal(number, arrived) for number in numbers}
    waker = signal.set_wakeup_fd(notify.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(waker)
        for number, handler in before.items():
            signal.signal(number, handler)
