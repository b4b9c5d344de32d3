"""The steps that + and − turn a limit by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from engine.model import IoLimit, Limits, LimitsChange
from tui.deck.selection import Gauge

N = TypeVar("N", int, float)
MiB = 1 << 20
CPU_STEPS = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 0.75)
PIDS_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)
IO_STEPS = tuple(MiB * n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000))
IO_LEAST = 5 * MiB
MEMORY_LEAST = 8 * MiB  # the engine takes 6 MiB at least


def turn(
    gauge: Gauge, limits: Limits, up: bool, *, cores: int, memory: int, used: int, device: str
) -> LimitsChange | None:
    """The next step up or down from what `limits` has; None at the end of the scale, or where it cannot be.

    `cores` and `memory` (bytes) are the machine's and end the scales: above them there is no limit. `used` is
    what is in use, bytes or bytes a second: a first limit is close above it, not at the machine's size.
    `device` is the one whose throughput IO turns.
    """
    match gauge:
        case "cpu":
            cpus = step(cpu_scale(cores), limits.cpus, up)
            return LimitsChange(cpus=cpus) if cpus != limits.cpus else None
        case "memory":
            scale = memory_scale(memory)
            near = _close_above(scale, used) if limits.memory is None and used else scale
            bytes = step(near, limits.memory, up)
            return LimitsChange(memory=bytes) if bytes != limits.memory else None
        case "pids":
            pids = step(PIDS_STEPS, limits.pids, up)
            return LimitsChange(pids=pids) if pids != limits.pids else None
        case "io":
            now = limits.io.get(device, IoLimit())
            rates = IO_STEPS if now.write_bps else _close_above(IO_STEPS, max(used, IO_LEAST))
            rate = step(rates, now.write_bps, up)
            limit = msgspec.structs.replace(now, read_bps=rate, write_bps=rate)
            return LimitsChange(io={device: limit}) if limit != now else None
        case "none":
            return None


def _close_above(scale: Sequence[int], used: int) -> Sequence[int]:
    return [size for size in scale if size <= used * 2] or scale[:1]


def step(scale: Sequence[N], now: N | None, up: bool) -> N | None:
    """The neighbour of `now` on an ascending scale whose upper end is None, no limit."""
    if up:
        return None if now is None else next((s for s in scale if s > now), None)
    return scale[-1] if now is None else next((s for s in reversed(scale) if s < now), now)


def cpu_scale(cores: int) -> list[float]:
    """Parts of a core, then halves to four cores, then cores: up to the machine's."""
    halves = [n / 2 for n in range(2, 2 * min(cores, 4) + 1)]
    return [*CPU_STEPS, *halves, *(float(n) for n in range(5, cores + 1))]


def memory_scale(total: int) -> list[int]:
    """8M, 10M, 12M, 14M, 16M, 20M … : four steps for each doubling, below `total` bytes."""
    scale = []
    base = MEMORY_LEAST
    while base < total:
        scale += [base * quarter // 4 for quarter in (4, 5, 6, 7) if base * quarter // 4 < total]
        base *= 2
    return scale
