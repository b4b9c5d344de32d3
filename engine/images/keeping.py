"""What is kept: how images came to be, what they share, what may go."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

from engine.errors import Conflict, NotFound
from engine.images import names, oci
from engine.images.shelf import Shelf
from engine.images.store import Stored, name_of
from engine.model import HistoryStep, ImageRemoval, ImageUse, Pruned

Users = Mapping[str, Collection[str]]  # names of containers by image id


class Keeping:
    """Looks after all stored images of one instance."""

    def __init__(self, shelf: Shelf, find: Callable[[str], Stored]) -> None:
        self._shelf = shelf
        self._store = shelf.store
        self._layers = shelf.layers
        self._find = find

    def history(self, ref: str) -> list[HistoryStep]:
        """How an image was made, the latest step first; raises NotFound."""
        image = self._find(ref)
        others = [other for other in self._store.images() if other.id != image.id and not other.build_key]
        layers = list(zip(image.config.rootfs.diff_ids, image.manifest.layers, strict=True))
        steps = []
        for step in _steps(image.config):
            told = HistoryStep(
                created_at=oci.seconds(step.created),
                command=step.created_by or "",
                comment=step.comment or "",
                author=step.author or "",
            )
            if not step.empty_layer and layers:
                told = self._of_layer(told, *layers.pop(0), others)
            steps.append(told)
        # What a history leaves out is there all the same.
        steps += [self._of_layer(HistoryStep(created_at=0), *layer, others) for layer in layers]
        return steps[::-1]

    def _of_layer(
        self, step: HistoryStep, diff_id: str, blob: oci.Descriptor, others: Iterable[Stored]
    ) -> HistoryStep:
        return HistoryStep(
            created_at=step.created_at,
            command=step.command,
            comment=step.comment,
            author=step.author,
            layer=diff_id,
            size=self._layers.size(diff_id, blob.size),
            blob=blob.digest,
            blob_size=blob.size,
            shared_with=[
                (other.names or [other.id])[0] for other in others if diff_id in other.config.rootfs.diff_ids
            ],
        )

    async def tag(self, ref: str, name: str) -> str:
        """Give an image one more name, which whoever had it loses; the name as it is kept.

        Raises NotFound, BadRequest.
        """
        name = names.for_new(name)
        manifest = self._find(ref).manifests[0]
        await self._shelf.change(self._store.tag, manifest, name)
        return name

    async def remove(self, ref: str, in_use: Users, force: bool = False) -> ImageRemoval:
        """Take a name away, and delete the image with its last one; `in_use` has container names by image id.

        Layers that another image shares stay. Refused with Conflict while containers stand on the image; with
        `force` only its names go then, and the image stays until it is removed by its id. By id, an image
        with several names goes only with `force`. Raises NotFound, Conflict, BadRequest.
        """
        try:
            removal = await self._shelf.change(self._remove, ref, in_use, force)
        except NotFound:
            removal = await self._shelf.change(self._remove_unreadable, ref)
        await self._shelf.collect()
        return removal

    def _remove(self, ref: str, in_use: Users, force: bool) -> ImageRemoval:
        image = self._find(ref)
        by_name = names.known(ref) if names.known(ref) in image.names else ""
        if by_name and len(image.names) > 1:
            self._store.untag([by_name])
            return ImageRemoval(untagged=[by_name])
        if len(image.names) > 1 and not force:
            raise Conflict(
                f"removing image {ref}: it has the names {', '.join(image.names)}",
                "remove it by each name, or use --force",
            )
        if users := in_use.get(image.id, ()):
            if force and image.names:
                self._store.untag(image.names)
                return ImageRemoval(untagged=image.names)
            raise Conflict(
                f"removing image {ref}: used by {'container' if len(users) == 1 else 'containers'} "
                f"{', '.join(sorted(users))}",
                "remove those first",
            )
        garbage = self._store.drop(manifest.digest for manifest in image.manifests)
        self._shelf.give_up(garbage, image.config.rootfs.diff_ids)
        return ImageRemoval(untagged=image.names, deleted=[image.id])

    def _remove_unreadable(self, ref: str) -> ImageRemoval:
        """Take a damaged image out of the index, so that it can be fetched again."""
        for descriptor in self._store.index().manifests:
            name = name_of(descriptor)
            if ref == descriptor.digest or (name and name == names.known(ref)):
                self._shelf.give_up(self._store.drop([descriptor.digest]), [])
                return ImageRemoval(untagged=[name] if name else [], deleted=[descriptor.digest])
        raise NotFound(f"there is no image {ref!r}", "see what there is with: tiffin images")

    def uses(self, users: Users) -> list[ImageUse]:
        """What room each image takes, those first that would give back most."""
        images = self._store.images()
        owners = Counter(diff_id for image in images for diff_id in set(image.config.rootfs.diff_ids))
        found = []
        for image in images:
            sizes = self._sizes(image)
            shared = sum(size for diff_id, size in sizes.items() if owners[diff_id] > 1)
            total = sum(sizes.values())
            found.append(
                ImageUse(
                    id=image.id,
                    names=image.names,
                    size=total,
                    own=total - shared,
                    shared=shared,
                    containers=sorted(users.get(image.id, ())),
                )
            )
        return sorted(found, key=lambda use: (-use.own, use.names))

    def totals(self) -> tuple[int, int]:
        """Bytes of all unpacked layers, and of the content store."""
        layers = {
            diff_id: self._layers.size(diff_id, 0)
            for image in self._store.images()
            for diff_id in image.config.rootfs.diff_ids
        }
        with os.scandir(self._store.blobs) as entries:
            blobs = sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
        return sum(layers.values()), blobs

    def reclaimable(self, users: Users, *, all: bool) -> Pruned:
        """What `prune` would do now."""
        going = [image for image in self._store.images() if self._may_go(image, users, all)]
        return Pruned(
            images=[image.names[0] if image.names else image.id for image in going],
            reclaimed=self._reclaimed(going),
        )

    async def prune(self, users: Users, *, all: bool) -> Pruned:
        """Delete images without a name that no container stands on, or with `all` every one without containers."""

        def drop() -> Pruned:
            going = [image for image in self._store.images() if self._may_go(image, users, all)]
            told = Pruned(
                images=[image.names[0] if image.names else image.id for image in going],
                reclaimed=self._reclaimed(going),
            )
            garbage = self._store.drop(manifest.digest for image in going for manifest in image.manifests)
            diff_ids = {diff_id for image in going for diff_id in image.config.rootfs.diff_ids}
            self._shelf.give_up(garbage, diff_ids)
            return told

        told = await self._shelf.change(drop)
        await self._shelf.collect()
        return told

    def _may_go(self, image: Stored, users: Users, all: bool) -> bool:
        return not users.get(image.id) and (all or not image.names)

    def _reclaimed(self, going: Collection[Stored]) -> int:
        """Bytes of layers and blobs that only these images have."""
        gone = {image.id for image in going}
        layers: dict[str, int] = {}
        blobs: dict[str, int] = {}
        for image in going:
            layers |= self._sizes(image, unpacked=True)
            blobs |= _blobs(image)
        for image in self._store.images():
            if image.id not in gone:
                for diff_id in image.config.rootfs.diff_ids:
                    layers.pop(diff_id, None)
                for digest in _blobs(image):
                    blobs.pop(digest, None)
        return sum(layers.values()) + sum(blobs.values())

    def _sizes(self, image: Stored, unpacked: bool = False) -> dict[str, int]:
        """Bytes by diff id; with `unpacked` none where there is only a blob."""
        return {
            diff_id: self._layers.size(diff_id, 0 if unpacked else layer.size)
            for diff_id, layer in zip(image.config.rootfs.diff_ids, image.manifest.layers, strict=True)
        }


def _steps(config: oci.Image) -> list[oci.Step]:
    return config.history or []


def _blobs(image: Stored) -> dict[str, int]:
    parts = [*image.manifests, image.manifest.config, *image.manifest.layers]
    return {part.digest: part.size for part in parts}
