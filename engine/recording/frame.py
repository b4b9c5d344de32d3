"""What a recording says of one tick, and how that is put into bytes."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from engine.decoding import decode
from engine.errors import Corrupt
from engine.model import SAMPLE_FIELDS, ContainerSummary, Event, HostSample, Sample, Snapshot
from engine.model.base import Noun
from engine.recording import numbers
from engine.recording.numbers import HOST_FIELDS, HOST_STEPS, SAMPLE_STEPS, Row

FORMAT = 1
LENGTH = struct.Struct("<I")
TABLED = ("seq", "at", "interval", "host", "containers", "samples", "undo")
"""Fields of a snapshot that have a place of their own here, or none; all others are kept as JSON."""


class Header(Noun, frozen=True, omit_defaults=False):
    """How to read the records that follow it."""

    format: int
    tiffin: str  # the version that wrote it
    hostname: str
    began: float
    interval: float  # seconds from frame to frame
    host_fields: tuple[str, ...] = HOST_FIELDS
    host_steps: tuple[float, ...] = HOST_STEPS
    fields: tuple[str, ...] = SAMPLE_FIELDS
    steps: tuple[float, ...] = SAMPLE_STEPS


class Changes(Noun, frozen=True):
    """What differs from the frame before; all there is in a key frame."""

    containers: list[ContainerSummary] = []  # new ones, and those that are not as they were
    gone: list[str] = []
    rows: list[str] | None = None  # whose samples the table holds, where that differs
    events: list[Event] = []  # since the frame before
    rest: dict[str, Any] = {}  # other fields of Snapshot that differ, by name, as JSON


class Frame(msgspec.Struct, frozen=True):
    """One tick."""

    at: float
    header: Header
    containers: Mapping[str, ContainerSummary]
    rows: Sequence[str]
    table: Sequence[int]  # the host's numbers, then each row's
    events: Sequence[Event] = ()
    rest: Mapping[str, Any] = {}

    def numbers(self, id: str) -> Sequence[int] | None:
        """What was measured of a container, in steps; None where it was not measured."""
        try:
            place = len(self.header.host_fields) + self.rows.index(id) * len(self.header.fields)
        except ValueError:
            return None
        return self.table[place : place + len(self.header.fields)]

    def sample(self, id: str) -> Sample | None:
        """What was measured of a container."""
        found = self.numbers(id)
        return None if found is None else sample_of(found, self.header)

    def host(self) -> HostSample:
        """The machine."""
        return host_of(self.table[: len(self.header.host_fields)], self.header)

    def snapshot(self, seq: int = 0) -> Snapshot:
        """It as the live view got it then."""
        wide, place = len(self.header.fields), len(self.header.host_fields)
        samples = {}
        columns = _columns(Sample, self.header)
        for id in self.rows:
            samples[id] = Sample(**_values(columns, self.table[place : place + wide]))
            place += wide
        told: dict[str, Any] = {"seq": seq, "at": self.at, "interval": self.header.interval}
        snapshot = Snapshot(
            **told, host=self.host(), containers=list(self.containers.values()), samples=samples
        )
        return _with(snapshot, self.rest)


def sample_of(steps: Sequence[int], header: Header) -> Sample:
    """A Sample of a row; fields that this version does not know are left out."""
    return Sample(**_values(_columns(Sample, header), steps))


def host_of(steps: Sequence[int], header: Header) -> HostSample:
    """A HostSample of the host's row."""
    values = _values(_columns(HostSample, header), steps)
    values["memory_total"] = values.get("memory_total") or 0
    return HostSample(**{**values, "cores": values.get("cores") or 1})


class Column(NamedTuple):
    """How one field is kept."""

    place: int
    field: str
    scale: float
    level: bool


@lru_cache(maxsize=64)
def _columns(struct_type: type[msgspec.Struct], header: Header) -> list[Column]:
    """The fields that this version knows."""
    names, scales = (
        (header.host_fields, header.host_steps)
        if struct_type is HostSample
        else (header.fields, header.steps)
    )
    return [
        Column(place, field, scale, numbers.is_level(struct_type, field))
        for place, (field, scale) in enumerate(zip(names, scales, strict=True))
        if field in struct_type.__struct_fields__
    ]


def _values(columns: Sequence[Column], steps: Sequence[int]) -> dict[str, Any]:
    return {
        column.field: numbers.value(steps[column.place], column.scale, column.level) for column in columns
    }


def _with(snapshot: Snapshot, rest: Mapping[str, Any]) -> Snapshot:
    """With the fields that were kept as JSON, where this version has them and reads them."""
    for name, kept in rest.items():
        field = next((f for f in msgspec.structs.fields(Snapshot) if f.name == name), None)
        if field is None or name in TABLED:
            continue
        try:
            snapshot = msgspec.structs.replace(snapshot, **{name: msgspec.convert(kept, field.type)})
        except msgspec.ValidationError:  # of another version
            continue
    return snapshot


def rest_of(snapshot: Snapshot) -> dict[str, Any]:
    """What a snapshot has beyond the fields that have a place of their own."""
    names = [name for name in Snapshot.__struct_fields__ if name not in TABLED]
    return {name: msgspec.to_builtins(getattr(snapshot, name)) for name in names}


def encoded(changes: Changes, rows: Sequence[Row]) -> bytes:
    """A frame's payload before compression: length and JSON of Changes, then the numbers."""
    told = msgspec.json.encode(changes)
    return LENGTH.pack(len(told)) + told + numbers.planes(rows)


def decoded(raw: bytes) -> tuple[Changes, tuple[int, ...]]:
    """The inverse of `encoded`; raises Corrupt."""
    try:
        (length,) = LENGTH.unpack_from(raw)
        changes = decode(raw[4 : 4 + length], Changes)
    except (struct.error, msgspec.MsgspecError) as error:
        raise Corrupt(f"a frame is not what was written: {error}") from error
    return changes, numbers.unplaned(raw[4 + length :])
