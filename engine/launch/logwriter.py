"""The monitor's log: the Kubernetes CRI format, in segments named by the offset of their first byte.

Source of the format: kubernetes/design-proposals-archive, kubelet-cri-logging.
"""

from __future__ import annotations

import os
import time


class LogWriter:
    """Appends a program's output to a folder of segments and drops the oldest when there are too many.

    A write that fails (a full disk) never raises: what could not be kept is counted, and said in the log as
    soon as it can be written again.
    """

    def __init__(self, folder: str, max_size: int, max_files: int) -> None:
        self._folder = folder
        self._max_size = max_size
        self._max_files = max(1, max_files)
        self._fd = -1
        self._end = 0  # offset of the next byte
        self._segment_end = 0  # where the present segment is full
        self._torn = False  # the last record lacks its end
        self._lost = 0  # bytes of output
        self._stamped = (0, b"")  # a second and its text
        try:
            self._continue()
        except OSError:  # tried again at the first write, which counts what it loses
            self.close()

    def _continue(self) -> None:
        segments = self._segments()
        if segments:
            start = int(segments[-1])
            self._open(start)
            self._end = start + os.fstat(self._fd).st_size
            self._segment_end = start + self._max_size
            # The last monitor may have been killed in the middle of a record: end it, so that ours begins a line.
            self._torn = self._end > start and os.pread(self._fd, 1, self._end - start - 1) != b"\n"

    def append(self, stream: str, data: bytes) -> None:
        """Log what one read returned: its lines, and its last piece without line end as a partial record."""
        head = self._stamp() + stream.encode() + b" "
        full, partial = head + b"F ", head + b"P "
        lines, newline, rest = data.rpartition(b"\n")
        text = b""
        if newline:
            text = full + lines.replace(b"\n", b"\n" + full) + b"\n"
        if rest:
            text += partial + rest + b"\n"
        self._write(text, len(data))

    def close(self) -> None:
        """Give the descriptor back; nothing is buffered here."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _stamp(self) -> bytes:
        now = time.time_ns()
        second, nanoseconds = divmod(now, 1_000_000_000)
        if second != self._stamped[0]:
            self._stamped = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode())
        return b"%b.%09dZ " % (self._stamped[1], nanoseconds)

    def _write(self, text: bytes, size: int) -> None:
        prefix = b"\n" if self._torn else b""
        if self._lost:
            note = f"stderr F [tiffin: {self._lost} bytes of output could not be logged]\n"
            prefix += self._stamp() + note.encode()
        view = memoryview(prefix + text)
        try:
            if self._end >= self._segment_end:
                self._rotate()
            while view:
                done = os.write(self._fd, view)
                self._end += done
                self._torn = view[done - 1] != 0x0A
                view = view[done:]
            self._lost = 0
        except OSError:
            self._lost += size

    def _rotate(self) -> None:
        self.close()
        self._open(self._end)
        self._segment_end = self._end + self._max_size
        for name in self._segments()[: -self._max_files]:
            os.unlink(f"{self._folder}/{name}")

    def _open(self, start: int) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._fd = os.open(f"{self._folder}/{start:020d}", flags, 0o640)

    def _segments(self) -> list[str]:
        return sorted(name for name in os.listdir(self._folder) if name.isdecimal())
