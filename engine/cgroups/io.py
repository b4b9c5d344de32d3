"""io: throttles of block devices and a weight.

v1 blkio.throttle.* and blkio.bfq.weight; v2 io.max and io.weight or io.bfq.weight.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from msgspec import UNSET

from engine.cgroups import files
from engine.cgroups.controller import put, unsupported, within
from engine.cgroups.hierarchy import Place
from engine.errors import BadRequest
from engine.model import IoLimit, LimitReading, Limits, LimitsChange

DEFAULT_WEIGHT = 100
MOST_WEIGHT = 10_000
KEYS = {"rbps": "read_bps", "wbps": "write_bps", "riops": "read_iops", "wiops": "write_iops"}
V1_FILES = {
    "rbps": "blkio.throttle.read_bps_device",
    "wbps": "blkio.throttle.write_bps_device",
    "riops": "blkio.throttle.read_iops_device",
    "wiops": "blkio.throttle.write_iops_device",
}
V1_THROTTLES = "blkio.throttle.*"  # all of these as one reading's file
WEIGHT_FILES = {1: ("blkio.bfq.weight",), 2: ("io.weight", "io.bfq.weight")}


def bfq_of_weight(weight: int) -> int:
    """BFQ's 1 to 1000 for a weight of 1 to 10000, 100 being 100.

    Source: BFQ_WEIGHT() in systemd's src/core/cgroup.c.
    """
    return weight if weight <= 100 else 100 + (weight - 100) * 900 // 9900


def weight_of_bfq(bfq: int) -> int:
    """The inverse of `bfq_of_weight`."""
    return bfq if bfq <= 100 else 100 + (bfq - 100) * 11


class Io:
    """The io (v1: blkio) controller of one cgroup."""

    names = ("io_weight", "io")

    def __init__(self, place: Place) -> None:
        self.folder = place.folder
        self.version = place.version
        names = WEIGHT_FILES[place.version]
        self._weight_file = next((name for name in names if os.path.exists(f"{self.folder}/{name}")), "")
        self._is_bfq = "bfq" in self._weight_file

    def readings(self) -> list[LimitReading]:
        """io_weight, then io for each throttled device, or one empty io without any."""
        return [self._weight(), *self._throttles()]

    def check(self, change: LimitsChange, now: Limits) -> None:
        """Devices that exist, rates from 1 on."""
        within("io_weight", change.io_weight, 1, MOST_WEIGHT, "; the kernel's default is 100")
        for device, limit in (change.io or {}).items():
            resolve(device)
            for field in IoLimit.__struct_fields__:
                within(f"io of {device}: {field}", getattr(limit, field), 1)

    def apply(self, change: LimitsChange, now: Limits) -> None:
        """Write weight and throttles; a partition's throttle goes to its whole disk."""
        if change.io_weight is not UNSET and self._weight_file:
            weight = DEFAULT_WEIGHT if change.io_weight is None else change.io_weight
            path = f"{self.folder}/{self._weight_file}"
            put("io_weight", path, str(bfq_of_weight(weight) if self._is_bfq else weight))
        for device, limit in (change.io or {}).items():
            self._throttle(resolve(device), limit)

    def _throttle(self, device: str, limit: IoLimit) -> None:
        values = {key: getattr(limit, field) for key, field in KEYS.items()}
        number = number_of(device)
        if self.version == 2:
            text = " ".join(f"{key}={value or 'max'}" for key, value in values.items())
            return put(f"io of {device}", f"{self.folder}/io.max", f"{number} {text}")
        for key, value in values.items():
            put(f"io of {device}", f"{self.folder}/{V1_FILES[key]}", f"{number} {value or 0}")
        return None

    def _weight(self) -> LimitReading:
        file = self._weight_file
        if not file:
            why_not = "the kernel has neither BFQ's nor iocost's weights"
            return unsupported("io_weight", why_not, WEIGHT_FILES[self.version][0])
        raw = files.read_or(f"{self.folder}/{file}")
        number = int(raw.split("\n")[0].removeprefix("default") or DEFAULT_WEIGHT)
        weight = weight_of_bfq(number) if self._is_bfq else number
        value = None if weight == DEFAULT_WEIGHT else weight
        vain = value is not None and self._is_bfq and not bfq_disks()
        why_not = "no effect: no disk of this host uses the bfq scheduler" if vain else ""
        return LimitReading(name="io_weight", value=value, file=file, raw=raw, why_not=why_not)

    def _throttles(self) -> list[LimitReading]:
        by_device = dict[str, dict[str, str]]()
        if self.version == 2:
            file, names = "io.max", {"": "io.max"}
        else:
            file, names = V1_THROTTLES, V1_FILES
        try:
            for key, name in names.items():
                for line in files.read(f"{self.folder}/{name}").splitlines():
                    device, *settings = line.split()
                    pairs = (s.split("=") for s in settings) if not key else [(key, settings[0])]
                    by_device.setdefault(device, {}).update((k, v) for k, v in pairs if v != "max")
        except OSError:
            return [unsupported("io", f"the kernel has no {name} (CONFIG_BLK_DEV_THROTTLING)", name)]
        readings = list[LimitReading]()
        for number, found in by_device.items():
            text = " ".join(f"{key}={found[key]}" for key in KEYS if key in found)
            if text:
                raw, device = f"{number} {text}", name_of(number)
                readings.append(LimitReading(name="io", value=text, file=file, raw=raw, device=device))
        return readings or [LimitReading(name="io", value=None, file=file, raw="")]


