"""The monitor: one process per started container or exec'd program, which outlives engine and launcher.

It owns the program's streams, socket and record, and reaps it. Here is what a container's first program and
an exec'd one have in common; `container` and `execution` hold what each does in its own way.
"""

from __future__ import annotations

import gc
import os
import time

from engine.kernel import pidfd, syscalls
from engine.launch import child, wire
from engine.launch.clients import Client, CommandError, Server
from engine.launch.loop import IN, Loop
from engine.launch.record import RecordFile
from engine.launch.stdio import Stdio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

SIGKILL = 9
FAREWELL = 5.0  # seconds that clients get to read what is queued for them at the end


class Monitor:
    """Serves clients from the program's creation to its end."""

    own_network = False  # whether the program keeps the network namespace that the monitor was made in

    def __init__(self, plan: dict[str, Any], boot_id: str, first: wire.Line) -> None:
        self.plan = plan
        self.loop = Loop()
        self.server = Server(self.loop, self._command, self._input, self._gone)
        self.first = self.server.adopt(first)
        self.first.watching = True
        self.record = RecordFile(
            plan["state_file"],
            {
                "status": "created",
                "pid": 0,
                "pid_start": 0,
                "monitor": os.getpid(),
                "boot_id": boot_id,
                "started_at": 0.0,
                "finished_at": 0.0,
                "exit_code": None,
                "oom_killed": False,
                "oom_limit": None,
                "restart_count": 0,
                "error": "",
            },
        )
        self.pid = 0
        self.pidfd = -1
        self.netns = -1
        self.channel: wire.Line | None = None  # to init, until its exec closes the other end
        self.error: tuple[str, int] | None = None  # what init answered instead, and the exit code for it
        self.ready = False  # init has done all it had to before exec
        self.released = False  # init may exec
        self.wanted = False  # it has been let go once, so the program is to run with or without an engine
        self.aborted: str | None = None
        self.ended = False
        self.obstacle: OSError | None = None  # why the network namespace could not be made
        self.size: tuple[int, int] | None = None  # of the terminal, as the last client wanted it
        self.stdio: Stdio

    # What the two kinds of monitor do each in its own way.

    def spawn(self) -> child.Child:
        """Have init set out."""
        raise NotImplementedError

    def output(self, stream: bytes, data: bytes) -> None:
        """Pass output on."""
        self.server.output(stream, data)
        self._regulate()

    def exited(self, code: int) -> None:
        """React to the program's end, or to init's before it."""
        raise NotImplementedError

    # The life of one start.

    def run(self, takes: int) -> None:
        """Start the program and serve until all is over; a byte to `takes` has the launcher make a new spare."""
        child.ignore_signals()  # only the end of its program ends a monitor
        child.title.set(f"tiffin-monitor {self.plan['id'][:12]}")
        gc.enable()
        try:
            self.start()
            self.server.listen(self.plan["socket"])
            self.tell_all()  # before the record is written: the network is made ready while init works
            self.record.write()
        except OSError as error:
            if self.pidfd >= 0:
                self.kill(SIGKILL)
            self.end(error=f"starting the monitor: {error}", exit_code=child.SETUP_FAILED)
        try:
            os.write(takes, b"t")
        except BrokenPipeError:  # the launcher was killed meanwhile
            pass
        os.close(takes)
        while not self.ended:
            self.loop.turn()
        self._farewell()

    def start(self) -> None:
        """Have init set out, and take charge of it; the record then says "created"."""
        self.error, self.ready, self.released = None, False, False
        if self.obstacle:
            raise self.obstacle
        started = self.spawn()
        self.pid, self.pidfd, self.channel = started.pid, started.pidfd, started.line
        plan = self.plan
        self.stdio = Stdio(self.loop, started.pipes, plan["tty"], plan["stdin"], self.output)
        if self.size:
            self.stdio.resize(*self.size)
        self.stdio.on_drained = lambda: self._pause_inputs(False)
        self.server.on_room = self._regulate
        self.channel.setblocking(False)
        self.loop.watch(self.channel.fileno(), IN, self._from_init)
        self.loop.watch(self.pidfd, IN, self._program_ended)
        self.record.fields.update(pid=self.pid, pid_start=pidfd.start_time(self.pid), error="")

    def release(self) -> None:
        """Let init exec, now or as soon as it is ready."""
        if self.channel and not self.released:
            self.released = self.wanted = True
            try:
                self.channel.send(child.GO)
            except OSError:  # init has ended; why, it has said before
                pass

    def changed(self, durable: bool = False, **changes: Any) -> None:
        """Write the record and tell all who watch."""
        self.record.write(durable, **changes)
        self.tell_all()

    def tell_all(self) -> None:
        """Send the record to all who watch."""
        for client in list(self.server.clients):
            if client.watching:
                self._tell(client)

    def kill(self, number: int) -> None:
        """Signal the program, if it still runs."""
        try:
            pidfd.send_signal(self.pidfd, number)
        except ProcessLookupError:
            pass

    def end(self, **changes: Any) -> None:
        """Write down that all is over; nothing is started again."""
        changes = {"status": "exited", "pid": 0, "pid_start": 0, "finished_at": time.time()} | changes
        self.ended = True
        # The record must be on disk before the name goes: who finds no socket reads the record.
        self.record.write(durable=True, **changes)
        self.server.unlink()
        self.tell_all()

    def _from_init(self, _events: int) -> None:
        assert self.channel
        try:
            packet, fds = self.channel.receive()
        except (BlockingIOError, ConnectionResetError):  # reset: it ended with a word of ours unread
            return
        if packet == child.READY:
            self.ready = True
        elif packet == child.TERMINAL:
            self.stdio.terminal(fds[0])
        elif packet:
            told = wire.loads(packet)
            self.error = (told["error"], told["code"])
        else:
            self._channel_closed()

    def _channel_closed(self) -> None:
        assert self.channel
        self.loop.forget(self.channel.fileno())
        self.channel.close()
        self.channel = None
        if self.ready and self.released and not self.error:
            self.changed(status="running", started_at=time.time())
            self._move()
        elif not self.error:
            self.error = ("init was killed before it could start the program", child.SETUP_FAILED)

    def _move(self) -> None:
        """Leave the engine's cgroups for the monitors', now that nobody waits for us."""
        try:
            child.join_cgroups(self.plan["monitor_cgroups"])
        except OSError as error:
            os.write(2, f"monitor of {self.plan['id']}: joining its cgroups: {error}\n".encode())

    def _program_ended(self, _events: int) -> None:
        while self.channel:  # what init said last counts, whichever of the two came first
            self._from_init(0)
        self.stdio.drain()
        self.stdio.close()
        self.loop.forget(self.pidfd)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.pidfd)
        self.pidfd = -1
        self.loop.cancel("stop")
        code = os.waitstatus_to_exitcode(status)
        self.exited(code if code >= 0 else 128 - code)

    # Clients.

    def _tell(self, client: Client) -> None:
        fds = []
        if self.pidfd >= 0 and client.seen_pid != self.pid:
            client.seen_pid = self.pid
            fds = [fd for fd in (self.pidfd, self.netns) if fd >= 0]
        client.send(b"S", self.record.encoded(), fds)

    def _input(self, _client: Client, data: bytes) -> None:
        self.stdio.write(data)
        if self.stdio.full:
            self._pause_inputs(True)

    def _pause_inputs(self, paused: bool) -> None:
        for client in self.server.clients:
            if client.input:
                client.pause(paused)

    def _regulate(self) -> None:
        self.stdio.hold(self.server.congested)

    def _gone(self, client: Client) -> None:
        if client is self.first and not self.wanted and not self.ended:
            self.abort("the engine ended before the container was started")

    def abort(self, error: str) -> None:
        """End a program that is created but shall never run."""
        self.aborted = error
        self.kill(SIGKILL)

    def _command(self, client: Client, op: str, args: dict[str, Any]) -> None:
        if self.ended:
            raise CommandError("the program has ended")
        command: Callable[..., None] | None = getattr(self, f"do_{op}", None)
        if not command:
            raise CommandError(f"there is no command {op!r} here")
        command(client, **args)

    def do_watch(self, client: Client) -> None:
        """Begin to send records."""
        client.watching = True
        self._tell(client)

    def do_attach(
        self, client: Client, output: bool = True, input: bool = False, lossless: bool = False
    ) -> None:
        """Begin to send output, take input, or both; for a `lossless` reader the program waits."""
        client.output, client.input, client.lossless = output, input, lossless
        client.pause(input and self.stdio.full)

    def do_go(self, _client: Client) -> None:
        """Let init exec."""
        self.release()

    def do_abort(self, _client: Client, error: str = "") -> None:
        """Undo what was done for a program that has not been let go."""
        if self.wanted:
            raise CommandError("the program was started already")
        self.abort(error)

    def do_kill(self, _client: Client, signal: int) -> None:
        """Send a signal."""
        if self.pidfd < 0:
            raise CommandError("the program does not run")
        if not 0 < signal <= 64:
            raise CommandError(f"there is no signal {signal}")
        self.kill(signal)

    def do_stop(self, _client: Client, signal: int | None = None, grace: float | None = None) -> None:
        """Ask the program to end, and kill it after `grace` seconds."""
        self.kill(self.plan["stop_signal"] if signal is None else signal)
        seconds = self.plan["stop_grace"] if grace is None else grace
        if seconds >= 0:  # -1 is without end, as Docker's
            self.loop.after("stop", seconds, lambda: self.kill(9))

    def do_resize(self, _client: Client, rows: int, cols: int) -> None:
        """Set the terminal's size."""
        if not (0 <= rows < 1 << 16 and 0 <= cols < 1 << 16):
            raise CommandError(f"a terminal cannot have {rows} rows and {cols} columns")
        self.size = (rows, cols)
        self.stdio.resize(rows, cols)

    def _farewell(self) -> None:
        """Let clients read what is queued for them: FAREWELL seconds, lossless ones as long as they stay."""
        late = False

        def give_up() -> None:
            nonlocal late
            late = True

        self.loop.after("farewell", FAREWELL, give_up)
        while True:
            for client in list(self.server.clients):
                if not client.pending or (late and not client.lossless):
                    client.close()
            if not self.server.clients:
                return
            if late and self.netns >= 0:  # the container may be started again meanwhile: let its network go
                os.close(self.netns)
                self.netns = -1
                syscalls.unshare(syscalls.CLONE_NEWNET)
            self.loop.turn()
