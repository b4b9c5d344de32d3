"""Samples as CSV: one row for each container and tick, under a header that does not change."""

from __future__ import annotations

import csv
import sys
from typing import TextIO

from engine.model import SAMPLE_FIELDS, ContainerSummary, Sample
from tui.presentation.times import stamp

SHARE = "share"  # of the time, 0 to 1
UNITS = {
    "cpu": "cores", "cpu_user": "cores", "cpu_system": "cores", "throttled": SHARE,
    "cpu_some": SHARE, "cpu_full": SHARE, "memory_some": SHARE, "memory_full": SHARE, "io_some": SHARE,
    "io_full": SHARE, "memory": "bytes", "cache": "bytes", "memory_limit": "bytes",
    "io_read": "bytes_per_second", "io_write": "bytes_per_second",
    "io_reads": "per_second", "io_writes": "per_second",
    "net_rx": "bytes_per_second", "net_tx": "bytes_per_second",
    "net_rx_packets": "per_second", "net_tx_packets": "per_second",
}  # fmt: skip
"""Of each field of Sample that has a unit; the others are counts."""

HEADER = (
    "time", "unix_seconds", "id", "name", "image", "status", "cpu_limit_cores",
    *(f"{field}_{UNITS[field]}" if field in UNITS else field for field in SAMPLE_FIELDS),
)  # fmt: skip


class Table:
    """Rows on standard output, each there at once."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._csv = csv.writer(out, lineterminator="\n")
        self._csv.writerow(HEADER)

    def row(self, at: float, container: ContainerSummary, sample: Sample | None) -> None:
        """One container at one tick; what could not be told is empty."""
        measured = (
            [None] * len(SAMPLE_FIELDS) if sample is None else [getattr(sample, f) for f in SAMPLE_FIELDS]
        )
        told = [round(value, 4) if isinstance(value, float) else value for value in measured]
        limit = container.limits.cpus
        self._csv.writerow(
            [
                stamp(at),
                round(at, 3),
                container.id,
                container.name,
                container.image,
                container.state.status,
                limit,
                *told,
            ]
        )

    def flush(self) -> None:
        """Let a reader have what was written."""
        self._out.flush()
