"""The instance's own cgroup, which holds the engine's, the monitors' and each container's.

<name>/engine     engine and launcher
<name>/monitors   every monitor
<name>/<id>       one container
"""

from __future__ import annotations

import contextlib
import os
import time

from engine.cgroups import devices, files
from engine.cgroups.hierarchy import CONTROLLERS, Hierarchy, Place

ENGINE, MONITORS = "engine", "monitors"
ENDING = 1.0  # seconds
OWN = ("memory", "cpu")  # controllers tiffin's own processes join, so that no session's limit bears on them


class Group:
    """The cgroup of one instance, by the name `Instance.cgroup`."""

    def __init__(self, hierarchy: Hierarchy, name: str) -> None:
        self.hierarchy = hierarchy
        self.name = name

    @property
    def engine_folders(self) -> list[str]:
        """What engine and launcher join."""
        return self.hierarchy.folders(f"{self.name}/{ENGINE}", OWN, all_devices=True)

    @property
    def monitor_folders(self) -> list[str]:
        """What each monitor joins."""
        return self.hierarchy.folders(f"{self.name}/{MONITORS}", OWN, all_devices=True)

    def path(self, id: str) -> str:
        """The path of a container's cgroup, for `Cgroup`."""
        return f"{self.name}/{id}"

    def prepare(self) -> None:
        """Make it and the engine's and monitors' cgroups, where missing; raises TiffinError."""
        prepare(self.hierarchy, self.name)
        for folder in (*self.engine_folders, *self.monitor_folders):
            _make(folder)

    def join(self) -> None:
        """Move this process into the engine's cgroup."""
        for folder in self.engine_folders:
            _enter(folder)

    def ids(self) -> list[str]:
        """The containers that have a cgroup in any hierarchy, half-made and half-removed ones too."""
        found = set[str]()
        for folder in self.hierarchy.folders(self.name):
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                found.update(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        return sorted(found - {ENGINE, MONITORS})

    def remove(self) -> bool:
        """Remove it if nothing else is inside, this process leaving first; whether it is gone now.

        Blocks for at most a second, where the launcher's processes have not quite ended.
        """
        pid = str(os.getpid())
        deadline = time.monotonic() + ENDING
        for folder in self.engine_folders:
            if pid in files.read_or(f"{folder}/cgroup.procs").split():
                _enter(os.path.dirname(os.path.dirname(folder)))
            while files.read_or(f"{folder}/cgroup.procs") and time.monotonic() < deadline:
                time.sleep(0.005)  # v1 tells nobody when a cgroup becomes empty
        gone = True
        for folder in (*self.engine_folders, *self.monitor_folders, *self.hierarchy.folders(self.name)):
            try:
                os.rmdir(folder)
            except FileNotFoundError:
                continue
            except OSError:  # something is still inside, which is then not ours to end
                gone = False
        return gone


def prepare(hierarchy: Hierarchy, name: str) -> None:
    """Make the group in every hierarchy, ready for children; what is there already is left as it is."""
    filter = hierarchy.devices(name)
    for folder in hierarchy.folders(name):
        if _make(folder) and filter and filter.version == 1 and folder == filter.folder:
            _confine(folder)
    for controller in CONTROLLERS:
        place = hierarchy.place(controller, name)
        if place and place.version == 2:
            # The base first. A base that is no true root and holds processes answers EBUSY: then the
            # children lack the controller's files, and readings and doctor say so.
            for folder in (hierarchy.unified, place.folder):
                with contextlib.suppress(OSError):
                    files.write(f"{folder}/cgroup.subtree_control", f"+{controller}")
        elif place and controller == "cpuset":
            _open_cpuset(place)
        elif place and controller == "memory":
            _use_hierarchy(place)


def _open_cpuset(place: Place) -> None:
    """v1 lets no task into a cpuset without cores and memory nodes: copy them, now and for each child."""
    for file in ("cpuset.cpus", "cpuset.mems"):
        path = f"{place.folder}/{file}"
        if not files.read_or(path):
            _put(path, files.read_or(f"{os.path.dirname(place.folder)}/{file}"))
    _put(f"{place.folder}/cgroup.clone_children", "1")


def _use_hierarchy(place: Place) -> None:
    """Before 5.11 v1 charged a child's memory to its parent only on demand."""
    path = f"{place.folder}/memory.use_hierarchy"
    if files.read_or(path) == "0":
        _put(path, "1")


def _confine(folder: str) -> None:
    try:
        devices.confine_v1(folder)
    except OSError as error:
        os.rmdir(folder)
        raise files.refusal(f"keeping {folder} from the host's devices", folder, error) from None


def _make(folder: str) -> bool:
    """Whether it was not there before."""
    try:
        os.mkdir(folder, 0o755)
    except FileExistsError:
        return False
    except OSError as error:
        raise files.refusal(f"making the cgroup {folder}", folder, error) from None
    return True


def _enter(folder: str) -> None:
    _put(f"{folder}/cgroup.procs", str(os.getpid()))


def _put(path: str, value: str) -> None:
    try:
        files.write(path, value)
    except OSError as error:
        raise files.refusal(f"writing {value!r} to {path}", path, error) from None
