"""What is done with a container's private layer: thrown away, kept, put back, made an image of.

On disk, beside the layer `upper`: `snapshots/<name>/upper` and `snapshot.json`. While a layer is replaced,
the new one is `.new-upper` and the old `.old-upper`; `layers.recover` ends what a killed engine left of that.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import msgspec

from engine import rootfs
from engine.containers.container import Container
from engine.containers.containers import Containers
from engine.containers.layers import HALF_REMOVED, HELD, NEW, OLD, layers_of, stubs_of
from engine.errors import BadRequest, Conflict, Corrupt, KernelError, NotFound
from engine.images import oci
from engine.images.instructions import changed, merged_env
from engine.kernel import files
from engine.kernel.paths import delete
from engine.model import ContainerConfig, FileChange, ImageSummary, LayerSnapshot

TEXT_LIMIT = 256 << 10  # bytes of a file that are compared as text
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class PrivateLayers:
    """The verbs on private layers; `ref` is as in Containers."""

    def __init__(self, containers: Containers) -> None:
        self._containers = containers
        self._rooms = containers.rooms
        self._deleting: set[asyncio.Task[None]] = set()

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────────────

    async def change(self, ref: str, path: str) -> FileChange:
        """One path as the image has it and as the container does; NotFound where neither has it."""
        container = self._containers.get(ref)
        return await rootfs.compare(await layers_of(self._rooms, container), path, TEXT_LIMIT)

    async def export(self, ref: str) -> rootfs.Stream:
        """The whole root as a tar stream, without what is mounted in it."""
        return await rootfs.export(await layers_of(self._rooms, self._containers.get(ref)))

    # ── throwing away ───────────────────────────────────────────────────────────────────────────────────────

    async def reset(self, ref: str, *, restart: bool = False, grace: float | None = None) -> None:
        """Throw a container's changes away; volumes, logs and snapshots stay.

        One that runs is refused with Conflict; with `restart` it is stopped, reset and started again.
        """
        container = self._containers.get(ref)
        self._rooms.require_root(f"resetting {container.name}")

        async def empty() -> None:
            (container.folder / NEW).mkdir(mode=0o755)

        await self._replace(container, "resetting", empty, restart, grace)
        self._containers.tell(container, "reset")

    async def _replace(
        self,
        container: Container,
        doing: str,
        make: Callable[[], Awaitable[None]],
        restart: bool,
        grace: float | None,
    ) -> None:
        """Put what `make` leaves at NEW in the layer's place."""
        was_alive = container.alive
        if was_alive and restart:
            await self._containers.stop(container.id, grace)
        try:
            async with container.lock:
                if container.alive:
                    raise Conflict(
                        f"{doing} {container.name}: it is {container.state.status}, and its files are in use",
                        f"`tiffin stop {container.name}` first, or use --restart",
                    )
                try:
                    await asyncio.to_thread(delete, container.folder / NEW)
                    await make()
                    doomed = await asyncio.to_thread(self._swap, container)
                except OSError as e:
                    raise KernelError.of(f"{doing} {container.name}", e) from e
        finally:
            if was_alive and restart:
                await self._containers.start(container.id)
        self._delete_later(doomed)

    def _swap(self, container: Container) -> Path:
        """Replace the layer; returns where the old one is, swept at the next start if nothing else does."""
        folder = container.folder
        upper = folder / "upper"
        upper.rename(folder / OLD)
        (folder / NEW).rename(upper)
        doomed = folder.with_name(f"{HALF_REMOVED}{container.id}-{time.time_ns()}")
        (folder / OLD).rename(doomed)
        return doomed

    def _delete_later(self, doomed: Path) -> None:
        async def work() -> None:
            with contextlib.suppress(OSError):  # what cannot be deleted is tried again at the next start
                await asyncio.to_thread(delete, doomed)

        task = asyncio.create_task(work())
        self._deleting.add(task)
        task.add_done_callback(self._deleting.discard)

    # ── keeping and putting back ────────────────────────────────────────────────────────────────────────────

    def snapshots(self, ref: str) -> list[LayerSnapshot]:
        """What was kept of a container's private layer, the oldest first."""
        return _snapshots(self._containers.get(ref))

    async def snapshot(
        self, ref: str, name: str = "", *, note: str = "", pause: bool = True
    ) -> LayerSnapshot:
        """Keep a copy of the private layer as it is now; where the file system can, it shares the data.

        A running container is frozen meanwhile, unless not to `pause`. Raises BadRequest for a bad name,
        Conflict for one in use.
        """
        container = self._containers.get(ref)
        self._rooms.require_root(f"making a snapshot of {container.name}")
        began = time.monotonic()
        async with container.lock:
            known = {snapshot.name for snapshot in _snapshots(container)}
            if name in known:
                raise Conflict(
                    f"{container.name} has a snapshot {name} already",
                    f"choose another name, or `tiffin snapshot rm {container.name} {name}`",
                )
            if name and not _NAME.fullmatch(name):
                raise BadRequest(f"{name!r} cannot be a snapshot's name", "use letters, digits, _ . and -")
            while not name:
                count = len(known) + 1
                while str(count) in known:
                    count += 1
                name = str(count)
            folder = container.folder / "snapshots"
            half_made = folder / f".new-{name}"
            try:
                await asyncio.to_thread(_empty_folder, half_made / "upper")
                async with self._still(container, pause):
                    copied = await rootfs.copy(container.folder / "upper", half_made / "upper")
                snapshot = LayerSnapshot(
                    name=name,
                    created_at=time.time(),
                    note=note,
                    size=copied.size,
                    files=copied.files,
                    cloned=copied.cloned,
                    took=time.monotonic() - began,
                )
                files.replace(half_made / "snapshot.json", msgspec.json.encode(snapshot), sync=True)
                half_made.rename(folder / name)
            except OSError as e:
                raise KernelError.of(f"making a snapshot of {container.name}", e) from e
            finally:
                await asyncio.to_thread(delete, half_made)
        self._containers.tell(container, "snapshot", snapshot=name)
        return snapshot

    async def rollback(
        self, ref: str, name: str = "", *, restart: bool = False, grace: float | None = None
    ) -> LayerSnapshot:
        """Put the private layer back to a snapshot, the latest by default; the snapshot stays.

        What was changed since is gone. A running container is as in `reset`. Raises NotFound, Conflict.
        """
        container = self._containers.get(ref)
        self._rooms.require_root(f"rolling {container.name} back")
        snapshot = _find(container, name)

        async def copy() -> None:
            new = container.folder / NEW
            new.mkdir()
            await rootfs.copy(container.folder / "snapshots" / snapshot.name / "upper", new)

        await self._replace(container, "rolling back", copy, restart, grace)
        self._containers.tell(container, "rollback", snapshot=snapshot.name)
        return snapshot

    async def snapshot_remove(self, ref: str, name: str) -> None:
        """Forget a snapshot; NotFound."""
        container = self._containers.get(ref)
        async with container.lock:
            snapshot = _find(container, name or "?")
            doomed = container.folder.with_name(f"{HALF_REMOVED}{container.id}-{time.time_ns()}")
            (container.folder / "snapshots" / snapshot.name).rename(doomed)
        self._delete_later(doomed)

    # ── an image of it ──────────────────────────────────────────────────────────────────────────────────────

    async def commit(
        self,
        ref: str,
        name: str = "",
        *,
        message: str = "",
        author: str = "",
        changes: Sequence[str] = (),
        pause: bool = True,
        epoch: float | None = None,
    ) -> ImageSummary:
        """Make an image of a container: its image's layers, and its private layer as one more on top.

        `changes` are instructions such as `CMD ["web"]`. With `epoch` (SOURCE_DATE_EPOCH, Unix seconds) the
        same changes give the same image, to the digest. Raises Unsupported for a container from `host`,
        BadRequest.
        """
        container = self._containers.get(ref)
        self._rooms.require_root(f"committing {container.name}")
        images, config = self._rooms.images, container.record.config
        manifest, base = images.documents(container.record.image_id)
        execution = _execution(base.config or oci.Execution(), config)
        for instruction in changes:
            execution = changed(execution, instruction)
        created = oci.moment(time.time() if epoch is None else epoch)
        step = oci.Step(
            created=created,
            created_by=" ".join((config.entrypoint or []) + config.command) or "tiffin commit",
            comment=message or None,
            author=author or None,
        )
        async with images.coming():
            async with container.lock, self._still(container, pause):
                upper, *lower = await layers_of(self._rooms, container)
                packed = await images.pack(upper, lower, stubs=stubs_of(container), latest=epoch)
            image = msgspec.structs.replace(
                base,
                created=created,
                author=author or None,
                config=execution,
                rootfs=oci.RootFs(diff_ids=[*base.rootfs.diff_ids, packed.diff_id]),
                history=[*(base.history or []), step],
            )
            made = await images.enter(image, [*manifest.layers, packed.layer], name)
        self._containers.tell(container, "commit", imageID=made.id, comment=message)
        return made

    @contextlib.asynccontextmanager
    async def _still(self, container: Container, pause: bool) -> AsyncIterator[None]:
        """Nothing in the container runs inside the block, if it is to `pause`; its lock is held."""
        if not pause or not container.alive or container.paused:
            yield
            return
        mark = container.folder / HELD
        mark.touch()
        try:
            await asyncio.to_thread(container.cgroup.freeze)
            yield
        finally:
            container.cgroup.thaw()
            mark.unlink()


