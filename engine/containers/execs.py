"""Further programs in running containers."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

import msgspec

from engine.containers.container import Container, recorded
from engine.containers.layers import layers_of, seccomp_program
from engine.containers.record import new_id
from engine.containers.rooms import Rooms
from engine.errors import Conflict, NotFound
from engine.launch import Attachment, Monitor
from engine.launch.bundle import exec_process
from engine.launch.plan import ExecPlan
from engine.model import ExecConfig, ExitStatus
from engine.rootfs.stack import read_text

KEPT = 256  # ended programs whose exit codes are remembered


@dataclass
class Exec:
    """One further program: made, running or ended."""

    id: str
    container: Container
    config: ExecConfig
    monitor: Monitor | None = None
    pid: int = 0
    status: ExitStatus | None = None  # once ended
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    follower: asyncio.Task[None] | None = None


class Execs:
    """The programs started by `exec` since this engine began."""

    def __init__(self, rooms: Rooms) -> None:
        self.rooms = rooms
        self._by_id: dict[str, Exec] = {}

    def create(self, container: Container, config: ExecConfig) -> Exec:
        """Remember what is to be run; nothing runs yet."""
        self._require_running(container)
        exec = Exec(new_id(), container, config)
        for old in [e for e in self._by_id.values() if e.ended.is_set()][:-KEPT]:
            del self._by_id[old.id]
        self._by_id[exec.id] = exec
        self.rooms.events.emit("container", "exec_create", container.id, container.name, {"execID": exec.id})
        return exec

    def find(self, id: str) -> Exec:
        """The exec with this id. Raises NotFound."""
        if id not in self._by_id:
            raise NotFound(f"there is no exec {id[:12]!r}", "it ended long ago, or the engine was restarted")
        return self._by_id[id]

    def of(self, container: Container) -> list[Exec]:
        """The execs of one container that have not ended."""
        return [
            exec for exec in self._by_id.values() if exec.container is container and not exec.ended.is_set()
        ]

    async def start(self, id: str) -> Attachment:
        """Run it, with its input and output on the attachment that is returned.

        Raises LaunchError (exit code 126 or 127) where the program cannot be run.
        """
        exec = self.find(id)
        if exec.follower is not None:
            raise Conflict(f"exec {id[:12]} was started already", "create another")
        self._require_running(exec.container)
        exec.monitor = await self.rooms.launcher.exec(await self._plan(exec))
        attachment = await exec.monitor.attach(input=exec.config.stdin, lossless=True)
        exec.follower = asyncio.create_task(self._follow(exec, exec.monitor))
        self.rooms.events.emit(
            "container", "exec_start", exec.container.id, exec.container.name, {"execID": exec.id}
        )
        try:
            await exec.monitor.go()
        except BaseException:
            attachment.close()
            raise
        return attachment

    async def _follow(self, exec: Exec, monitor: Monitor) -> None:
        record = await monitor.wait()
        code = 137 if record.exit_code is None else record.exit_code  # none: its monitor was killed
        exec.status = ExitStatus(exit_code=code, error=record.error)
        exec.monitor = None
        self._forget_files(exec.id)
        self.rooms.events.emit(
            "container", "exec_die", exec.container.id, exec.container.name,
            {"execID": exec.id, "exitCode": str(code)},
        )  # fmt: skip
        exec.ended.set()

    async def wait(self, id: str) -> ExitStatus:
        """Wait until it has ended."""
        exec = self.find(id)
        await exec.ended.wait()
        assert exec.status
        return exec.status

    async def resize(self, id: str, rows: int, cols: int) -> None:
        """Tell its terminal its size; one that has ended does not care."""
        monitor = self.find(id).monitor
        if monitor is not None:
            with contextlib.suppress(NotFound):
                await monitor.command("resize", rows=rows, cols=cols)

    async def _plan(self, exec: Exec) -> ExecPlan:
        container, config, run = exec.container, exec.config, self.rooms.instance.run / "x"
        spec = msgspec.json.decode((container.folder / "config.json").read_bytes())
        layers = await layers_of(self.rooms, container)
        process = exec_process(
            config, spec["process"], read_text(layers, "etc/passwd"), read_text(layers, "etc/group")
        )
        record = recorded(container.folder)
        return ExecPlan(
            id=exec.id,
            pid=record.pid,
            pid_start=record.pid_start,
            process=process,
            cgroups=container.cgroup.folders,
            monitor_cgroups=self.rooms.group.monitor_folders,
            state_file=str(run / f"{exec.id}.json"),
            socket=str(run / exec.id),
            tty=config.tty,
            stdin=config.stdin,
            seccomp=seccomp_program(self.rooms, process),
        )

    def _forget_files(self, id: str) -> None:
        for name in (id, f"{id}.json"):
            with contextlib.suppress(OSError):
                (self.rooms.instance.run / "x" / name).unlink()

    def _require_running(self, container: Container) -> None:
        if container.state.status != "running":
            raise Conflict(
                f"container {container.name} is {container.state.status}, so nothing can be run in it",
                f"`tiffin {'unpause' if container.state.status == 'paused' else 'start'} {container.name}` first",
            )
