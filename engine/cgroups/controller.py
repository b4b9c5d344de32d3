"""What every controller offers to `Cgroup`, and the stand-in for one that this host lacks."""

from __future__ import annotations

import math
from typing import Protocol

from engine.cgroups import files
from engine.errors import BadRequest
from engine.model import LimitReading, Limits, LimitsChange

UNLIMITED = "max"
MOST = 2**63 - 1  # every counter of the kernel takes this without wrapping around


class Controller(Protocol):
    """The limits of one controller in one cgroup."""

    def readings(self) -> list[LimitReading]:
        """What the kernel holds now, in the order of Limits; io has one for each device."""
        ...

    def check(self, change: LimitsChange, now: Limits) -> None:
        """Raise BadRequest where the change is malformed or more than this host has."""
        ...

    def apply(self, change: LimitsChange, now: Limits) -> None:
        """Write the fields that are set in `change`, a checked one; raises TiffinError, perhaps half-way."""
        ...


class Missing:
    """A controller that this host lacks: reads as unsupported, takes only changes that clear."""

    def __init__(self, names: tuple[str, ...], why_not: str) -> None:
        self.names = names
        self.why_not = why_not

    def readings(self) -> list[LimitReading]:
        """One unsupported reading for each name."""
        return [unsupported(name, self.why_not) for name in self.names]

    def check(self, change: LimitsChange, now: Limits) -> None:
        """Nothing: `limits.supported` left none of its fields set."""

    def apply(self, change: LimitsChange, now: Limits) -> None:
        """Nothing: there is nothing to clear."""


def unsupported(name: str, why_not: str, file: str = "") -> LimitReading:
    """The reading of a limit that cannot be set here."""
    return LimitReading(name=name, value=None, file=file, raw="", supported=False, why_not=why_not)


def put(limit: str, path: str, value: str, remedy: str = "") -> None:
    """Write a limit's file; raises the TiffinError that names limit, file, value and answer."""
    try:
        files.write(path, value)
    except OSError as error:
        doing = f"setting {limit}: writing {value.strip()!r} to {path}"
        raise files.refusal(doing, path, error, remedy) from None


def within(name: str, value: object, least: float, most: float = math.inf, what: str = "") -> None:
    """Raise BadRequest where `value` is a number out of range; UNSET and None are in every range."""
    if isinstance(value, int | float) and not (math.isfinite(value) and least <= value <= min(most, MOST)):
        choose = f"choose {least} to {most}" if most < MOST else f"give at least {least}"
        raise BadRequest(f"{name} {value} is out of range", f"{choose}{what}")
