"""The monitor's socket: clients that command, watch and attach, none of which it ever waits for.

The program waits for one that attached as `lossless`: its output is not read while too much is queued there.

The packets are described in ARCHITECTURE.md, "The monitor's socket".
"""

from __future__ import annotations

import os

from engine.launch import wire
from engine.launch.loop import IN, OUT, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

OUTPUT_QUEUE = 1 << 18  # bytes of output kept for a client that reads slowly; more is dropped and counted
QUEUE_LENGTH = 512  # packets kept for a client; one that lets more answers and records pile up is cut off
OUTPUT = (b"1", b"2")  # kinds


class CommandError(Exception):
    """A command that cannot be followed; its text is the answer."""


class Client:
    """One connection."""

    def __init__(self, server: Server, connection: wire.Line) -> None:
        connection.setblocking(False)
        self._server = server
        self._connection = connection
        self._queue: list[tuple[bytes, list[int]]] = []
        self._queued = 0  # bytes of output in the queue
        self._dropped = 0
        self._paused = False
        self.watching = False
        self.seen_pid = 0  # whose descriptors this client was sent last
        self.output = False
        self.input = False
        self.lossless = False
        self._update()

    @property
    def pending(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._queue)

    @property
    def congested(self) -> bool:
        """Whether the program should wait until this client has read more."""
        return self.lossless and self._full(0)

    def send(self, kind: bytes, payload: bytes, fds: list[int] | None = None) -> None:
        """Send an answer or a record, now or as soon as the client reads."""
        if len(self._queue) >= QUEUE_LENGTH:
            self.close()
        else:
            self._put(kind + payload, fds or [])

    def send_output(self, packet: bytes) -> None:
        """Send a packet of output; unless lossless, drop and count it where too much waits already."""
        full = self._full(len(packet)) and not self.lossless
        if full or self._dropped:  # what was dropped is told before anything that came after it
            self._dropped += len(packet) - 1
        else:
            self._put(packet, [])

    def pause(self, paused: bool) -> None:
        """Leave what this client sends in its socket for now, so that the client comes to wait."""
        self._paused = paused
        self._update()

    def close(self) -> None:
        """Cut the connection."""
        if self._connection.fileno() >= 0:
            self._server.loop.forget(self._connection.fileno())
            self._connection.close()
            for _, fds in self._queue:
                _close_all(fds)
            self._queue.clear()
            self._server.gone(self)

    def _full(self, more: int) -> bool:
        return self._queued + more > OUTPUT_QUEUE or len(self._queue) >= QUEUE_LENGTH // 2

    def _update(self) -> None:
        if self._connection.fileno() >= 0:
            events = (0 if self._paused else IN) | (OUT if self._queue else 0)
            self._server.loop.watch(self._connection.fileno(), events, self._ready)

    def _put(self, packet: bytes, fds: list[int]) -> None:
        if self._queue or not self._sent(packet, fds):
            # The queue holds descriptors of its own: the caller's may be closed before they are sent.
            self._queue.append((packet, [os.dup(fd) for fd in fds]))
            self._queued += len(packet) if packet[:1] in OUTPUT else 0
            self._update()

    def _sent(self, packet: bytes, fds: list[int]) -> bool:
        try:
            self._connection.send_with(packet, fds)
        except BlockingIOError:
            return False
        except OSError:  # it has gone
            self.close()
        return True

    def _flush(self) -> None:
        while self._queue and self._sent(*self._queue[0]):
            if not self._queue:  # closed while sending
                return
            packet, fds = self._queue.pop(0)
            _close_all(fds)
            self._queued -= len(packet) if packet[:1] in OUTPUT else 0
        if self._dropped and not self._queue:
            dropped, self._dropped = self._dropped, 0
            self._put(b"D%d" % dropped, [])
        self._update()
        self._server.on_room()

    def _ready(self, events: int) -> None:
        if events & OUT:
            self._flush()
        if events & ~OUT and self._connection.fileno() >= 0:
            self._read()

    def _read(self) -> None:
        try:
            packet = self._connection.recv(wire.PACKET)
        except (BlockingIOError, ConnectionResetError):  # reset: it left something of ours unread
            return
        if not packet:
            self.close()
        elif packet[:1] == b"0":
            if self.input:
                self._server.on_input(self, packet[1:])
        elif packet[:1] == b"C":
            self.send(b"R", wire.dumps(self._answer(packet[1:])).encode())

    def _answer(self, text: bytes) -> dict[str, Any]:
        try:
            command = wire.loads(text)
            self._server.on_command(self, command.pop("op"), command)
        except CommandError as error:
            return {"error": str(error)}
        except OSError as error:
            return {"error": str(error)}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return {"error": f"the command {text[:80]!r} is malformed: {error!r}"}
        return {}


def _close_all(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


class Server:
    """The listening socket and its clients."""

    def __init__(
        self,
        loop: Loop,
        on_command: Callable[[Client, str, dict[str, Any]], None],
        on_input: Callable[[Client, bytes], None],
        on_gone: Callable[[Client], None],
    ) -> None:
        self.loop = loop
        self.clients: list[Client] = []
        self.on_command = on_command
        self.on_input = on_input
        self.on_room: Callable[[], None] = lambda: None  # a client has read, or gone
        self._on_gone = on_gone
        self._path = ""
        self._inode = 0
        self._listener: wire.Line | None = None

    def listen(self, path: str) -> None:
        """Bind to `path`, of any length, for its owner only."""
        listener = wire.Line(wire.AF_UNIX, wire.SOCK_SEQPACKET | wire.SOCK_NONBLOCK)
        folder, name = os.path.split(path)
        fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if os.path.lexists(path):  # left by a monitor that was killed
                os.unlink(path)
            mask = os.umask(0o177)
            try:
                listener.bind(f"/proc/self/fd/{fd}/{name}")  # sun_path holds 108 bytes only
            finally:
                os.umask(mask)
        finally:
            os.close(fd)
        listener.listen(64)
        self._path, self._inode, self._listener = path, os.lstat(path).st_ino, listener
        self.loop.watch(listener.fileno(), IN, self._accept)

    def adopt(self, connection: wire.Line) -> Client:
        """Serve a connection that is there already."""
        client = Client(self, connection)
        self.clients.append(client)
        return client

    def gone(self, client: Client) -> None:
        """Drop a client that closed its connection."""
        if client in self.clients:
            self.clients.remove(client)
            self._on_gone(client)
            self.on_room()

    @property
    def congested(self) -> bool:
        """Whether the program should wait for a client."""
        return any(client.congested for client in self.clients)

    def output(self, stream: bytes, data: bytes) -> None:
        """Pass a piece of output on to all who are attached."""
        packet = b""
        for client in list(self.clients):
            if client.output:
                packet = packet or stream + data
                client.send_output(packet)

    def unlink(self) -> None:
        """Take the socket's name away, unless a successor has it already."""
        if self._listener:
            self.loop.forget(self._listener.fileno())
            self._listener.close()
            self._listener = None
            try:
                if os.lstat(self._path).st_ino == self._inode:
                    os.unlink(self._path)
            except FileNotFoundError:
                pass

    def _accept(self, _events: int) -> None:
        assert self._listener
        try:
            connection = self._listener.accept()
        except OSError:  # gone again, or no descriptor left for it
            return
        self.adopt(connection)
