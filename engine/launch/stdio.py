"""A program's standard streams, seen from the monitor: pipes, or the master of a pseudoterminal."""

from __future__ import annotations

import fcntl
import os
import struct
import termios

from engine.launch.loop import IN, OUT, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

READ = (1 << 16) - 1  # with its kind, one read makes one packet
INPUT_BUFFER = 1 << 16  # bytes kept for a program that does not read its standard input
LARGEST_PIPE = 1 << 20  # fs.pipe-max-size
STDOUT, STDERR = b"1", b"2"
END_OF_INPUT = b"\x04"  # what a terminal turns into end of file


class Stdio:
    """The streams of one start of a program.

    `pipes` are our ends of the pipes to its standard input and from its output and error. Those it does not
    need are closed: with a terminal, which its init opens in its own /dev, all three.
    """

    def __init__(
        self, loop: Loop, pipes: list[int], tty: bool, stdin: bool, on_output: Callable[[bytes, bytes], None]
    ) -> None:
        self._loop = loop
        self._tty = tty
        self._on_output = on_output
        self._readers: dict[int, bytes] = {}  # stream by descriptor
        self._input = -1
        self._buffer = bytearray()
        self._closing = False
        self._held = False
        self._size: tuple[int, int] | None = None
        self.on_drained: Callable[[], None] | None = None  # the input buffer has room again
        if tty:
            for fd in pipes:
                os.close(fd)
            return
        if stdin:
            self._input = pipes[0]
            os.set_blocking(self._input, False)
        else:
            os.close(pipes[0])
        self._read_from(pipes[1], STDOUT)
        self._read_from(pipes[2], STDERR)

    def terminal(self, master: int) -> None:
        """Take the terminal that the program's init has opened."""
        self._read_from(master, STDOUT)
        self._input = master
        if self._size:
            self.resize(*self._size)
        self._write()

    def write(self, data: bytes) -> None:
        """Give the program input; empty ends it. What it does not read yet is buffered."""
        if not data:
            if self._tty:
                self._buffer += END_OF_INPUT
            self._closing = not self._tty
        elif not self._closing:
            self._buffer += data
        self._write()

    @property
    def full(self) -> bool:
        """Whether the givers of input should wait."""
        return len(self._buffer) >= INPUT_BUFFER

    def resize(self, rows: int, cols: int) -> None:
        """Set the terminal's size, now or when it is there."""
        self._size = (rows, cols)
        if self._tty and self._input >= 0:
            fcntl.ioctl(self._input, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def hold(self, held: bool) -> None:
        """Leave the program's output unread for now, so that it comes to wait."""
        if held != self._held:
            self._held = held
            for fd in self._readers:
                self._watch(fd)

    def drain(self) -> None:
        """Read all that the ended program has written.

        No more than fits a pipe: an exec'd program may have left children behind that go on writing.
        """
        for fd in list(self._readers):
            for _ in range(LARGEST_PIPE // READ + 1):
                if not self._readable(fd):
                    break

    def close(self) -> None:
        """Close everything that is open."""
        for fd in list(self._readers):
            self._end(fd)
        self._end_input()

    def _read_from(self, fd: int, stream: bytes) -> None:
        os.set_blocking(fd, False)
        self._readers[fd] = stream
        self._watch(fd)

    def _watch(self, fd: int) -> None:
        # a hang-up counts also while held: what a pipe holds then is read at once, and that is not much
        events = (0 if self._held else IN) | (OUT if fd == self._input and self._buffer else 0)
        self._loop.watch(fd, events, lambda events: self._ready(fd, events))

    def _ready(self, fd: int, events: int) -> None:
        if events & OUT:
            self._write()
        if events & ~OUT and fd in self._readers:
            self._readable(fd)

    def _readable(self, fd: int) -> bool:
        try:
            data = os.read(fd, READ)
        except BlockingIOError:
            return False
        except OSError:  # EIO: nobody has the terminal open
            data = b""
        if data:
            self._on_output(self._readers[fd], data)
            return True
        self._end(fd)
        return False

    def _end(self, fd: int) -> None:
        del self._readers[fd]
        self._loop.forget(fd)
        if fd == self._input:
            self._input = -1
        os.close(fd)

    def _end_input(self) -> None:
        if self._input >= 0:
            self._loop.forget(self._input)
            os.close(self._input)
            self._input = -1

    def _write(self) -> None:
        if self._input < 0:
            return
        was_full = self.full
        try:
            while self._buffer:
                del self._buffer[: os.write(self._input, self._buffer[:READ])]
        except BlockingIOError:
            pass
        except OSError:  # EPIPE: the program closed its input
            self._buffer.clear()
            self._closing = True
        if self._tty:
            self._watch(self._input)
        elif self._buffer:
            self._loop.watch(self._input, OUT, lambda _: self._write())
        elif self._closing:
            self._end_input()
        else:
            self._loop.forget(self._input)
        if was_full and not self.full and self.on_drained:
            self.on_drained()
