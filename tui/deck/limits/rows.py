"""The rows of the limits editor: what each limit is now, and what was typed beside it as a change."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from engine.errors import BadRequest
from engine.model import IoLimit, LimitReading, LimitsChange
from tui.presentation import entry
from tui.presentation.limits import label, value
from tui.presentation.quantities import NO_LIMIT, exact_size

DEVICE = re.compile(r"/dev/\S+|\d+:\d+", re.ASCII)
IO_KEYS = {"rbps": "read_bps", "wbps": "write_bps", "riops": "read_iops", "wiops": "write_iops"}
"""The words of an io reading, and the fields of IoLimit."""


class Kind(NamedTuple):
    """What is known of one limit before any is read."""

    what: str
    example: str
    read: Callable[[str], Any]
    zero: bool = False  # 0 takes it away, as in the command line


def _count(text: str) -> int:
    return entry.whole(text, 1)


KINDS = {
    "cpus": Kind("hard ceiling, in cores", "0.5", entry.cores, zero=True),
    "cpu_weight": Kind("share when the CPU is contended", "1 to 10000", entry.weight),
    "cpu_idle": Kind("runs only when nobody else wants to", "space turns it", entry.boolean),
    "cpuset": Kind("which cores", "0-1,3", entry.cpuset),
    "memory": Kind("above it: reclaim, then OOM kill", "64m", entry.size, zero=True),
    "memory_high": Kind("above it: slowed and reclaimed", "48m", entry.size),
    "swap": Kind("swap on top of memory; 0 forbids it", "0 or 64m", entry.size),
    "io_weight": Kind("share when disks are contended", "1 to 10000", entry.weight),
    "pids": Kind("processes and threads", "100", entry.pids, zero=True),
    "read_bps": Kind("bytes read a second", "10m", entry.size, zero=True),
    "write_bps": Kind("bytes written a second", "10m", entry.size, zero=True),
    "read_iops": Kind("reads a second", "100", _count, zero=True),
    "write_iops": Kind("writes a second", "100", _count, zero=True),
}
RATES = {"read_bps": "read B/s", "write_bps": "write B/s", "read_iops": "read ops", "write_iops": "write ops"}
WEIGHTS = ("cpu_weight", "io_weight")


class LimitRow(msgspec.Struct, frozen=True):
    """One limit in the editor."""

    name: str  # the field of Limits, or of IoLimit
    label: str
    now: str
    reading: LimitReading
    device: str = ""

    @property
    def key(self) -> str:
        """What it is found by."""
        return f"{self.device} {self.name}".strip()

    @property
    def kind(self) -> Kind:
        """What is known of it."""
        return KINDS[self.name]


def rows(readings: Iterable[LimitReading], devices: Iterable[str]) -> list[LimitRow]:
    """A row for each limit, and four for each throttled device and each of `devices`."""
    found: list[LimitRow] = []
    throttles: dict[str, LimitReading] = {}
    empty = LimitReading(name="io", value=None, file="", raw="")
    for reading in readings:
        if reading.name != "io":
            found.append(LimitRow(reading.name, label(reading.name), _now(reading), reading))
        elif reading.device:
            throttles[reading.device] = reading
        else:
            empty = reading
    for device in devices:
        throttles.setdefault(device, empty)
    for device, reading in throttles.items():
        limit = throttle(reading)
        for name, short in RATES.items():
            rate = getattr(limit, name)
            now = NO_LIMIT if rate is None else exact_size(rate) if name.endswith("bps") else str(rate)
            found.append(LimitRow(name, short, now, reading, device))
    return found


def _now(reading: LimitReading) -> str:
    if not reading.supported:
        return "–"
    if reading.value is None and reading.name in WEIGHTS:
        return "100"  # the kernel's default
    if reading.value is None and reading.name == "cpuset":
        return reading.raw or "all"
    return value(reading.name, reading.value)


def throttle(reading: LimitReading) -> IoLimit:
    """The limit in an io reading, "rbps=… wiops=…"."""
    words = str(reading.value or "").split()
    return IoLimit(
        **{IO_KEYS[key]: int(number) for key, _, number in (word.partition("=") for word in words)}
    )


def read(row: LimitRow, text: str) -> Any:
    """What was typed for one limit, None for no limit; raises BadRequest that names the row."""
    if entry.is_no_limit(text) or (row.kind.zero and text.strip() == "0"):
        return None
    try:
        return row.kind.read(text)
    except BadRequest as error:
        raise BadRequest(f"{row.label}: {text.strip()!r} is {error.message}", error.remedy) from None


def read_device(text: str) -> str:
    """A block device as it is named to the engine; raises BadRequest."""
    if not DEVICE.fullmatch(text.strip()):
        raise BadRequest(
            f"device: {text.strip()!r} is not a block device", "write /dev/vda or 8:0, see lsblk"
        )
    return text.strip()


def change(rows: Iterable[LimitRow], typed: Mapping[str, str]) -> LimitsChange:
    """What was typed, by row key, as a change of nothing else; raises BadRequest for the first bad word."""
    fields: dict[str, Any] = {}
    devices: dict[str, IoLimit] = {}
    for row in rows:
        text = typed.get(row.key, "")
        if not text.strip():
            continue
        given = read(row, text)
        if row.device:
            now = devices.get(row.device, throttle(row.reading))
            devices[row.device] = msgspec.structs.replace(now, **{row.name: given})
        else:
            fields[row.name] = given
    return LimitsChange(**fields, io=devices or UNSET)


def otherwise(asked: LimitsChange, readings: Iterable[LimitReading]) -> list[str]:
    """Where the kernel took another value than it was asked for: "memory 1000001B → 999424B"."""
    told = []
    for reading in readings:
        wanted = UNSET if reading.name == "io" else getattr(asked, reading.name)
        if wanted is UNSET or wanted == reading.value or (wanted is None and reading.name in WEIGHTS):
            continue
        told.append(
            f"{label(reading.name)} {value(reading.name, wanted)} became {value(reading.name, reading.value)}"
        )
    return told
