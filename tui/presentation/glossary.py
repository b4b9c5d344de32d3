"""What each measure of pressure means, in one sentence: the same in command line, deck and docs/attribution.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from engine.model import Sample
from tui.presentation.quantities import count, rate, share


class Measure(NamedTuple):
    """One field of Sample."""

    field: str
    label: str
    meaning: str
    v1: str  # the kernel's file, empty where that version does not tell
    v2: str
    write: Callable[[float | None], str] = share

    def of(self, sample: Sample) -> str:
        """Its value, as it is read; a dash where this host cannot tell."""
        return self.write(getattr(sample, self.field))


PRESSURE: tuple[Measure, ...] = (
    Measure(
        "cpu_some",
        "CPU stall",
        "share of the time in which some task of it waited for a CPU",
        "",
        "cpu.pressure",
    ),
    Measure(
        "cpu_full",
        "CPU full",
        "share in which none of it ran and some wanted to: others, or its quota",
        "",
        "cpu.pressure",
    ),
    Measure(
        "cpu_wait",
        "run-queue wait",
        "what its threads waited for a CPU, where there is no PSI; a lower bound",
        "/proc/TID/schedstat",
        "/proc/TID/schedstat",
    ),
    Measure(
        "throttled",
        "throttled",
        "share of its quota's periods in which the quota ran out",
        "cpu.stat",
        "cpu.stat",
    ),
    Measure(
        "memory_some",
        "memory stall",
        "share of the time in which some task waited for memory: reclaim, swap, refaults",
        "",
        "memory.pressure",
    ),
    Measure(
        "memory_full",
        "memory full",
        "share in which all of it that was not idle waited for memory",
        "",
        "memory.pressure",
    ),
    Measure(
        "io_some", "IO stall", "share of the time in which some task waited for a disk", "", "io.pressure"
    ),
    Measure(
        "io_full",
        "IO full",
        "share in which all of it that was not idle waited for a disk",
        "",
        "io.pressure",
    ),
    Measure(
        "faults",
        "faults",
        "page faults a second; most need no disk",
        "memory.stat pgfault",
        "memory.stat pgfault",
        count,
    ),
    Measure(
        "major_faults",
        "major faults",
        "page faults a second that had to wait for a disk",
        "memory.stat pgmajfault",
        "memory.stat pgmajfault",
        count,
    ),
    Measure(
        "refaults",
        "refaults",
        "pages a second that reclaim had taken away and that were wanted back",
        "memory.stat workingset_refault",
        "memory.stat workingset_refault",
        count,
    ),
    Measure("charged", "charged", "memory a second newly taken, cache too", "memory.stat pgpgin", "", rate),
    Measure("scanned", "scanned", "memory a second that reclaim looked at", "", "memory.stat pgscan", rate),
    Measure(
        "reclaimed", "reclaimed", "memory a second that reclaim took away", "", "memory.stat pgsteal", rate
    ),
    Measure(
        "memory_highs",
        "slowed",
        "how often it was slowed down at memory.high, since it was made",
        "",
        "memory.events high",
        count,
    ),
    Measure(
        "memory_failures",
        "limit hits",
        "how often it ran into its memory limit, since it was made",
        "memory.failcnt",
        "memory.events max",
        count,
    ),
    Measure(
        "oom_kills",
        "OOM kills",
        "processes of it that were killed for want of memory, since it was made",
        "memory.oom_control oom_kill",
        "memory.events oom_kill",
        count,
    ),
)
"""What stalls a container, and what comes of it; in the order it is shown in."""

BY_FIELD = {measure.field: measure for measure in PRESSURE}


def markdown() -> str:
    """The table of the docs."""
    rows = [f"| {m.label} | `{m.field}` | {m.meaning} | {_code(m.v1)} | {_code(m.v2)} |" for m in PRESSURE]
    return "\n".join(["| measure | field | what it is | v1 | v2 |", "| --- | --- | --- | --- | --- |", *rows])


def _code(file: str) -> str:
    return f"`{file}`" if file else "–"
