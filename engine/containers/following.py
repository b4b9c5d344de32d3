"""Keeping up with a monitor: its container's transitions become state, events and wake-ups."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Awaitable, Callable

import msgspec

from engine.containers.container import Container, recorded, told
from engine.containers.rooms import Rooms
from engine.kernel import files, pidfd
from engine.launch import Monitor, MonitorRecord
from engine.model import ContainerState
from engine.watch import Target

log = logging.getLogger(__name__)


class Follower:
    """Follows every living container's monitor, one task each."""

    def __init__(self, rooms: Rooms, ended: Callable[[Container, bool], Awaitable[None]]) -> None:
        self.rooms = rooms
        self._ended = ended  # called after a container's program has ended for good

    def follow(self, container: Container, monitor: Monitor) -> None:
        """Keep up with `monitor` from now on; its present record counts as news."""
        container.monitor = monitor
        self.observe(container, told(monitor.record))
        container.follower = asyncio.create_task(self._guard(container, self._follow(container, monitor)))

    async def follow_orphan(self, container: Container) -> None:
        """Keep up with a container whose monitor was killed; returns at once where its program lives on."""
        record = recorded(container.folder)
        process = _open(record)
        if process is None:
            await self._orphan_ended(container, record, None)
        else:
            container.follower = asyncio.create_task(
                self._guard(container, self._orphaned(container, record, process))
            )

    async def _follow(self, container: Container, monitor: Monitor) -> None:
        async for record in monitor.changes():
            self.observe(container, told(record))
        container.monitor = None
        if container.alive:
            await self.follow_orphan(container)
        else:
            await self.finish(container)

    async def _guard(self, container: Container, following: Awaitable[None]) -> None:
        try:
            await following
        except Exception:
            log.exception("following container %s", container.name)

    def observe(self, container: Container, now: ContainerState) -> None:
        """Take in what the monitor says, and tell what changed; a short life may come as one change."""
        before, container.told = container.told, now
        started = now.started_at > before.started_at
        ended = now.finished_at > max(before.finished_at, before.started_at)
        if ended and now.finished_at <= now.started_at:  # the end before a start by policy
            self._tell_end(container, now)
        if started:
            self.tell(container, "start")
            self.sample(container)
        if ended and now.finished_at > now.started_at:
            self._tell_end(container, now)
        self.rooms.watch.poke()

    def sample(self, container: Container) -> None:
        """Measure it from the next tick on."""
        interface = container.lease.veth if container.lease else ""
        self.rooms.watch.add(Target(id=container.id, cgroup=container.cgroup, interface=interface))

    def _tell_end(self, container: Container, now: ContainerState) -> None:
        if now.oom_killed:
            self.tell(container, "oom", limit=str(now.oom_limit or ""))
        self.tell(container, "die", exitCode="" if now.exit_code is None else str(now.exit_code))

    def tell(self, container: Container, action: str, **attributes: str) -> None:
        """Record what happened to a container as an event."""
        attributes = {"image": container.record.image, **attributes}
        self.rooms.events.emit("container", action, container.id, container.name, attributes)

    async def finish(self, container: Container, orphan: bool = False) -> None:
        """Give back what only a running container needs, then let the others know."""
        container.paused = False
        self.rooms.watch.remove(container.id)
        await self.rooms.networks.unpublish(container.id)
        await asyncio.to_thread(container.cgroup.remove)  # it waits where a process is slow to die
        container.tell_exited()
        self.rooms.watch.poke()
        await self._ended(container, orphan)

    async def _orphaned(self, container: Container, record: MonitorRecord, process: int) -> None:
        """Go on with a program that has lost its monitor, until it ends."""
        try:
            error = "its monitor was killed: its output since then is lost"
            self.observe(container, told(msgspec.structs.replace(record, status="running", error=error)))
            await _ended(process)
            code = pidfd.status_of_zombie(record.pid, record.pid_start)
            if code is None:  # its parent has reaped it already
                code = pidfd.exit_code(process)
        finally:
            os.close(process)
        await self._orphan_ended(container, record, code)

    async def _orphan_ended(self, container: Container, record: MonitorRecord, code: int | None) -> None:
        """Record what the monitor no longer can."""
        record = msgspec.structs.replace(
            record,
            status="dead" if code is None else "exited",
            pid=0,
            pid_start=0,
            finished_at=time.time(),
            exit_code=code,
            error="its monitor was killed, so its last output"
            + (" and how it ended are not known" if code is None else " is lost"),
        )
        files.replace(container.folder / "state.json", msgspec.json.encode(record), sync=True)
        self.observe(container, told(record))
        await self.finish(container, orphan=True)


def _open(record: MonitorRecord) -> int | None:
    """A pidfd of the recorded process, if it still lives."""
    if not record.pid or record.boot_id != pidfd.boot_id():
        return None
    try:
        process = pidfd.open_pid(record.pid)
    except OSError:
        return None
    with contextlib.suppress(ProcessLookupError):
        if pidfd.start_time(record.pid) == record.pid_start:
            return process
    os.close(process)
    return None


async def _ended(process: int) -> None:
    """Wait until the process of a pidfd has ended."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(process, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(process)
