"""The engine's handles on the launcher and on monitors.

asyncio throughout: nothing here blocks, and nothing forks without exec.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from engine.decoding import decode
from engine.errors import Conflict, KernelError, LaunchError, NotFound
from engine.kernel import mount
from engine.launch.plan import ExecPlan, LaunchPlan, MonitorRecord

PACKET = 1 << 16
STARTING = 10.0  # seconds a new launcher gets


class Line:
    """A SOCK_SEQPACKET connection on the running loop."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def to(cls, path: Path) -> Line:
        """Connect to a socket by a path of any length; NotFound where nobody listens."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                connection.connect(f"/proc/self/fd/{folder}/{path.name}")  # sun_path holds 108 bytes only
            finally:
                os.close(folder)
        except OSError as error:
            connection.close()
            if error.errno in (errno.ENOENT, errno.ECONNREFUSED):
                raise NotFound(f"no monitor listens at {path}") from None
            raise KernelError.of(f"connecting to the monitor at {path}", error) from None
        return cls(connection)

    async def receive(self) -> tuple[bytes, list[int]]:
        """The next packet and the descriptors with it; an empty one means that the other end is closed."""
        while True:
            try:
                packet, fds, _flags, _address = socket.recv_fds(self.connection, PACKET, 4)
            except BlockingIOError:
                await self._ready(self._loop.add_reader, self._loop.remove_reader)
            except (
                ConnectionResetError
            ):  # it ended with something of ours unread; what it sent is still to come
                continue
            else:
                for fd in fds:
                    os.set_inheritable(fd, False)
                return packet, fds

    async def send(self, packet: bytes) -> None:
        """Send a packet, waiting while the other end is slow; BrokenPipeError once it is closed."""
        while True:
            try:
                self.connection.send(packet)
            except BlockingIOError:
                await self._ready(self._loop.add_writer, self._loop.remove_writer)
            else:
                return

    def close(self) -> None:
        """Close it; whoever waits to receive is to be cancelled before."""
        self.connection.close()

    async def _ready(self, add: Any, remove: Any) -> None:
        future = self._loop.create_future()
        fd = self.connection.fileno()
        add(fd, _resolve, future)
        try:
            await future
        finally:
            remove(fd)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


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
        monitor = cls(path.name, path, await Line.to(path))
        try:
            await monitor.command("watch")
            await monitor._told()
        except (Conflict, NotFound):
            await monitor.close()
            raise NotFound(f"the monitor of {path.name} has just ended") from None
        return monitor

    @property
    def alive(self) -> bool:
        """Whether the monitor is still there."""
        return not self._closed

    async def command(self, op: str, **args: Any) -> None:
        """Have the monitor do something; Conflict with its words where it refuses, NotFound where it has ended."""
        if self._closed:
            raise NotFound(f"the monitor of {self.id} has ended")
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        try:
            await self._line.send(b"C" + json.dumps({"op": op, **args}).encode())
        except OSError:
            self._answers.remove(answer)
            raise NotFound(f"the monitor of {self.id} has ended") from None
        error = (await answer).get("error")
        if error:
            raise Conflict(f"{op} {self.id}: {error}")

    async def go(self) -> MonitorRecord:
        """Let the program start and wait until it has; LaunchError says why it could not."""
        await self.command("go")
        return await self.started()

    async def started(self) -> MonitorRecord:
        """Wait until the program runs (or has run); LaunchError says why it could not."""
        async for record in self.changes():
            if record.status != "created":
                break
        if self.record.error and not self.record.started_at:
            raise self._failure()
        return self.record

    async def changes(self) -> AsyncIterator[MonitorRecord]:
        """The record now and at every transition; ends with the monitor."""
        seen = -1
        while True:
            async with self._news:
                await self._news.wait_for(lambda: self._closed or self._version != seen)
                if self._version == seen:
                    return
                seen = self._version
                record = self.record
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
            attachment = Attachment(await Line.to(self.path))
            await attachment.begin(output, input, lossless)
        except NotFound:
            record = await self.wait()
            if record.error and not record.started_at:
                raise self._failure() from None
            raise
        return attachment

    async def close(self) -> None:
        """Let go of the monitor, which goes on without us."""
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    def _failure(self) -> LaunchError:
        record = self.record
        return LaunchError(f"cannot start {self.id[:12]}: {record.error}", exit_code=record.exit_code or 125)

    async def _told(self) -> None:
        async with self._news:
            await self._news.wait_for(lambda: self._closed or self._version > 0)

    async def _read(self) -> None:
        try:
            while True:
                packet, fds = await self._line.receive()
                if not packet:
                    return
                if packet[:1] == b"R":
                    self._answers.popleft().set_result(json.loads(packet[1:]))
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
                answer.set_exception(NotFound(f"the monitor of {self.id} has ended"))

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
        command = {"op": "attach", "output": output, "input": input, "lossless": lossless}
        packet = b""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await self._line.send(b"C" + json.dumps(command).encode())
            packet, _ = await self._line.receive()
        if not packet:
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
            try:
                await self._line.send(b"0" + data[start : start + PACKET - 1])
            except (BrokenPipeError, ConnectionResetError):
                return

    async def close_write(self) -> None:
        """End the program's standard input."""
        try:
            await self._line.send(b"0")
        except (BrokenPipeError, ConnectionResetError):
            return

    async def resize(self, rows: int, cols: int) -> None:
        """Set the size of its terminal."""
        try:
            await self._line.send(b"C" + json.dumps({"op": "resize", "rows": rows, "cols": cols}).encode())
        except (BrokenPipeError, ConnectionResetError):
            return

    def close(self) -> None:
        """Detach."""
        self._line.close()