def _empty_folder(folder: Path) -> None:
    delete(folder.parent)
    folder.mkdir(parents=True)


def _snapshots(container: Container) -> list[LayerSnapshot]:
    found = []
    for path in (container.folder / "snapshots").glob("[!.]*/snapshot.json"):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=LayerSnapshot))
        except (OSError, msgspec.MsgspecError) as error:
            raise Corrupt(
                f"reading {path}: {error}", f"remove {path.parent} to forget this snapshot"
            ) from error
    return sorted(found, key=lambda snapshot: snapshot.created_at)


def _find(container: Container, name: str) -> LayerSnapshot:
    known = _snapshots(container)
    for snapshot in reversed(known):
        if not name or snapshot.name == name:
            return snapshot
    if not known:
        raise NotFound(
            f"{container.name} has no snapshots", f"`tiffin snapshot create {container.name}` makes one"
        )
    raise NotFound(
        f"{container.name} has no snapshot {name!r}", f"it has {', '.join(one.name for one in known)}"
    )


def _execution(base: oci.Execution, config: ContainerConfig) -> oci.Execution:
    """What containers of the image are to inherit: what the committed one was run with, as Docker has it."""
    new: dict[str, object] = {}
    if config.entrypoint is not None:
        new |= {"entrypoint": config.entrypoint or None, "cmd": config.command or None}
    elif config.command:
        new["cmd"] = config.command
    if config.env:
        new["env"] = merged_env(base.env, config.env)
    if config.labels:
        new["labels"] = {**(base.labels or {}), **config.labels}
    for field, value in (
        ("working_dir", config.workdir),
        ("user", config.user),
        ("stop_signal", config.stop_signal),
    ):
        if value:
            new[field] = value
    return msgspec.structs.replace(base, **new)
