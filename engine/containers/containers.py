"""The verbs: each finds its container, holds its lock while the state changes, and tells it as an event."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import AsyncIterator, Coroutine
from typing import TypeAlias

import msgspec

from engine import rootfs
from engine.cgroups import Cgroup, describe
from engine.containers import adopting, limits
from engine.containers.attaching import LateAttachment
from engine.containers.container import Container
from engine.containers.execs import Execs
from engine.containers.following import Follower
from engine.containers.layers import HALF_REMOVED, layers_of, root_of, stubs_of
from engine.containers.processes import processes
from engine.containers.proving import prove, thaw_left
from engine.containers.record import Record, new_id, new_name
from engine.containers.registry import Registry
from engine.containers.rooms import Rooms
from engine.containers.stalls import Stalls
from engine.containers.starting import launch
from engine.errors import Conflict, LaunchError, NotFound, TiffinError
from engine.instance import Instance
from engine.kernel.paths import delete
from engine.launch import Attachment
from engine.launch.signals import signal_number
from engine.launch.validate import validate
from engine.model import (
    JSON,
    Change,
    ContainerConfig,
    ContainerSummary,
    ExecConfig,
    ExitStatus,
    ImageConfig,
    LimitReading,
    Limits,
    LimitsApplied,
    LimitsChange,
    Process,
    Proof,
    Resource,
    RestartPolicy,
)

log = logging.getLogger(__name__)

UNKNOWN = 125  # the exit code of a program whose end nobody saw: not a success

# Inside the class, `list` is a verb.
Summaries: TypeAlias = list[ContainerSummary]
Processes: TypeAlias = list[Process]
Changes: TypeAlias = list[Change]
Readings: TypeAlias = list[LimitReading]


class Containers:
    """All containers of one instance, and what is done with them.

    A `ref` is an id, an unambiguous beginning of one, or a name; an unknown one raises NotFound.
    """

    def __init__(self, rooms: Rooms) -> None:
        self.rooms = rooms
        self.registry = Registry()
        self.execs = Execs(rooms)
        self._follower = Follower(rooms, self._ended)
        self._tasks: set[asyncio.Task[None]] = set()

    # ── the engine's own life ───────────────────────────────────────────────────────────────────────────────

    @classmethod
    async def open(cls, instance: Instance) -> Containers:
        """Take over what the last engine left, undo what it had half done, and start what should run."""
        rooms = await Rooms.open(instance)
        self = cls(rooms)
        rooms.networks.name_of = self.registry.name_of
        thaw_left(rooms)
        stalls = Stalls(rooms.events)
        rooms.watch.ruled = lambda ruling: stalls.tell(ruling, time.monotonic())
        rooms.watch.start(self.list, self._undo_counts)
        for container in adopting.load(rooms):
            self.registry.reserve(container.name, container.id)
            self.registry.add(container)
        await asyncio.gather(*(adopting.adopt(rooms, self._follower, c) for c in self.registry))
        adopting.sweep(rooms, {c.id for c in self.registry if c.alive})
        await rooms.networks.reconcile(
            {c.id for c in self.registry}, {c.id for c in self.registry if c.alive}
        )
        for container in self.registry:
            if container.record.transient:
                await self.remove(container.id, force=True)
            elif not container.alive and container.wants_restart:
                await self._start_again(container)
        return self

    async def close(self) -> None:
        """End the engine's part; containers go on."""
        for container in self.registry:
            if container.follower:
                container.follower.cancel()
        await self.rooms.close({c.id for c in self.registry if c.alive})

    # ── making and removing ─────────────────────────────────────────────────────────────────────────────────

    async def create(self, config: ContainerConfig, name: str = "", *, transient: bool = False) -> str:
        """Make a container, to be started later; its id. Nothing is left where any part is refused.

        A `transient` one has none of its image's volumes, and the next engine removes it if this one cannot.
        """
        container = self._make(config, name, transient=transient)
        try:
            if config.limits != Limits():
                limits.readings(container)  # asks the kernel whether it will take them
        except TiffinError:
            await self.remove(container.id)
            raise
        return container.id

    async def run(self, config: ContainerConfig, name: str = "") -> str:
        """Create and start; one whose program cannot be run stays, as Docker's does, unless auto-removed."""
        container = self._make(config, name, wanted=True)
        try:
            await self.start(container.id)
        except TiffinError as error:
            if config.auto_remove or not isinstance(error, LaunchError):
                await self.remove(container.id, force=True)
            raise
        return container.id

    def _make(
        self, config: ContainerConfig, name: str, *, wanted: bool = False, transient: bool = False
    ) -> Container:
        rooms, id = self.rooms, new_id()
        rooms.require_root("making a container")
        validate(config)
        image = rooms.images.get(config.image)
        while not name:
            name = "" if self.registry.has_name(candidate := new_name()) else candidate
        self.registry.reserve(name, id)
        folder = rooms.instance.container(id)
        half_made = folder.with_name(adopting.HALF_MADE + id)
        try:
            lease = rooms.networks.reserve(id, config.network)
            volumes = ImageConfig() if transient else image.config
            config, anonymous = rooms.volumes.name_anonymous(config, volumes)
            record = Record(
                id=id,
                name=name,
                created_at=time.time(),
                image=config.image,
                image_id=image.id,
                config=config,
                wanted=wanted,
                anonymous_volumes=anonymous,
                transient=transient,
            )
            for part in ("rootfs", "upper", "work", "log"):
                (half_made / part).mkdir(parents=True)
            record.save(half_made)
            half_made.rename(folder)
            cgroup = Cgroup(rooms.hierarchy, rooms.group.path(id), all_devices=config.privileged)
            container = Container(record, folder, cgroup)
            container.lease = lease
        except BaseException:
            self.registry.free(name)
            rooms.networks.release(id)
            for leftover in (half_made, folder):
                delete(leftover)
            raise
        self.registry.add(container)
        rooms.events.emit("container", "create", id, name, {"image": config.image})
        rooms.watch.poke()
        return container

    async def remove(self, ref: str, force: bool = False, volumes: bool = False) -> None:
        """Remove a container and everything of it; a running one only by `force`, which kills it."""
        container = self.registry.find(ref)
        async with container.lock:
            if container.alive and not force:
                raise Conflict(
                    f"container {container.name} is {container.state.status}",
                    f"stop it first, or `tiffin rm --force {container.name}`",
                )
            container.removing = True
            try:
                if container.alive:
                    await self._end(container, signal.SIGKILL, 0)
            except BaseException:
                container.removing = False
                raise
            doomed = container.folder.with_name(HALF_REMOVED + container.id)
            with contextlib.suppress(FileNotFoundError):
                container.folder.rename(doomed)
            self.registry.drop(container)
            self.rooms.networks.release(container.id)
            with contextlib.suppress(OSError):  # a monitor that was killed left its socket
                (self.rooms.instance.run / "c" / container.id).unlink()
            with contextlib.suppress(OSError):  # what cannot be deleted is tried again at the next start
                await asyncio.to_thread(delete, doomed)
            if volumes or container.record.config.auto_remove:
                await self.rooms.volumes.remove_anonymous(
                    container.record.anonymous_volumes, self.volume_users()
                )
        self.rooms.events.emit("container", "destroy", container.id, container.name)
        container.tell_removed()
        self.rooms.watch.poke()

    async def rename(self, ref: str, name: str) -> None:
        """Give a container another name."""
        container = self.registry.find(ref)
        old = container.name
        self.registry.reserve(name, container.id)
        container.change(name=name)
        self.registry.free(old)
        self.rooms.events.emit("container", "rename", container.id, name, {"oldName": old})
        self.rooms.watch.poke()

    # ── running ─────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self, ref: str) -> bool:
        """Start a container; False where it runs already. LaunchError where its program cannot be run."""
        container = self.registry.find(ref)
        self.rooms.require_root(f"starting {container.name}")
        async with container.lock:
            if container.alive:
                return False
            monitor = await launch(self.rooms, container)
            container.change(wanted=True)
            self._follower.follow(container, monitor)
        return True

    async def stop(self, ref: str, grace: float | None = None) -> bool:
        """Ask a container's program to end, and after `grace` seconds (its own by default) kill it.

        Returns once it has ended; False where it did not run. A restart policy does not start it again.
        """
        container = self.registry.find(ref)
        async with container.lock:
            container.change(wanted=False)
            if not container.alive:
                return False
            await self._end(container, None, grace)
        self.tell(container, "stop")
        return True

    async def restart(self, ref: str, grace: float | None = None) -> None:
        """Stop and start again."""
        await self.stop(ref, grace)
        await self.start(ref)
        self.tell(self.registry.find(ref), "restart")

    async def kill(self, ref: str, signal_name: str = "SIGKILL") -> None:
        """Send a signal to a container's program; one meant to end it also ends its restarts."""
        container, number = self.registry.find(ref), signal_number(signal_name)
        self._require_alive(container)
        if container.paused and number == signal.SIGKILL:
            await self.unpause(ref)
        try:
            await container.signal(number)
        except (NotFound, ProcessLookupError):
            raise Conflict(f"container {container.name} has just ended") from None
        self.tell(container, "kill", signal=str(number))

    async def pause(self, ref: str) -> None:
        """Freeze every process of a container."""
        container = self.registry.find(ref)
        async with container.lock:
            self._require_alive(container)
            if container.paused:
                raise Conflict(f"container {container.name} is paused already")
            await asyncio.to_thread(container.cgroup.freeze)
            container.paused = True
        self.tell(container, "pause")

    async def unpause(self, ref: str) -> None:
        """Let a paused container go on."""
        container = self.registry.find(ref)
        async with container.lock:
            if not container.paused:
                raise Conflict(f"container {container.name} is not paused")
            self._thaw(container)
        self.tell(container, "unpause")

    async def wait(self, ref: str, condition: str = "not-running") -> ExitStatus:
        """Wait until a container is "not-running", has ended once more ("next-exit"), or is "removed"."""
        container = self.registry.find(ref)
        if condition == "removed":
            await container.removed()
        elif condition == "next-exit" or container.alive:
            await container.exited()
        state = container.told
        return ExitStatus(
            exit_code=(0 if state.status == "created" else UNKNOWN)
            if state.exit_code is None
            else state.exit_code,
            oom_killed=state.oom_killed,
            error=state.error,
        )

    async def _end(self, container: Container, number: int | None, grace: float | None) -> None:
        """End a living container's program and wait for that; its lock is held."""
        self._thaw(container)
        ended = asyncio.create_task(container.exited())
        await asyncio.sleep(0)  # let it register before the end can come
        with contextlib.suppress(NotFound):  # it has ended by itself, and is about to be told so
            await container.stop(number, grace)
        await ended

    def _thaw(self, container: Container) -> None:
        if container.paused:
            container.cgroup.thaw()
            container.paused = False

    async def _ended(self, container: Container, orphan: bool) -> None:
        """What is owed to a container that has ended; an `orphan` had no monitor to start it again."""
        if container.removing or container.told.status == "created":
            return
        if container.record.config.auto_remove:
            self._later(self._remove_ended(container))
        elif orphan and container.wants_restart:
            self._later(self._start_again(container))

    def _later(self, work: Coroutine[None, None, None]) -> None:
        """Do what needs the lock that the caller's caller may hold."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _remove_ended(self, container: Container) -> None:
        with contextlib.suppress(NotFound):  # the user was faster
            await self.remove(container.id)

    async def _start_again(self, container: Container) -> None:
        try:
            await self.start(container.id)
        except TiffinError as error:
            log.warning("starting %s again: %s", container.name, error)

    # ── looking and touching ────────────────────────────────────────────────────────────────────────────────

    def list(self) -> Summaries:
        """Every container, the newest first."""
        return sorted((c.summary() for c in self.registry), key=lambda c: c.created_at, reverse=True)

    def get(self, ref: str) -> Container:
        """One container, with its record, state and folders."""
        return self.registry.find(ref)

    async def top(self, ref: str) -> Processes:
        """The processes of a running container."""
        container = self.registry.find(ref)
        self._require_alive(container)
        return await asyncio.to_thread(processes, container.cgroup)

    async def diff(self, ref: str) -> Changes:
        """What a container changed in its root file system."""
        container = self.registry.find(ref)
        upper, *lower = await layers_of(self.rooms, container)
        return await rootfs.diff(upper, lower, stubs_of(container))

    async def archive_get(self, ref: str, path: str) -> rootfs.Stream:
        """A tar stream of what is at `path` in a container."""
        container = self.registry.find(ref)
        return await rootfs.archive_out(await root_of(self.rooms, container), path)

    async def archive_put(self, ref: str, path: str, chunks: AsyncIterator[bytes]) -> None:
        """Unpack a tar stream into the folder `path` of a container."""
        container = self.registry.find(ref)
        # Of one that does not run the private layer is mounted for this, and must not be mounted twice.
        async with contextlib.nullcontext() if container.alive else container.lock:
            await rootfs.archive_in(await root_of(self.rooms, container), path, chunks)

    async def archive_stat(self, ref: str, path: str) -> JSON:
        """Name, size, mode and times of what is at `path`, in Docker's words."""
        container = self.registry.find(ref)
        return await rootfs.stat(await root_of(self.rooms, container), path)

    async def attach(self, ref: str, *, input: bool = True) -> Attachment | LateAttachment:
        """A container's output from now on (from its start on, where that is to come), and its input."""
        container = self.registry.find(ref)
        if container.monitor is not None:
            return await container.monitor.attach(input=input)
        if container.alive:
            raise Conflict(
                f"container {container.name} has lost its monitor, which held its streams",
                f"`tiffin restart {container.name}` gives it another",
            )
        late = LateAttachment()
        container.attaching.append(late.made)
        return late

    async def resize(self, ref: str, rows: int, cols: int) -> None:
        """Tell a container's terminal its size."""
        container = self.registry.find(ref)
        self._require_alive(container)
        if container.monitor is not None:
            await container.monitor.command("resize", rows=rows, cols=cols)

    # ── limits ──────────────────────────────────────────────────────────────────────────────────────────────

    def limits(self, ref: str) -> Readings:
        """Every limit of a container as the kernel holds it."""
        return limits.readings(self.registry.find(ref))

    async def update(
        self, ref: str, change: LimitsChange, restart: RestartPolicy | None = None
    ) -> LimitsApplied:
        """Change limits, live where the container runs, and the restart policy; read back and undoable."""
        container = self.registry.find(ref)
        async with container.lock:
            applied = limits.update(container, change)
            if restart is not None:
                config = msgspec.structs.replace(container.record.config, restart=restart)
                container.change(config=config)
                if container.monitor is not None:
                    await container.monitor.command(
                        "policy", name=restart.name, max_retries=restart.max_retries
                    )
        self.tell(container, "update", **describe(applied.before, applied.after))
        return applied

    async def undo(self, ref: str) -> LimitsApplied:
        """Put back a container's limits from before their latest change."""
        container = self.registry.find(ref)
        async with container.lock:
            applied = limits.undo(container)
        self.tell(container, "update", undo="1", **describe(applied.before, applied.after))
        return applied

    async def prove(
        self, victim: str, suspect: str, resource: Resource, rounds: int, confirm: str, caller: int
    ) -> Proof:
        """Freeze a suspect for moments and compare a victim's stall; see proving."""
        rooms = self.rooms
        return await prove(rooms, self.registry, victim, suspect, resource, rounds, confirm, caller)

    # ── further programs ────────────────────────────────────────────────────────────────────────────────────

    async def exec_create(self, ref: str, config: ExecConfig) -> str:
        """Prepare a further program in a running container; returns its id."""
        return self.execs.create(self.registry.find(ref), config).id

    async def exec_start(self, id: str) -> Attachment:
        """Run it; the attachment is its input and output."""
        return await self.execs.start(id)

    async def exec_wait(self, id: str) -> ExitStatus:
        """Wait until it has ended."""
        return await self.execs.wait(id)

    async def exec_resize(self, id: str, rows: int, cols: int) -> None:
        """Tell its terminal its size."""
        await self.execs.resize(id, rows, cols)

    # ── what containers use ─────────────────────────────────────────────────────────────────────────────────

    def volume_users(self) -> dict[str, set[str]]:
        """The ids of the containers that mount each volume."""
        users: dict[str, set[str]] = {}
        for container in self.registry:
            for mount in container.record.config.mounts:
                if mount.type == "volume":
                    users.setdefault(mount.source, set()).add(container.id)
        return users

    def image_users(self) -> dict[str, set[str]]:
        """The names of the containers made from each image, by its id."""
        users: dict[str, set[str]] = {}
        for container in self.registry:
            users.setdefault(container.record.image_id, set()).add(container.name)
        return users

    async def remove_image(self, ref: str, force: bool = False) -> None:
        """Remove an image that no container needs."""
        await self.rooms.images.remove(ref, self.image_users(), force)

    # ── within ──────────────────────────────────────────────────────────────────────────────────────────────

    def tell(self, container: Container, action: str, **attributes: str) -> None:
        """Tell what was done to a container as an event."""
        self._follower.tell(container, action, **attributes)
        self.rooms.watch.poke()

    def _undo_counts(self) -> dict[str, int]:
        return {c.id: len(c.record.undo) for c in self.registry if c.record.undo}

    def _require_alive(self, container: Container) -> None:
        if not container.alive:
            raise Conflict(
                f"container {container.name} is not running", f"`tiffin start {container.name}` first"
            )