class Launcher:
    """The launcher process: started once, and again whenever it was killed."""

    def __init__(self, log: Path | None = None) -> None:
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    @property
    def pid(self) -> int:
        """Its process id, 0 when it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else 0

    async def start(self) -> None:
        """Start it, unless it runs."""
        if self.pid:
            return
        await self.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Containers see the interpreter as /proc/PID/exe while they are being set up. Executed from a read-only
        # mount, it cannot be opened for writing through that link, whoever holds it (CVE-2019-5736).
        interpreter = os.path.realpath(sys.executable)
        script = str(Path(__file__).with_name("launcher.py"))
        try:
            view = mount.read_only_view(interpreter)
        except OSError as error:
            ours.close()
            theirs.close()
            raise KernelError.of(
                f"mounting {interpreter} read-only", error, "run the engine as root"
            ) from None
        try:
            with open(self._log or os.devnull, "ab") as log:
                self._process = subprocess.Popen(
                    [interpreter, "-I", "-S", script, str(theirs.fileno())],
                    executable=f"/proc/self/fd/{view}",
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(theirs.fileno(), view),
                    start_new_session=True,
                    env={"LANG": "C.UTF-8"},
                )
        finally:
            os.close(view)
            theirs.close()
        ours.setblocking(False)
        self._socket = ours
        asyncio.get_running_loop().add_reader(ours.fileno(), self._ended)

    async def close(self) -> None:
        """End the launcher; monitors go on."""
        if self._socket:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
        if self._process:
            await asyncio.to_thread(self._process.wait)
            self._process = None

    async def launch(self, folder: Path) -> Monitor:
        """Start the monitor and init of the container in `folder`; they then wait for `go`.

        LaunchError where the container could not be created.
        """
        plan = decode((folder / "launch.json").read_bytes(), LaunchPlan)
        return await self._monitor(plan.id, Path(plan.socket), {"op": "launch", "folder": str(folder)}, [])

    async def exec(self, plan: ExecPlan) -> Monitor:
        """Prepare a further program in a running container; it then waits for `go`.

        LaunchError where the container does not run.
        """
        file = os.memfd_create("plan", os.MFD_CLOEXEC)
        try:
            os.write(file, msgspec.json.encode(plan))
            return await self._monitor(plan.id, Path(plan.socket), {"op": "exec"}, [file])
        finally:
            os.close(file)

    async def _monitor(self, id: str, path: Path, request: dict[str, str], fds: list[int]) -> Monitor:
        packet = json.dumps(request).encode()
        for _ in range(2):  # it may have been killed just now; then nothing was started
            await self.start()
            assert self._socket
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            try:
                socket.send_fds(self._socket, [packet], [theirs.fileno(), *fds])
            except (BrokenPipeError, ConnectionResetError):
                ours.close()
                await self.close()
                continue
            finally:
                theirs.close()
            monitor = Monitor(id, path, Line(ours))
            await monitor._told()
            if monitor.record.status == "exited":
                await monitor.close()
                raise monitor._failure()
            if monitor.record.monitor:
                return monitor
            await monitor.close()
        raise LaunchError(f"cannot start {id[:12]}: the launcher ended", "see the engine's log")

    def _ended(self) -> None:
        """Its end of the socket is closed: it was killed. Reap it, so that the next request starts another."""
        if self._socket and self._process:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._process.wait()
