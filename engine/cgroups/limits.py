"""Limits as data: from the kernel's readings, as a change, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import UNSET
from msgspec.structs import asdict, replace

from engine.cgroups import io
from engine.errors import Unsupported
from engine.model import IoLimit, LimitReading, Limits, LimitsChange


def limits_of(readings: Iterable[LimitReading]) -> Limits:
    """The limits that a set of readings shows."""
    values = dict[str, Any]()
    devices = dict[str, IoLimit]()
    for reading in readings:
        if reading.name == "io":
            if isinstance(reading.value, str):
                devices[reading.device] = io.limit_of(reading.value)
        elif reading.value is not None:
            values[reading.name] = reading.value
    return Limits(**values, io=devices)


def restoring(before: Limits, after: Limits) -> LimitsChange:
    """The change that leads from `after` back to `before`: what an undo applies."""
    fields = {
        name: getattr(before, name)
        for name in Limits.__struct_fields__
        if name != "io" and getattr(before, name) != getattr(after, name)
    }
    devices = {
        device: before.io.get(device, IoLimit())
        for device in before.io | after.io
        if before.io.get(device) != after.io.get(device)
    }
    return LimitsChange(**fields, io=devices or UNSET)


def setting(limits: Limits) -> LimitsChange:
    """The change that sets `limits` on a fresh cgroup."""
    return restoring(limits, Limits())


def supported(change: LimitsChange, readings: Iterable[LimitReading]) -> LimitsChange:
    """The change without what this host lacks: clearing that is nothing, setting it is Unsupported."""
    lacking = dict[str, Any]()
    for reading in readings:
        if reading.supported:
            continue
        value = getattr(change, reading.name)
        if not (value is UNSET or value is None or value is False or value == {}):  # 0 sets: swap=0
            doing = f"{reading.name} cannot be set here: {reading.why_not}"
            raise Unsupported(doing, "leave it out; `tiffin doctor` tells more")
        lacking[reading.name] = UNSET
    return replace(change, **lacking)


def describe(before: Limits, after: Limits) -> dict[str, str]:
    """What differs, as an event's attributes: `{"cpus": "0.5 → 1.0"}`."""
    return {
        name: f"{_word(getattr(before, name))} → {_word(getattr(after, name))}"
        for name in Limits.__struct_fields__
        if getattr(before, name) != getattr(after, name)
    }


def _word(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{device}: {_word(limit)}" for device, limit in value.items()) or "max"
    if isinstance(value, IoLimit):
        rates = asdict(value)
        return " ".join(f"{name}={rate}" for name, rate in rates.items() if rate is not None) or "max"
    return "max" if value is None else str(value)
