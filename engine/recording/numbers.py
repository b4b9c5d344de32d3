"""Samples as whole numbers of small steps, and rows of them as bytes that compress well."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from engine.errors import Corrupt
from engine.model import SAMPLE_FIELDS, HostSample, Sample

HOST_FIELDS = HostSample.__struct_fields__
STEPS: Mapping[str, float] = {
    **dict.fromkeys(("memory", "cache", "memory_limit", "memory_total", "self_memory"), 1 / 1024),
    **dict.fromkeys(("io_read", "io_write", "net_rx", "net_tx"), 1.0),
    **dict.fromkeys(("io_reads", "io_writes", "net_rx_packets", "net_tx_packets"), 100.0),
}
"""How many steps make one unit of a field: bytes are kept to the KiB, rates to the byte a second."""
FINE = 1e4  # steps of every other fraction: a share to the hundredth of a percent
LARGEST = 2**62

Row = tuple[int, ...]
"""Numbers of steps, and one more: 0 is what could not be told."""


def is_level(struct_type: type, field: str) -> bool:
    """Whether a field is a state or count, and not a rate or share: these are averaged, those are not."""
    return str(struct_type.__annotations__[field]).startswith("int")


def steps(struct_type: type, fields: Iterable[str]) -> tuple[float, ...]:
    """The steps of some fields of Sample or HostSample."""
    return tuple(STEPS.get(field, 1.0 if is_level(struct_type, field) else FINE) for field in fields)


SAMPLE_STEPS = steps(Sample, SAMPLE_FIELDS)
HOST_STEPS = steps(HostSample, HOST_FIELDS)


def row(values: Sequence[float | None], scale: Sequence[float]) -> Row:
    """Measured values in steps."""
    try:
        whole = tuple(0 if v is None else round(v * k) + 1 for v, k in zip(values, scale, strict=True))
        if min(whole, default=0) >= 0 and max(whole, default=0) < LARGEST:
            return whole
    except (ValueError, OverflowError):  # not a number, infinite
        pass
    return tuple(_step(v, k) for v, k in zip(values, scale, strict=True))


def _step(value: float | None, scale: float) -> int:
    """What no kernel reports, put where a number can be kept."""
    if value is None or not math.isfinite(value):
        return 0
    return min(max(round(value * scale), 0), LARGEST - 2) + 1


def value(step: int, scale: float, level: bool) -> float | None:
    """What was measured, back from steps."""
    if step <= 0:
        return None
    return round((step - 1) / scale) if level else (step - 1) / scale


def planes(rows: Iterable[Row]) -> bytes:
    """Rows as bytes: first the lowest byte of every number, then the next, up to the eighth."""
    numbers = list(chain.from_iterable(rows))
    data = struct.pack(f"<{len(numbers)}Q", *numbers)
    return b"".join(data[byte::8] for byte in range(8))


def unplaned(data: bytes) -> tuple[int, ...]:
    """The numbers of `planes`, rows one after the other; raises Corrupt where it cannot be them."""
    count, rest = divmod(len(data), 8)
    if rest:
        raise Corrupt("a frame's numbers are cut off")
    whole = bytearray(len(data))
    for byte in range(8):
        whole[byte::8] = data[byte * count : (byte + 1) * count]
    return struct.unpack(f"<{count}Q", whole)
