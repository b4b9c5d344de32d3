"""A scenario as it was measured: tick by tick, so that it can be judged again anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import zstandard

from benchmarks.blame.plan import Kind
from engine.model import HostSample, Limits, Resource, Sample

FOLDER = Path(__file__).with_name("traces")
FIELDS = (
    "cpu", "throttled", "cpu_some", "cpu_full", "cpu_wait", "memory", "cache", "memory_limit", "memory_some",
    "memory_failures", "memory_highs", "charged", "reclaimed", "io_read", "io_write", "io_reads", "io_writes",
    "io_some",
)  # fmt: skip
"""What blame looks at."""


class Tick(msgspec.Struct, frozen=True):
    """One moment; a sample is its FIELDS."""

    at: float
    host: HostSample
    samples: dict[str, list[float | int | None]]


class Trace(msgspec.Struct, frozen=True):
    """One run of a plan; ids are the actors' names."""

    seed: int
    kind: Kind
    resource: Resource
    hogs: list[str]
    interval: float
    limits: dict[str, Limits]
    ticks: list[Tick]

    def samples(self) -> Iterator[tuple[float, HostSample, dict[str, Sample]]]:
        """Each tick as the sampler gave it."""
        for tick in self.ticks:
            yield tick.at, tick.host, {id: _sample(values) for id, values in tick.samples.items()}


def _sample(values: list[float | int | None]) -> Sample:
    return Sample(**dict(zip(FIELDS, values, strict=True)))  # type: ignore[arg-type]


def compact(sample: Sample) -> list[float | int | None]:
    """What is kept of a sample, shares to four digits, bytes to whole ones."""
    values = (getattr(sample, field) for field in FIELDS)
    return [
        value if not isinstance(value, float) else round(value, 4 if value < 100 else 0) for value in values
    ]


def save(trace: Trace) -> None:
    """Write it beside the others."""
    FOLDER.mkdir(exist_ok=True)
    data = msgspec.json.encode(trace)
    (FOLDER / f"{trace.seed:04}.json.zst").write_bytes(zstandard.compress(data, 19))


def load(parity: int | None = None) -> list[Trace]:
    """All traces, or those with even (0) or odd (1) seeds."""
    found = []
    for path in sorted(FOLDER.glob("*.json.zst")):
        if parity is None or int(path.name[:4]) % 2 == parity:
            data = zstandard.decompress(path.read_bytes())
            found.append(msgspec.json.decode(data, type=Trace))
    return found
