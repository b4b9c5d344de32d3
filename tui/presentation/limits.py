"""Limits as people read them: each field by its kernel name, ∞ for none."""

from __future__ import annotations

from engine.model import IoLimit, Limits
from tui.presentation.quantities import NO_LIMIT, cores_limit, exact_size

_SIZES = frozenset({"memory", "memory_high", "swap"})
_UNLIMITED_NEVER = frozenset(
    {"cpu_weight", "io_weight", "cpuset"}
)  # unset, these have the kernel's own value
_RATES = (
    ("read_bps", "r", "B/s"),
    ("write_bps", "w", "B/s"),
    ("read_iops", "r", "/s"),
    ("write_iops", "w", "/s"),
)


def label(field: str) -> str:
    """A field of Limits as it is called on screen: "cpu weight"."""
    return field.replace("_", " ")


def value(field: str, limit: object) -> str:
    """One field's value: "0.5", "64M", "on", "∞", or "default" for what has no end to lift."""
    if limit is None:
        return "default" if field in _UNLIMITED_NEVER else NO_LIMIT
    if isinstance(limit, bool):
        return "on" if limit else "off"
    if field == "cpus" and isinstance(limit, (int, float)):
        return cores_limit(limit)
    if field in _SIZES and isinstance(limit, int):
        return exact_size(limit)
    return str(limit)


def io(limit: IoLimit | None) -> str:
    """The throttles of one device: "r 10MB/s w 100/s"; ∞ for none."""
    pieces = []
    for field, direction, unit in _RATES:
        rate = getattr(limit, field, None)
        if rate is not None:
            pieces.append(
                f"{direction} {exact_size(rate).removesuffix('B') if unit == 'B/s' else rate}{unit}"
            )
    return " ".join(pieces) or NO_LIMIT


def differences(before: Limits, after: Limits) -> list[str]:
    """What changed, one phrase a field: "cpus ∞ → 0.5"."""
    phrases = [
        f"{label(field)} {value(field, getattr(before, field))} → {value(field, getattr(after, field))}"
        for field in Limits.__struct_fields__
        if field != "io" and getattr(before, field) != getattr(after, field)
    ]
    for device in sorted(before.io.keys() | after.io.keys()):
        old, new = before.io.get(device), after.io.get(device)
        if old != new:
            phrases.append(f"io {device} {io(old)} → {io(new)}")
    return phrases
