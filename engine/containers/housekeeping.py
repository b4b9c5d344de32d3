"""What an instance's things take on disk, and throwing away what nobody needs."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from engine import rootfs
from engine.containers.containers import Containers
from engine.errors import Conflict, NotFound
from engine.model import ContainerUse, DiskUse, Pruned, VolumeUse

ENDED = ("created", "exited", "dead")


class Housekeeping:
    """Looks over all of one instance."""

    def __init__(self, containers: Containers) -> None:
        self._containers = containers
        self._rooms = containers.rooms

    async def disk_use(self) -> DiskUse:
        """What takes how much room; a confined worker walks through the folders."""
        images, users = self._rooms.images.keeping, self._containers.image_users()
        containers = list(self._containers.registry)
        volumes = self._rooms.volumes.list(self._containers.volume_users())
        folders = [c.folder / part for c in containers for part in ("upper", "log", "snapshots")]
        sizes = [used.size for used in await rootfs.usage([*folders, *(Path(v.path) for v in volumes)])]
        parts = [sizes[i : i + 3] for i in range(0, len(folders), 3)]
        layers, blobs = images.totals()
        return DiskUse(
            images=images.uses(users),
            containers=[
                ContainerUse(id=c.id, name=c.name, running=c.alive, private=own, logs=logs, snapshots=kept)
                for c, (own, logs, kept) in zip(containers, parts, strict=True)
            ],
            volumes=[
                VolumeUse(name=v.name, size=size, containers=[self._name(id) for id in v.used_by])
                for v, size in zip(volumes, sizes[len(folders) :], strict=True)
            ],
            layers=layers,
            blobs=blobs,
            reclaimable=images.reclaimable(users, all=True).reclaimed,
        )

    async def prune(
        self,
        *,
        images: bool = True,
        all_images: bool = False,
        containers: bool = False,
        volumes: bool = False,
        dry: bool = False,
    ) -> Pruned:
        """Remove stopped containers, then volumes and images that no container has; with `dry` only tell.

        Images: those without a name, or with `all_images` all. Nothing that is in use is touched.
        """
        use = await self.disk_use() if containers or volumes else None
        gone, gone_volumes, freed = [], [], 0
        ended = [c for c in self._containers.registry if c.state.status in ENDED] if containers else []
        for container in ended:
            if not dry and not await self._removed(container.id):
                continue
            gone.append(container.name)
            freed += sum(
                one.private + one.logs + one.snapshots
                for one in (use.containers if use else [])
                if one.id == container.id
            )
        without = {container.id for container in ended} if dry else set()
        for volume in self._rooms.volumes.list(self._containers.volume_users()) if volumes else []:
            if set(volume.used_by) - without:
                continue
            if not dry:
                await self._rooms.volumes.remove(volume.name, self._containers.volume_users())
                self._rooms.events.emit("volume", "destroy", volume.name, volume.name, {"driver": "local"})
            gone_volumes.append(volume.name)
            freed += sum(one.size for one in (use.volumes if use else []) if one.name == volume.name)
        pruned = await self._prune_images(all_images, dry, without) if images or all_images else Pruned()
        return Pruned(
            images=pruned.images, containers=gone, volumes=gone_volumes, reclaimed=freed + pruned.reclaimed
        )

    async def _prune_images(self, all: bool, dry: bool, without: Collection[str]) -> Pruned:
        users: dict[str, set[str]] = {}
        for container in self._containers.registry:
            if container.id not in without:
                users.setdefault(container.record.image_id, set()).add(container.name)
        keeping = self._rooms.images.keeping
        if dry:
            return keeping.reclaimable(users, all=all)
        pruned = await keeping.prune(users, all=all)
        for name in pruned.images:
            self._rooms.events.emit("image", "delete", name, name)
        return pruned

    async def _removed(self, id: str) -> bool:
        try:
            await self._containers.remove(id)
        except (Conflict, NotFound):  # started, or removed, meanwhile
            return False
        return True

    def _name(self, id: str) -> str:
        return self._containers.registry.name_of(id)