def limit_of(text: str) -> IoLimit:
    """The IoLimit in a reading's value, "rbps=… wiops=…"."""
    return IoLimit(**{KEYS[key]: int(value) for key, _, value in (s.partition("=") for s in text.split())})


def file_of(reading: LimitReading) -> str:
    """The file that holds a reading; on v1 an io reading may be of several, and this is the first of them."""
    if reading.file != V1_THROTTLES or not isinstance(reading.value, str):
        return reading.file
    return V1_FILES[reading.value.partition("=")[0]]


def number_of(device: str) -> str:
    """The "major:minor" of a device given so or by its path; BadRequest unless it is a block device."""
    if not device.startswith("/"):
        if Path(f"/sys/dev/block/{device}").exists() and device.replace(":", "").isdecimal():
            return device
        remedy = "name it /dev/… or MAJOR:MINOR, see lsblk"
        raise BadRequest(f"io: there is no block device {device!r}", remedy)
    try:
        info = Path(device).stat()
    except OSError as error:
        raise BadRequest(f"io: {device}: {error.strerror}", "name a disk of this host, see lsblk") from None
    if not stat.S_ISBLK(info.st_mode):
        raise BadRequest(f"io: {device} is not a block device", "name a disk of this host, see lsblk")
    return f"{os.major(info.st_rdev)}:{os.minor(info.st_rdev)}"


def name_of(number: str) -> str:
    """The /dev path of "major:minor", or the number where the device has gone."""
    for line in files.read_or(f"/sys/dev/block/{number}/uevent").splitlines():
        if line.startswith("DEVNAME="):
            return f"/dev/{line.removeprefix('DEVNAME=')}"
    return number


def resolve(device: str) -> str:
    """The /dev path of the whole disk that `device` is, or is a partition of; raises BadRequest.

    The kernel throttles whole disks only (EINVAL or ENODEV on a partition).
    """
    number = number_of(device)
    folder = Path(f"/sys/dev/block/{number}")
    if (folder / "partition").exists():
        number = files.read(str(folder.resolve().parent / "dev"))
    return name_of(number)


def bfq_disks() -> list[str]:
    """Names of the disks whose scheduler is BFQ, the only ones that heed blkio.bfq.weight."""
    schedulers = Path("/sys/block").glob("*/queue/scheduler")
    return [str(p.parents[1].name) for p in schedulers if "[bfq]" in files.read_or(str(p))]
