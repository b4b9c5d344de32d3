"""Unpacked layers: folders named by diff id, ready for overlayfs, each beside a note of its size."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from engine.decoding import decode
from engine.errors import KernelError
from engine.images.batch import Batch, BatchJob
from engine.images.hiding import PREFIX
from engine.images.mending import Mended, MendJob
from engine.images.unpacking import TEMPORARY, Note, Unpacked, UnpackJob, open_blob
from engine.images.workers import work
from engine.instance import Instance
from engine.kernel.paths import remove_tree
from engine.launch.plan import LaunchPlan
from engine.rootfs.overlay import OPAQUE

MEND = "mend-"  # begins the names of layers of folders; see mending.py
RESERVE = 0.05  # share of the free space that unpacking must leave


class Layers:
    """The folder of unpacked layers of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self.folder = instance.state / "layers"
        self._unpacking: dict[str, asyncio.Task[object]] = {}
        self._whole: set[str] = set()  # mends that have nothing to put right
        self._notes: dict[str, Note] = {}  # by diff id, as read from disk

    def path(self, diff_id: str) -> Path:
        """Where a layer is, or would be."""
        return self.folder / diff_id.removeprefix("sha256:")

    def stack(self, diff_ids: Sequence[str]) -> list[Path]:
        """The folders of layers, given lowest first, as overlayfs takes them: topmost first."""
        found: list[Path] = []
        for count in range(len(diff_ids), 0, -1):
            if (mend := self._mend(diff_ids[:count])) is not None and mend.is_dir():
                found.append(mend)
            found.append(self.path(diff_ids[count - 1]))
            if _hides_all(found[-1]):  # overlayfs passes over this mark on a layer's own root
                break
        return found

    async def mend(self, diff_ids: Sequence[str]) -> None:
        """Make what `stack` puts above layers that leave folders undescribed; nothing where it is there."""
        for count in range(2, len(diff_ids) + 1):
            mend, note = self._mend(diff_ids[:count]), self._note(diff_ids[count - 1])
            if mend is None or note is None or mend.is_dir() or mend.name in self._whole:
                continue
            temporary = new_name()
            layers = [str(path) for path in self.stack(diff_ids[:count])]
            try:
                job = MendJob(str(self.folder), layers, note.implied, temporary, mend.name)
                if not (await work(job, Mended)).folders:
                    self._whole.add(mend.name)
            except KernelError as e:
                if e.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # somebody else was faster
                    raise
            finally:
                await asyncio.to_thread(self.discard, temporary)

    def _mend(self, diff_ids: Sequence[str]) -> Path | None:
        """Where the folders that the last of these layers leaves undescribed are described, or would be."""
        note = self._note(diff_ids[-1])
        if len(diff_ids) < 2 or note is None or not note.implied:
            return None
        return self.folder / f"{MEND}{hashlib.sha256(' '.join(diff_ids).encode()).hexdigest()}"

    def size(self, diff_id: str, otherwise: int) -> int:
        """Bytes of a layer's files; `otherwise` where it was never unpacked."""
        note = self._note(diff_id)
        return otherwise if note is None else note.size

    def _note(self, diff_id: str) -> Note | None:
        if diff_id not in self._notes:
            try:
                self._notes[diff_id] = decode(self.path(diff_id).with_suffix(".json").read_bytes(), Note)
            except (OSError, msgspec.DecodeError):
                return None
        return self._notes[diff_id]

    def room(self) -> int:
        """Bytes that may be unpacked now; raises KernelError."""
        try:
            space = os.statvfs(self.folder)
        except OSError as e:
            raise KernelError.of(f"asking how much is free in {self.folder}", e) from e
        return int(space.f_bavail * space.f_frsize * (1 - RESERVE))

    async def ready(self, diff_id: str, blob: Path) -> Path:
        """The layer's folder, unpacked from its blob where it is missing; many callers share one worker."""
        path = self.path(diff_id)
        if not path.is_dir():
            if (task := self._unpacking.get(diff_id)) is None:
                task = asyncio.ensure_future(self._unpack(diff_id, blob))
                self._unpacking[diff_id] = task
                task.add_done_callback(lambda _: self._unpacking.pop(diff_id))
            await asyncio.shield(task)  # one caller's end is not the others'
        return path

    async def ready_all(self, layers: Mapping[str, Path]) -> None:
        """Unpack what is missing of several layers, given by diff id with their blobs; one worker does it all."""
        missing = {
            diff_id: blob
            for diff_id, blob in layers.items()
            if not self.path(diff_id).is_dir() and diff_id not in self._unpacking
        }
        if len(missing) > 1:
            task = asyncio.create_task(self._unpack_batch(missing))
            for diff_id in missing:
                self._unpacking[diff_id] = task
            task.add_done_callback(lambda _: [self._unpacking.pop(diff_id) for diff_id in missing])
            await asyncio.shield(task)
        for diff_id, blob in layers.items():
            await self.ready(diff_id, blob)

    async def _unpack_batch(self, missing: Mapping[str, Path]) -> None:
        room = self.room()
        jobs = [UnpackJob(str(self.folder), diff_id, new_name(), room) for diff_id in missing]
        parts = [(str(blob), job) for blob, job in zip(missing.values(), jobs, strict=True)]
        try:
            await work(BatchJob(parts), Batch)
        finally:
            for job in jobs:
                await asyncio.to_thread(self.discard, job.temporary)

    async def _unpack(self, diff_id: str, blob: Path) -> Unpacked:
        fd = open_blob(str(blob), diff_id)
        temporary = new_name()
        try:
            job = UnpackJob(str(self.folder), diff_id, temporary, self.room())
            return await work(job, Unpacked, source=fd)
        finally:
            os.close(fd)
            await asyncio.to_thread(self.discard, temporary)

    def used(self) -> set[str]:
        """Folders of all layers that containers of this instance were last started with."""
        used: set[str] = set()
        for path in (self._instance.state / "containers").glob("*/launch.json"):
            with contextlib.suppress(OSError, msgspec.DecodeError):  # being deleted; half-made
                used.update(decode(path.read_bytes(), LaunchPlan).overlay.lower)
        return used

    def sweep(self, wanted: Iterable[str] | None, used: Collection[str]) -> None:
        """Delete half-made layers, and those neither `wanted` (diff ids; None: all) nor `used` (folders)."""
        keep = None if wanted is None else {self.path(diff_id).name for diff_id in wanted}
        keep_used = {os.path.basename(folder) for folder in used}
        with os.scandir(self.folder) as entries:
            for entry in entries:
                name = entry.name.partition(".")[0]  # notes are named <diff id>.json, <diff id>.about.json
                unneeded = not name.startswith(PREFIX) and keep is not None and name not in keep | keep_used
                mend = name.startswith(MEND) and name not in keep_used  # quickly made again
                if entry.name.startswith(".") or unneeded or mend:
                    _remove(entry.path)

    def delete(self, diff_ids: Iterable[str]) -> None:
        """Delete layers, except those that containers stand on: the next start sweeps these."""
        used = self.used()
        for diff_id in diff_ids:
            path = self.path(diff_id)
            if str(path) not in used:
                self._notes.pop(diff_id, None)
                # Out of the way first: half a layer must not bear its name.
                doomed = path.with_name(f".doomed-{path.name}")
                with contextlib.suppress(FileNotFoundError):
                    path.rename(doomed)
                _remove(str(doomed))
                for note in (".json", ".about.json"):
                    path.with_suffix(note).unlink(missing_ok=True)

    def discard(self, temporary: str) -> None:
        """Delete what a worker that was ended left under this name."""
        for name in (temporary, f"{temporary}.json"):
            _remove(str(self.folder / name))

    async def close(self) -> None:
        """Stop unpacking."""
        tasks = list(self._unpacking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _hides_all(layer: Path) -> bool:
    try:
        return os.getxattr(layer, OPAQUE) == b"y"
    except OSError:
        return False


def new_name() -> str:
    """A temporary name for what is being made."""
    return TEMPORARY + os.urandom(6).hex()


def _remove(path: str) -> None:
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        remove_tree(folder, os.path.basename(path))
    except OSError:
        pass  # gone, or at the next start
    finally:
        os.close(folder)
