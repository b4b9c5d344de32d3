"""One cgroup in every hierarchy: made, limited, frozen, killed and removed as if it were one."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import time
from collections.abc import Callable

from msgspec import UNSET

from engine.cgroups import devices, files, io, limits
from engine.cgroups.controller import Controller, Missing
from engine.cgroups.cpu import Cpu
from engine.cgroups.cpuset import Cpuset
from engine.cgroups.group import prepare
from engine.cgroups.hierarchy import Hierarchy, Place, below
from engine.cgroups.io import Io
from engine.cgroups.memory import Memory
from engine.cgroups.pids import Pids
from engine.errors import Conflict, KernelError, NotFound, TiffinError, Unsupported
from engine.model import LimitReading, Limits, LimitsApplied, LimitsChange

KINDS: dict[str, tuple[Callable[[Place], Controller], tuple[str, ...]]] = {
    "cpu": (Cpu, Cpu.names),
    "cpuset": (Cpuset, Cpuset.names),
    "memory": (Memory, Memory.names),
    "io": (Io, Io.names),
    "pids": (Pids, Pids.names),
}
"""The controllers with limits, and the limits of each, in the order of the fields of Limits."""

FREEZE_WITHIN = 1.0  # seconds; a process in uninterruptible sleep freezes only when that ends
EMPTY_WITHIN = 2.0  # seconds for killed processes to be gone


class Cgroup:
    """The cgroup `path` ("tiffin/<id>") below the base of each hierarchy."""

    def __init__(self, hierarchy: Hierarchy, path: str, *, all_devices: bool = False) -> None:
        self.hierarchy = hierarchy
        self.path = path
        self.all_devices = all_devices  # else those inside can only open the devices of a container's /dev

    @property
    def folders(self) -> list[str]:
        """Its folder in each hierarchy, absolute; a process joins by writing "0" to cgroup.procs in each."""
        return self.hierarchy.folders(self.path, all_devices=self.all_devices)

    @property
    def exists(self) -> bool:
        """Whether it has been made."""
        return os.path.isdir(self.folders[0])

    @property
    def oom_files(self) -> list[str]:
        """The files with a line "oom_kill N", the count of processes killed by the OOM killer."""
        place = self.hierarchy.place("memory", self.path)
        return [Memory(place).oom_file] if place else []

    @property
    def memory_limit_file(self) -> str:
        """The file with the memory limit in bytes; "max" (v2) or a huge number (v1) is none."""
        place = self.hierarchy.place("memory", self.path)
        return Memory(place).limit_file if place else ""

    def create(self) -> None:
        """Make it in every hierarchy or, on error, in none; makes its parent group when that is missing."""
        if not self.all_devices and self.hierarchy.devices(self.path) is None:
            doing = f"making the cgroup {self.path}: nothing here keeps it from the host's devices"
            raise Unsupported(doing, "mount the devices controller, or start it with --privileged")
        try:
            self._mkdir()
        except FileNotFoundError:
            prepare(self.hierarchy, os.path.dirname(self.path))
            self.create()
        except FileExistsError as error:
            doing = f"making the cgroup {error.filename}: it exists already"
            raise Conflict(doing, "remove the container first") from None
        except OSError as error:
            raise files.refusal(f"making the cgroup {error.filename}", error.filename, error) from None

    def _mkdir(self) -> None:
        made = list[str]()
        try:
            for folder in self.folders:
                os.mkdir(folder, 0o755)
                made.append(folder)
            if self.hierarchy.unified and not self.all_devices:
                devices.confine(made[0])
        except (OSError, KernelError):
            for folder in made:
                os.rmdir(folder)
            raise

    def remove(self) -> None:
        """Remove it everywhere, nested cgroups first, after killing what is left inside; gone is no error.

        Blocks for at most two seconds where processes have to die; then raises KernelError (EBUSY).
        """
        left = [folder for folder in self.folders if not _remove_tree(folder)]
        if not left:
            return
        deadline = time.monotonic() + EMPTY_WITHIN
        while left:
            self.kill()
            self._until(lambda: not self.pids(), deadline)
            left = [folder for folder in left if not _remove_tree(folder)]
            if left and time.monotonic() > deadline:
                pids = ", ".join(map(str, self.pids())) or "none seen"
                remedy = f"end what is still inside: pids {pids}"
                raise KernelError(f"removing the cgroup {left[0]}", errno.EBUSY, remedy)

    def pids(self) -> list[int]:
        """The processes in it and below it, in this process's PID namespace."""
        found = set[int]()
        for folder in (self.folders[0], *below(self.folders[0])):
            with contextlib.suppress(OSError):  # gone meanwhile, or threaded
                found.update(map(int, files.read(f"{folder}/cgroup.procs").split()))
        return sorted(found - {0})

    def kill(self) -> None:
        """SIGKILL to every process in it and below it; cgroup.kill (5.14) does so at once and race-free."""
        with contextlib.suppress(OSError):
            files.write(f"{self.folders[0]}/cgroup.kill", "1")
            return
        for _ in range(100):
            self._ask_freezer(frozen=True)  # so that nothing forks between the reading and the killing
            pids = self.pids()
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._ask_freezer(frozen=False)  # v1: a frozen process takes no signal
            if not pids:
                return

    def freeze(self) -> None:
        """Stop every process in it and wait for that, at most a second; else thaws and raises KernelError."""
        self._freezer_or_raise()
        self._ask_freezer(frozen=True, strict=True)
        if not self._until(self.frozen, time.monotonic() + FREEZE_WITHIN):
            self.thaw()
            remedy = "a process is stuck in the kernel (state D); try again"
            raise KernelError(f"freezing the cgroup {self.path}", errno.ETIMEDOUT, remedy)

    def thaw(self) -> None:
        """Let its processes go on."""
        self._freezer_or_raise()
        self._ask_freezer(frozen=False, strict=True)

    def frozen(self) -> bool:
        """Whether every process in it stands still; False also when it does not exist."""
        place = self.hierarchy.freezer(self.path)
        if place is None:
            return False
        if place.version == 1:
            return files.read_or(f"{place.folder}/freezer.state") == "FROZEN"
        return "frozen 1" in files.read_or(f"{place.folder}/cgroup.events")

    def readings(self) -> list[LimitReading]:
        """Every limit as the kernel holds it now, in the order of Limits; unsupported ones say why not."""
        self._exists_or_raise()
        return [reading for controller in self._controllers() for reading in controller.readings()]

    def file_of(self, reading: LimitReading) -> str:
        """The absolute path of the kernel file that a reading was read from; "" where there is none."""
        for name, (_, names) in KINDS.items():
            if reading.name in names and (place := self.hierarchy.place(name, self.path)):
                return f"{place.folder}/{io.file_of(reading) if name == 'io' else reading.file}"
        return ""

    def limits(self) -> Limits:
        """The limits the kernel holds now."""
        return limits.limits_of(self.readings())

    def begin(self, wanted: Limits) -> None:
        """Set the limits of a cgroup just made, which has none yet; raises as `apply`, perhaps half-way.

        Reads and writes the controllers concerned and no others: a container's start waits for it.
        """
        change = limits.setting(wanted)
        controllers = self._controllers(change)
        change = limits.supported(change, [r for controller in controllers for r in controller.readings()])
        for controller in controllers:
            controller.check(change, Limits())
        for controller in controllers:
            controller.apply(change, Limits())

    def apply(self, change: LimitsChange) -> LimitsApplied:
        """Check, write and read back; on an error everything is written back as it was, and it is raised."""
        readings = self.readings()
        before = limits.limits_of(readings)
        controllers = self._controllers()
        change = limits.supported(change, readings)
        for controller in controllers:
            controller.check(change, before)
        try:
            for controller in controllers:
                controller.apply(change, before)
        except TiffinError:
            now = self.limits()
            back = limits.restoring(before, now)
            for controller in controllers:
                with contextlib.suppress(TiffinError):
                    controller.apply(back, now)
            raise
        readings = self.readings()
        return LimitsApplied(before=before, after=limits.limits_of(readings), readings=readings)

    def _controllers(self, concerned: LimitsChange | None = None) -> list[Controller]:
        """All of them, or those whose limits are set in `concerned`."""
        found = list[Controller]()
        for name, (kind, names) in KINDS.items():
            if concerned and all(getattr(concerned, limit) is UNSET for limit in names):
                continue
            place = self.hierarchy.place(name, self.path)
            found.append(kind(place) if place else Missing(names, self.why_missing(name)))
        return found

    def why_missing(self, controller: str) -> str:
        """Why it has no place where this controller's limits are."""
        return f"this host has no {controller} controller"

    def _exists_or_raise(self) -> None:
        if not self.exists:
            raise NotFound(f"the cgroup {self.folders[0]} does not exist", "start the container first")

    def _freezer_or_raise(self) -> None:
        self._exists_or_raise()
        if self.hierarchy.freezer(self.path) is None:
            remedy = "use Linux 5.2 or later, or CONFIG_CGROUP_FREEZER"
            raise Unsupported(f"freezing the cgroup {self.path}: this kernel has no freezer", remedy)

    def _ask_freezer(self, *, frozen: bool, strict: bool = False) -> None:
        place = self.hierarchy.freezer(self.path)
        if place is None:
            return
        path, value = f"{place.folder}/cgroup.freeze", "1" if frozen else "0"
        if place.version == 1:
            path, value = f"{place.folder}/freezer.state", "FROZEN" if frozen else "THAWED"
        try:
            files.write(path, value)
        except OSError as error:
            if strict:
                raise files.refusal(f"writing {value} to {path}", path, error) from None

    def _until(self, true: Callable[[], bool], deadline: float) -> bool:
        """Wait until `true()`, woken by a change of cgroup.events; v1 has no event, so it is asked again."""
        events = None
        with contextlib.suppress(OSError):
            events = os.open(f"{self.folders[0]}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
        try:
            waker = select.poll()
            if events is not None:
                waker.register(events, select.POLLPRI)
            while not true():
                if time.monotonic() > deadline:
                    return False
                if events is not None:
                    os.pread(events, 256, 0)  # a read arms the next notification
                waker.poll(2)
            return True
        finally:
            if events is not None:
                os.close(events)


def _remove_tree(folder: str) -> bool:
    """Remove a cgroup and those below it; False where processes (or a dying cgroup) are in the way."""
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
            raise KernelError.of(f"removing the cgroup {folder}", error) from None
        nested = below(folder)
        return bool(nested) and all(_remove_tree(inner) for inner in nested) and _remove_tree(folder)
    return True
