"""Durations and moments as people read them; seconds in, text out."""

from __future__ import annotations

import datetime

STEPS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
WORDS = (
    (365 * 86400, "year"),
    (30 * 86400, "month"),
    (7 * 86400, "week"),
    (86400, "day"),
    (3600, "hour"),
    (60, "minute"),
    (1, "second"),
)


def duration(seconds: float | None, parts: int = 2) -> str:
    """The largest `parts` units: "3m 12s", "2d 4h", "12s", "0s"."""
    if seconds is None:
        return "–"
    left = max(0, int(seconds))
    for place, (step, _) in enumerate(STEPS):
        if left >= step:
            pieces: list[str] = []
            for unit, letter in STEPS[place : place + parts]:
                amount, left = divmod(left, unit)
                if amount or not pieces:
                    pieces.append(f"{amount}{letter}")
            return " ".join(pieces)
    return "0s"


def exact_duration(seconds: float) -> str:
    """A duration so that `entry.duration` reads the same back, to the microsecond: "1m30s", "0.25s"."""
    micros = round(seconds * 1_000_000)
    whole, rest = divmod(micros, 1_000_000)
    hours, whole = divmod(whole, 3600)
    minutes, whole = divmod(whole, 60)
    text = (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "")
    if whole or rest or not text:
        text += f"{whole}" + (f".{rest:06d}".rstrip("0") if rest else "") + "s"
    return text


def in_words(seconds: float) -> str:
    """One rounded-down unit in words, as Docker's `ps` has it: "3 minutes", "1 hour"."""
    for step, word in WORDS:
        amount = int(seconds // step)
        if amount >= 1:
            return f"{amount} {word}" + ("s" if amount > 1 else "")
    return "less than a second"


def ago(moment: float, now: float) -> str:
    """How long before `now` a moment was: "3 minutes ago"; a dash for 0, which means never."""
    return f"{in_words(max(0.0, now - moment))} ago" if moment else "–"


def clock(moment: float, millis: bool = False) -> str:
    """Local time of day: "14:06:01", or "14:06:01.120"."""
    local = datetime.datetime.fromtimestamp(moment)
    return local.strftime("%H:%M:%S") + (f".{local.microsecond // 1000:03d}" if millis else "")


def stamp(moment: float) -> str:
    """RFC 3339 in UTC with microseconds: "2026-01-02T03:04:05.123456Z"."""
    utc = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def local_stamp(moment: float) -> str:
    """Local date and time with offset, to the second: "2026-01-02 03:04:05 +0100"."""
    return datetime.datetime.fromtimestamp(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
