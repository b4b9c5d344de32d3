"""The parts of the engine that containers are made with, opened and closed together."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass

from engine.cgroups import Group, Hierarchy, detect
from engine.errors import NotPermitted
from engine.events import Events
from engine.foreign import Foreign
from engine.images import Images
from engine.instance import Instance
from engine.launch import Launcher
from engine.network import Networks
from engine.volumes import Volumes
from engine.watch import Watch


@dataclass(frozen=True)
class Rooms:
    """One of each, all of the same instance."""

    instance: Instance
    hierarchy: Hierarchy
    group: Group
    images: Images
    volumes: Volumes
    networks: Networks
    launcher: Launcher
    events: Events
    watch: Watch
    foreign: Foreign

    @classmethod
    async def open(cls, instance: Instance) -> Rooms:
        """Make folders and cgroups, and open every room; this process joins the engine's cgroup."""
        for folder in (instance.state / "containers", instance.run / "c", instance.run / "x"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        hierarchy = detect()
        group = Group(hierarchy, instance.cgroup)
        if os.geteuid() == 0:
            group.prepare()
            group.join()
        networks = Networks(instance)
        events = Events(instance.state / "events.ndjson")
        watch = Watch(group, networks.counters)
        rooms = cls(
            instance=instance,
            hierarchy=hierarchy,
            group=group,
            images=Images(instance),
            volumes=Volumes(instance),
            networks=networks,
            launcher=Launcher(instance.log),
            events=events,
            watch=watch,
            foreign=Foreign(instance.state, watch.groups, events),
        )
        await rooms.images.open()
        await rooms.volumes.open()
        await networks.start()
        if os.geteuid() == 0:
            await rooms.launcher.start()
        return rooms

    def require_root(self, doing: str) -> None:
        """Raise NotPermitted where this engine cannot make containers; it still watches what it may read."""
        if os.geteuid() != 0:
            raise NotPermitted(
                f"{doing} takes namespaces, mounts and cgroups, but this engine runs as user {os.geteuid()}",
                "run tiffin as root, for instance with sudo",
            )

    async def close(self, running: set[str]) -> None:
        """Close every room; the `running` containers, their networks and their cgroups stay."""
        await self.watch.close()
        await self.launcher.close()
        await self.networks.close(running)
        await self.images.close()
        self.events.close()
        await asyncio.to_thread(self.group.remove)
