"""Demos as people read them: numbers with their units, kernel files without their long middle."""

from __future__ import annotations

import re

from engine.model import KernelWrite, Measure, Tried
from tui.presentation.quantities import ABSENT

_ID = re.compile(r"/[^/]+/[0-9a-f]{64}/")


def number(measure: Measure) -> str:
    """A measure's value and unit: "20.8 ms", "102 %", "1.88"."""
    if measure.value is None:
        return "not measured" if measure.why_not else ABSENT
    value = measure.value
    whole = float(value).is_integer() and measure.unit in ("", "×")
    digits = 0 if whole or measure.unit == "%" or abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = f"{value:,.{digits}f}".replace(",", " ")
    return f"{text} {measure.unit}".replace(" /", "/").rstrip()


def file(write: KernelWrite) -> str:
    """A kernel file by what tells: "…/setup/cpu.idle"."""
    return _ID.sub(f"/…/{write.container}/", write.file)


def wrote(write: KernelWrite) -> str:
    """What was written: "/sys/fs/cgroup/cpu/…/setup/cpu.idle ← 1"."""
    return f"{file(write)} ← {write.value}"


def tried(one: Tried, unit: str) -> str:
    """One protection's result: "idle 1.2 ms, 102% kept"."""
    suffered = number(Measure(label="", value=one.suffered, unit=unit))
    kept = ABSENT if one.kept is None else f"{one.kept:.0%}"
    return f"{one.protection} {suffered}, {kept} kept"
