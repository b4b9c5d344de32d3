"""Metrics as text: OpenMetrics 1.0, or the older Prometheus format; pure.

https://prometheus.io/docs/specs/om/open_metrics_spec/ and
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


class Family(msgspec.Struct, frozen=True):
    """One metric with all its samples; a counter's name is without "_total", and ends with its unit."""

    name: str
    type: Literal["counter", "gauge"]
    help: str
    unit: str = ""
    samples: Sequence[tuple[Mapping[str, str], float]] = ()


def written(families: Iterable[Family], openmetrics: bool) -> str:
    """All of it; families without a sample are left out."""
    lines = list[str]()
    for family in families:
        if not family.samples:
            continue
        counter = "_total" if family.type == "counter" else ""
        name = family.name if openmetrics else family.name + counter
        lines.append(f"# TYPE {name} {family.type}")
        if openmetrics and family.unit:
            lines.append(f"# UNIT {name} {family.unit}")
        lines.append(f"# HELP {name} {family.help}")
        for labels, value in family.samples:
            told = ",".join(f'{label}="{text.translate(ESCAPES)}"' for label, text in labels.items())
            lines.append(f"{family.name}{counter}{f'{{{told}}}' if told else ''} {_number(value)}")
    if openmetrics:
        lines.append("# EOF")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(round(value, 9))
