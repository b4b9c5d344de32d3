"""Named volumes: folders of the instance that containers mount, and that outlive them.

Each is `state/volumes/NAME` with `_data`, what containers see, and `volume.json`, what is known about it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from collections.abc import Collection, Iterable, Mapping

import msgspec

from engine.errors import BadRequest, Conflict, KernelError, NotFound
from engine.instance import Instance
from engine.kernel import files
from engine.kernel.paths import remove_tree
from engine.model import ContainerConfig, ImageConfig, Mount, VolumeSummary

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")
ANONYMOUS = "tiffin.anonymous"  # label of a volume that got no name from anybody

Users = Mapping[str, Collection[str]]  # container ids by volume name
Summaries = list[VolumeSummary]  # within the class, `list` is its method
Names = list[str]


class _Record(msgspec.Struct, frozen=True):
    created_at: float
    labels: dict[str, str] = {}


class Volumes:
    """The volumes of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._folder = instance.state / "volumes"

    async def open(self) -> None:
        """Make the folder, and finish removals that a killed engine began; raises KernelError."""
        await asyncio.to_thread(self._open)

    def _open(self) -> None:
        self._folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        for name in os.listdir(self._folder):
            if name.startswith("."):
                self._delete(name)

    def create(self, name: str, labels: Mapping[str, str] | None = None) -> VolumeSummary:
        """The volume of this name, made where it is missing; an existing one keeps its labels. BadRequest."""
        _check(name)
        if not self._exists(name):
            # Made whole under another name, so that a volume that is there has all its parts.
            temporary = self._folder / f".new-{os.urandom(6).hex()}"
            record = _Record(time.time(), dict(labels or {}))
            try:
                (temporary / "_data").mkdir(mode=0o755, parents=True)
                temporary.chmod(0o711)
                (temporary / "_data").chmod(0o755)  # whatever the engine's umask is
                files.replace(temporary / "volume.json", msgspec.json.encode(record), sync=True)
                temporary.rename(self._folder / name)
            except OSError as e:
                self._delete(temporary.name)
                raise KernelError.of(f"making the volume {name!r}", e) from e
        return self.get(name)

    def get(self, name: str, users: Users | None = None) -> VolumeSummary:
        """One volume; NotFound, BadRequest."""
        _check(name)
        if not self._exists(name):
            raise NotFound(f"there is no volume {name!r}", "see what there is with: tiffin volume ls")
        return self._summary(name, users or {})

    def list(self, users: Users | None = None) -> Summaries:
        """All volumes by name."""
        with contextlib.suppress(FileNotFoundError):
            names = sorted(filter(NAME.fullmatch, os.listdir(self._folder)))
            return [self._summary(name, users or {}) for name in names if self._exists(name)]
        return []

    async def remove(self, name: str, users: Users | None = None) -> None:
        """Delete a volume with all that is in it; Conflict while containers have it, running or not."""
        volume = self.get(name, users)
        if volume.used_by:
            ids = ", ".join(id[:12] for id in volume.used_by)
            raise Conflict(
                f"removing the volume {name!r}: used by "
                f"{'container' if len(volume.used_by) == 1 else 'containers'} {ids}",
                "remove those first",
            )
        doomed = self._folder / f".old-{os.urandom(6).hex()}"
        try:
            (self._folder / name).rename(doomed)  # at once, so that a kill leaves all of it or nothing
        except OSError as e:
            raise KernelError.of(f"removing the volume {name!r}", e) from e
        await asyncio.to_thread(self._delete, doomed.name)

    # ── what containers.py needs ────────────────────────────────────────────────────────────────────────────

    def name_anonymous(self, config: ContainerConfig, image: ImageConfig) -> tuple[ContainerConfig, Names]:
        """Name the volumes that have no name, those the image wants among them; returns the new names."""
        taken = {os.path.normpath(mount.target) for mount in config.mounts}
        missing = (path for path in image.volumes if os.path.normpath(path) not in taken)
        wanted = [Mount(type="volume", target=path) for path in missing]
        names: Names = []
        mounts = []
        for mount in [*config.mounts, *wanted]:
            if mount.type == "volume" and not mount.source:
                names.append(os.urandom(32).hex())
                mount = msgspec.structs.replace(mount, source=names[-1])
            elif mount.type == "volume":
                _check(mount.source)
            mounts.append(mount)
        return msgspec.structs.replace(config, mounts=mounts), names

    def paths(self, config: ContainerConfig, anonymous: Collection[str] = ()) -> dict[str, str]:
        """Host folders of the volumes a container mounts, by name; made where they are missing."""
        names = {mount.source for mount in config.mounts if mount.type == "volume"}
        return {
            name: self.create(name, {ANONYMOUS: ""} if name in anonymous else None).path
            for name in sorted(names)
        }

    async def remove_anonymous(self, names: Iterable[str], users: Users | None = None) -> None:
        """Delete the volumes that were made for one container, unless another one has them now."""
        for name in names:
            with contextlib.suppress(NotFound, Conflict):
                await self.remove(name, users)

    def _exists(self, name: str) -> bool:
        return (self._folder / name / "_data").is_dir()

    def _summary(self, name: str, users: Users) -> VolumeSummary:
        folder = self._folder / name
        try:
            record = msgspec.json.decode((folder / "volume.json").read_bytes(), type=_Record)
        except (OSError, msgspec.DecodeError):  # somebody tidied up; the data is what counts
            record = _Record((folder / "_data").stat().st_mtime)
        return VolumeSummary(
            name=name,
            path=str(folder / "_data"),
            created_at=record.created_at,
            labels=record.labels,
            used_by=sorted(users.get(name, ())),
        )

    def _delete(self, name: str) -> None:
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            remove_tree(folder, name)
        except FileNotFoundError:
            pass
        except OSError as e:
            raise KernelError.of(f"deleting {self._folder / name}", e, "the next start tries again") from e
        finally:
            os.close(folder)


def users(configs: Mapping[str, ContainerConfig]) -> dict[str, list[str]]:
    """Container ids by the names of the volumes they mount, from their configs by id."""
    found: dict[str, list[str]] = {}
    for id, config in configs.items():
        for name in {mount.source for mount in config.mounts if mount.type == "volume" and mount.source}:
            found.setdefault(name, []).append(id)
    return found


def _check(name: str) -> None:
    if not NAME.fullmatch(name):
        raise BadRequest(
            f"{name!r} is no name for a volume",
            "use at most 128 letters, digits and . _ -, beginning with a letter or digit",
        )
