"""Where a demo plays: its containers, and the line to each program in them.

Every container is labelled, bounded and auto-removed, and its programs end when their line does. The line is a
unix socket of the engine's, so whatever ends the engine ends them.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.client.http import reachable
from engine.containers import Containers
from engine.containers.private import PrivateLayers
from engine.errors import KernelError, LaunchError, TiffinError
from engine.kernel.paths import delete
from engine.model import ContainerConfig, KernelWrite, LaneName, Limits, LimitsApplied, LimitsChange, Mount
from engine.scenarios.run import Lane, Run

LABEL = "tiffin.demo"
MOUNTED = "/demo"  # where a container has the programs and the line
FOLDER = "demos"  # below the instance's run folder
ACTORS = Path(__file__).parent / "actors"
BOOT = "import sys; sys.path.insert(0, '/demo'); from actors.main import main; main(sys.argv[1:])"
PYTHON = ["python3", "-I", "-S", "-B", "-c", BOOT]
APPEAR = 45.0  # seconds that a program may take to report for duty
ANSWER = 5.0  # seconds for the last word of a turn
LINE = 1 << 16  # bytes of a message
Message = dict[str, Any]
Heard = Callable[["Stage", Lane, str, Message], None]


class Stage:
    """An async context: what was put on it is gone afterwards, whatever happened."""

    def __init__(self, containers: Containers, run: Run, heard: Heard) -> None:
        """`heard` is told everything that programs say: their lane, who they are, and what."""
        self.containers = containers
        self.run = run
        self._heard = heard
        self.id = secrets.token_hex(4)
        self.folder = containers.rooms.instance.run / FOLDER / self.id
        self._server: asyncio.Server | None = None
        self._lines: dict[tuple[LaneName, str], asyncio.StreamWriter] = {}
        self._news = asyncio.Condition()
        self.took = 0.0  # seconds, of the latest start
        self.afterwards: list[Callable[[], Awaitable[object]]] = []  # done when the containers are gone
        self.ids: dict[str, str] = {}  # container ids by their part's name
        self.told: asyncio.Queue[Message] = asyncio.Queue()  # what a demo has to wait for

    async def __aenter__(self) -> Stage:
        await asyncio.to_thread(self._furnish)
        listening = socket.socket(socket.AF_UNIX)
        try:
            with reachable(self.folder / "wire") as name:
                listening.bind(name)
            self._server = await asyncio.start_unix_server(self._listen, sock=listening, limit=LINE)
        except BaseException:
            listening.close()
            delete(self.folder)
            raise
        return self

    def _furnish(self) -> None:
        try:
            self.folder.mkdir(parents=True, mode=0o700)
            shutil.copytree(ACTORS, self.folder / "actors", ignore=shutil.ignore_patterns("__pycache__"))
        except OSError as error:
            raise KernelError.of(f"making {self.folder}", error) from error

    async def __aexit__(self, *error: object) -> None:
        for line in self._lines.values():
            line.close()
        await asyncio.gather(*(self._remove(id) for id in self.ids.values()))
        for undo in self.afterwards:
            with contextlib.suppress(TiffinError):
                await undo()
        if self._server is not None:
            self._server.close()
        await asyncio.to_thread(delete, self.folder)

    async def _remove(self, id: str) -> None:
        with contextlib.suppress(TiffinError):  # gone by itself, or removed by somebody
            await self.containers.remove(id, force=True, volumes=True)

    # ── containers ──────────────────────────────────────────────────────────────────────────────────────────

    async def cast(
        self,
        lane: LaneName,
        name: str,
        roles: list[str],
        limits: Limits,
        *,
        network: str = "none",
        resets: bool = False,
        mounts: Sequence[Mount] = (),
    ) -> None:
        """Start a container that plays `roles`, and wait until each has reported.

        One that is to be reset outlives its programs' end, though not the stage.
        """
        config = ContainerConfig(
            image="host",
            command=[*PYTHON, *roles],
            env=[f"LANE={lane}"],
            mounts=list(mounts),
            network=network,
            limits=limits,
            auto_remove=not resets,
            stop_grace=0.0,
        )
        await self.put(lane, name, config)
        await self._reported(lane, name, [role.split(":")[0] for role in roles])

    async def reset(self, lane: LaneName, name: str) -> None:
        """Throw away what a container changed, and start it again."""
        roles = [who for one, who in self._lines if one == lane and who in (name, "init")]
        for who in roles:
            self._lines.pop((lane, who)).close()
        await PrivateLayers(self.containers).reset(self.ids[name], restart=True, grace=0)
        await self._reported(lane, name, [name])

    def memory(self, name: str) -> int:
        """Bytes that a container takes now, its page cache too; 0 where this host cannot tell."""
        cgroup = self.containers.get(self.ids[name]).cgroup
        place = cgroup.hierarchy.place("memory", cgroup.path)
        file = "" if place is None else "memory.current" if place.version == 2 else "memory.usage_in_bytes"
        return int(Path(place.folder, file).read_text()) if place else 0

    async def take_off(self, name: str) -> None:
        """Remove a container before the end."""
        await self._remove(self.ids.pop(name))

    async def put(self, lane: LaneName, name: str, config: ContainerConfig) -> str:
        """Start a container that is gone when the stage is; the limits it was given count as written."""
        labels = {**config.labels, LABEL: self.run.scenario.name}
        mounts = [*config.mounts, Mount(type="bind", source=str(self.folder), target=MOUNTED, read_only=True)]
        config = msgspec.structs.replace(config, labels=labels, mounts=mounts)
        called = f"demo-{self.run.scenario.name}-{name}-{self.id[:4]}"
        began = time.monotonic()
        id = await self.containers.create(config, called)
        self.ids[name] = id
        await self.containers.start(id)
        self.took = time.monotonic() - began
        container = self.containers.get(id)
        for reading in container.cgroup.readings():
            if getattr(config.limits, reading.name) not in (None, False, {}):
                self._wrote(lane, name, container.cgroup.file_of(reading), reading.raw, cap=True)
        return id

    async def _reported(self, lane: LaneName, name: str, roles: list[str]) -> None:
        ended = asyncio.create_task(self.containers.wait(self.ids[name]))
        try:
            async with asyncio.timeout(APPEAR), self._news:
                while not all((lane, role) in self._lines for role in roles):
                    if ended.done():
                        break
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), 0.2)
        except TimeoutError:
            pass
        finally:
            ended.cancel()
        if missing := [role for role in roles if (lane, role) not in self._lines]:
            raise LaunchError(
                f"the demo's program {missing[0]} did not start in its container",
                "it is run by the machine's own python3, which has to be on the root file system; "
                "look into the engine's log",
            )

    async def change(self, lane: LaneName, name: str, change: LimitsChange) -> LimitsApplied:
        """Change a container's limits while it runs; what was changed counts as written."""
        applied = await self.containers.update(self.ids[name], change)
        cgroup = self.containers.get(self.ids[name]).cgroup
        for reading in applied.readings:
            if getattr(applied.before, reading.name) != getattr(applied.after, reading.name):
                self._wrote(lane, name, cgroup.file_of(reading), reading.raw)
        return applied

    def _wrote(self, lane: LaneName, name: str, file: str, value: str, cap: bool = False) -> None:
        written = [one for one in self.run.written if one.file != file]
        new = KernelWrite(container=name, file=file, value=value, lane=lane, cap=cap)
        self.run.written[:] = [*written, new]

    # ── the lines ───────────────────────────────────────────────────────────────────────────────────────────

    def wrote(self, lane: LaneName, name: str, file: str, value: str) -> None:
        """Count something as written that is no limit of a cgroup."""
        self._wrote(lane, name, file, value)

    def tell(self, lane: LaneName, who: str, **order: Any) -> None:
        """Give an order; one who is not there (killed a moment ago) misses it."""
        if line := self._lines.get((lane, who)):
            line.write(msgspec.json.encode(order) + b"\n")

    def there(self, lane: LaneName, who: str) -> bool:
        """Whether somebody can be told something."""
        return (lane, who) in self._lines

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        key: tuple[LaneName, str] | None = None
        try:
            while line := await reader.readline():
                message = msgspec.json.decode(line, type=Message)
                if "who" in message:
                    key = (message["lane"], message["who"])
                    self._lines[key] = writer
                    async with self._news:
                        self._news.notify_all()
                if key is not None:
                    self._heard(self, self.run.lane(key[0]), key[1], message)
        except (OSError, ValueError, msgspec.MsgspecError, asyncio.CancelledError):
            pass  # a line that breaks off, or says what is none of ours, has ended
        finally:
            if key is not None and self._lines.get(key) is writer:
                del self._lines[key]
            writer.close()
