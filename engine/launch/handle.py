"""The engine's handles on a monitor: what it does and says, and its program's streams."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from engine.errors import Conflict, LaunchError, NotFound
from engine.launch.line import PACKET, Line
from engine.launch.plan import MonitorRecord


class Monitor:
    """One living monitor, by a connection on which it is commanded and watched."""

    def __init__(self, id: str, path: Path, line: Line) -> None:
        self.id = id
        self.path = path
        self.record = MonitorRecord()
        self.pidfd = -1  # of PID 1; poll says readable once it has ended
        self.netns = -1
        self._line = line
        self._answers: deque[asyncio.Future[dict[str, Any]]] = deque()
        self._news = asyncio.Condition()
        self._version = 0
        self._closed = False
        self._reader = asyncio.create_task(self._read(), name=f"monitor {id}")

    @classmethod
    async def adopt(cls, path: Path) -> Monitor:
        """Connect to the monitor that serves the socket `path`; NotFound where none does any more."""
        monitor = cls(path.name, path, Line.to(path))
        try:
            await monitor.command("watch")
            await monitor.told()
        except (Conflict, NotFound):
            await monitor.close()
            raise NotFound(f"the monitor of {path.name} has just ended") from None
        return monitor

    @property
    def alive(self) -> bool:
        """Whether the monitor is still there."""
        return not self._closed

    async def command(self, op: str, **args: Any) -> None:
        """Have the monitor do something.

        Conflict with its words where it refuses, NotFound where it has ended.
        """
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        if self._closed or not await self._line.send(_command(op, args)):
            self._answers.remove(answer)
            raise NotFound(f"the monitor of {self.id[:12]} has ended")
        error = (await answer).get("error")
        if error:
            raise Conflict(f"{op} {self.id[:12]}: {error}")

    async def go(self) -> MonitorRecord:
        """Let the program start and wait until it has; LaunchError says why it could not."""
        with contextlib.suppress(NotFound):  # it has failed already; the record says why
            await self.command("go")
        return await self.started()

    async def started(self) -> MonitorRecord:
        """Wait until the program runs (or has run); LaunchError says why it could not."""
        async for record in self.changes():
            if record.status != "created":
                break
        if not self.record.started_at:
            raise self.failure()
        return self.record

    async def changes(self) -> AsyncIterator[MonitorRecord]:
        """The record now and at every transition; ends with the monitor."""
        seen = -1
        while True:
            async with self._news:
                while self._version == seen:
                    if self._closed:
                        return
                    await self._news.wait()
                seen, record = self._version, self.record
            yield record

    async def wait(self) -> MonitorRecord:
        """Wait for the monitor's end and return its last record."""
        async with self._news:
            await self._news.wait_for(lambda: self._closed)
        return self.record

    async def attach(self, output: bool = True, input: bool = False, lossless: bool = False) -> Attachment:
        """A connection of its own for the program's streams; it waits for a reader that is `lossless`.

        LaunchError where the program could not be started, NotFound where it has ended.
        """
        try:
            attachment = Attachment(Line.to(self.path))
            await attachment.begin(output, input, lossless)
        except NotFound:
            record = await self.wait()
            if record.error and not record.started_at:
                raise self.failure() from None
            raise
        return attachment

    async def close(self) -> None:
        """Let go of the monitor, which goes on without us."""
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    def failure(self) -> LaunchError:
        """The error of a program that could not be started."""
        why = self.record.error or "its monitor was killed"
        return LaunchError(f"cannot start {self.id[:12]}: {why}", exit_code=self.record.exit_code or 125)

    async def told(self) -> None:
        """Wait for the first record, or for the monitor's end."""
        async with self._news:
            await self._news.wait_for(lambda: self._closed or self._version > 0)

    async def _read(self) -> None:
        try:
            while True:
                packet, fds = await self._line.receive()
                if not packet:
                    return
                if packet[:1] == b"R":
                    answer = self._answers.popleft()
                    if not answer.done():  # who asked may have been cancelled
                        answer.set_result(msgspec.json.decode(packet[1:]))
                elif packet[:1] == b"S":
                    await self._take(packet[1:], fds)
        finally:
            await self._end()

    async def _take(self, text: bytes, fds: list[int]) -> None:
        async with self._news:
            self.record = msgspec.json.decode(text, type=MonitorRecord)
            self._version += 1
            if fds:
                self._forget_descriptors()
                self.pidfd = fds[0]
                self.netns = fds[1] if len(fds) > 1 else -1
            self._news.notify_all()

    async def _end(self) -> None:
        self._line.close()
        self._forget_descriptors()
        async with self._news:
            self._closed = True
            self._news.notify_all()
        for answer in self._answers:
            if not answer.done():
                answer.set_exception(NotFound(f"the monitor of {self.id[:12]} has ended"))

    def _forget_descriptors(self) -> None:
        for fd in (self.pidfd, self.netns):
            if fd >= 0:
                os.close(fd)
        self.pidfd = self.netns = -1


class Attachment:
    """A program's streams. What a slow reader misses is counted in `dropped`; the log has it."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.dropped = 0  # bytes

    async def begin(self, output: bool, input: bool, lossless: bool) -> None:
        """Ask the monitor for streams; NotFound where it has ended."""
        await self._line.send(_command("attach", {"output": output, "input": input, "lossless": lossless}))
        packet, _ = await self._line.receive()
        if not packet or msgspec.json.decode(packet[1:]).get("error"):
            self.close()
            raise NotFound("attaching: the program has ended")

    async def read(self) -> tuple[Literal["stdout", "stderr"], bytes] | None:
        """The next piece of output; None at the end."""
        while True:
            packet, _ = await self._line.receive()
            if not packet:
                return None
            if packet[:1] == b"1":
                return "stdout", packet[1:]
            if packet[:1] == b"2":
                return "stderr", packet[1:]
            if packet[:1] == b"D":
                self.dropped += int(packet[1:])

    async def write(self, data: bytes) -> None:
        """Give the program input, as fast as it takes it; nothing happens once it has ended."""
        for start in range(0, len(data), PACKET - 1):
            if not await self._line.send(b"0" + data[start : start + PACKET - 1]):
                return

    async def close_write(self) -> None:
        """End the program's standard input."""
        await self._line.send(b"0")

    async def resize(self, rows: int, cols: int) -> None:
        """Set the size of its terminal."""
        await self._line.send(_command("resize", {"rows": rows, "cols": cols}))

    def close(self) -> None:
        """Detach."""
        self._line.close()


def _command(op: str, args: dict[str, Any]) -> bytes:
    return b"C" + msgspec.json.encode({"op": op, **args})
