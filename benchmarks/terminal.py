"""A program in a terminal of its own, its output read as fast as it comes."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence

KEPT = 1 << 20  # bytes of output that can still be searched
PATIENCE = 60.0  # seconds


class Terminal:
    """Use it in a `with`; leaving ends the program."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], rows: int = 36, columns: int = 120
    ) -> None:
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        env = {**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        self.began = time.monotonic()
        self._process = subprocess.Popen(
            ["setsid", "--ctty", *command], stdin=slave, stdout=slave, stderr=slave, env=env, close_fds=True
        )
        os.close(slave)
        self.pid = self._process.pid
        self._output = bytearray()
        self._dropped = 0
        self._grown = threading.Condition()
        self._over = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        os.close(self._master)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 1 << 16)
            except OSError:  # EIO: the last one who had the terminal open has gone
                data = b""
            with self._grown:
                self._output += data
                surplus = max(0, len(self._output) - KEPT)
                del self._output[:surplus]
                self._dropped += surplus
                self._over = not data
                self._grown.notify_all()
            if not data:
                return

    @property
    def mark(self) -> int:
        """How many bytes have come until now."""
        with self._grown:
            return self._dropped + len(self._output)

    def wait(self, pattern: bytes, mark: int = 0) -> float:
        """When the output after `mark` had the pattern in it; time.monotonic(). Raises RuntimeError."""
        compiled = re.compile(pattern, re.DOTALL)
        end = time.monotonic() + PATIENCE
        with self._grown:
            while not compiled.search(self._output, max(0, mark - self._dropped)):
                left = end - time.monotonic()
                if self._over or left <= 0:
                    tail = bytes(self._output[-400:])
                    raise RuntimeError(f"{pattern!r} did not come from {self._process.args}: {tail!r}")
                self._grown.wait(left)
            return time.monotonic()

    def send(self, keys: bytes) -> None:
        """Type."""
        os.write(self._master, keys)
