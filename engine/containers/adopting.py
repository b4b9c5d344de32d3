"""What the last engine left: taken over where it lives, recorded where it ended, else swept."""

from __future__ import annotations

import contextlib
import logging

from engine.cgroups import Cgroup
from engine.containers.container import Container, recorded, told
from engine.containers.following import Follower
from engine.containers.layers import HALF_REMOVED, HELD, recover
from engine.containers.record import Record
from engine.containers.rooms import Rooms
from engine.errors import TiffinError
from engine.kernel.paths import delete
from engine.launch import Monitor

log = logging.getLogger(__name__)

HALF_MADE = ".new-"


def load(rooms: Rooms) -> list[Container]:
    """Every container on disk; half-made and half-removed ones are removed."""
    containers = []
    for folder in sorted((rooms.instance.state / "containers").iterdir()):
        if folder.name.startswith((HALF_MADE, HALF_REMOVED)):
            try:
                delete(folder)
            except OSError as error:
                log.warning("removing %s: %s", folder, error)
            continue
        try:
            recover(folder)
        except OSError as error:
            log.warning("putting the private layer in %s in order: %s", folder, error)
        try:
            record = Record.load(folder)
        except TiffinError as error:
            log.warning("%s", error)
            continue
        path, privileged = rooms.group.path(record.id), record.config.privileged
        cgroup = Cgroup(rooms.hierarchy, path, all_devices=privileged)
        containers.append(Container(record, folder, cgroup))
    return containers


async def adopt(rooms: Rooms, follower: Follower, container: Container) -> None:
    """Go on with a container as it really is."""
    container.lease = rooms.networks.lease(container.id)
    try:
        monitor = await Monitor.adopt(rooms.instance.run / "c" / container.id)
    except TiffinError:
        # No monitor: it ended while no engine was there, was killed, or the machine was started anew.
        container.told = told(recorded(container.folder))
        if container.told.status in ("created", "exited", "dead"):
            await follower.finish(container)
        else:
            follower.sample(container)
            await follower.follow_orphan(container)
        return
    if monitor.record.status == "created" and not monitor.record.restart_count:
        await monitor.command("abort")  # the last engine died between making it and letting it go
        await monitor.wait()
        await follower.finish(container)
        return
    container.told = told(monitor.record)
    mark = container.folder / HELD
    if mark.exists():  # the last engine died while it read the container's layer
        container.cgroup.thaw()
        mark.unlink()
    container.paused = container.cgroup.frozen()
    follower.sample(container)
    follower.follow(container, monitor)


def sweep(rooms: Rooms, living: set[str]) -> None:
    """Remove the cgroups and sockets of containers that do not live."""
    for id in rooms.group.ids():
        if id not in living:
            with contextlib.suppress(TiffinError):
                Cgroup(rooms.hierarchy, rooms.group.path(id)).remove()
    for socket in (rooms.instance.run / "c").iterdir():
        if socket.name not in living:
            socket.unlink(missing_ok=True)
