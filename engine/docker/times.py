"""Times as Docker writes and reads them."""

from __future__ import annotations

import contextlib
import re
import time
from datetime import UTC, datetime

from engine.errors import BadRequest

LATEST = 253402300800.0  # the year 10000, which has five digits
NEVER = "0001-01-01T00:00:00Z"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_STEPS = (  # go-units: below so many seconds, one of that unit is so many seconds
    (60, 1, "second"),
    (3600, 60, "minute"),
    (48 * 3600, 3600, "hour"),
    (14 * 86400, 86400, "day"),
    (60 * 86400, 7 * 86400, "week"),
    (730 * 86400, 30 * 86400, "month"),
)


def rfc3339(at: float) -> str:
    """Unix seconds in UTC with nanoseconds; 0 is Go's zero time."""
    if not at:
        return NEVER
    whole, part = divmod(round(at * 1e6), 10**6)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{part:06d}000Z"


def parse_time(text: str | None, field: str) -> float:
    """Unix seconds from a `since` or `until`: seconds, a duration back from now, or RFC 3339; 0: none."""
    if not text:
        return 0.0
    at = _read(text)
    if at is None or not 0 <= at < LATEST:
        raise BadRequest(
            f"{field} is {text!r}", "give Unix seconds, a duration as 10m, or 2026-01-02T03:04:05Z"
        )
    return at


def _read(text: str) -> float | None:
    with contextlib.suppress(ValueError):
        return float(text)
    if _DURATION.sub("", text) == "":
        return time.time() - sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text))
    with contextlib.suppress(ValueError):
        at = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    return None


def ago(seconds: float) -> str:
    """A duration in Docker's words, "About a minute"."""
    if seconds < 1:
        return "Less than a second"
    if seconds < 2:
        return "1 second"
    for below, size, unit in _STEPS:
        if seconds < below:
            count = int(seconds / size)
            if count == 1 and unit in ("minute", "hour"):
                return f"About {'an' if unit == 'hour' else 'a'} {unit}"
            return f"{count} {unit}{'s' if count != 1 else ''}"
    return f"{int(seconds / (365 * 86400))} years"
