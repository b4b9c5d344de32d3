"""Who is hurting whom: what a stalled cgroup waits for, and why."""

from __future__ import annotations

from typing import Literal

from engine.model.base import Noun

Resource = Literal["cpu", "memory", "io"]
RESOURCES: tuple[Resource, ...] = ("cpu", "memory", "io")

Cause = Literal["limit", "neighbour", "host", "itself", "unclear"]
"""What a cgroup that stalls is held by: a limit of its own; another cgroup; a machine that many small users fill;
more work of its own than it can get; or something that these figures do not tell."""

StallMeasure = Literal["psi", "run queue"]
"""Where a stall is from: the kernel's pressure files, or, where there are none, its threads' waiting."""

REST = "host:rest"
"""The id of the suspect that stands for everything that runs in no watched cgroup."""


class Suspect(Noun, frozen=True, omit_defaults=False):
    """A cgroup that may be the cause of another's stall, with the evidence."""

    id: str  # a container's, "cgroup:/path", or REST
    name: str
    usage: float  # mean while the victim waited: cores; share of a disk's time; bytes of memory a second
    share: float  # what part of all that others used while the victim waited was its, 0 to 1
    correlation: (
        float  # whether it was used above or below the stall of its time, −1 to 1; see docs/attribution.md
    )
    together: float  # whether stall and use rose and fell together, −1 to 1; 0 where the stall was steady
    confidence: float  # the chance that it is a cause, 0 to 1, as calibrated on known scenarios


class Held(Noun, frozen=True, omit_defaults=False):
    """A limit of its own that a cgroup is held by, and a value with which it would not be, as far as can be told."""

    limit: str  # a field of Limits, or of IoLimit
    now: float
    advice: float
    device: str = ""


class Blame(Noun, frozen=True, omit_defaults=False):
    """What one stalled cgroup waits for, and why."""

    id: str
    name: str
    resource: Resource
    cause: Cause
    stall: float  # share of the last seconds in which some task of it waited
    since: float  # Unix seconds
    measure: StallMeasure = "psi"
    held: Held | None = None  # also beside a neighbour, where both hold it
    suspects: list[Suspect] = []  # the likeliest first
    busy: float | None = None  # cpu: share of the machine's cores in use
    usage: float = 0.0  # its own, in the suspects' units

    @property
    def accused(self) -> Suspect | None:
        """The neighbour that is held to be the cause."""
        return self.suspects[0] if self.cause == "neighbour" and self.suspects else None


class Line(Noun, frozen=True, omit_defaults=False):
    """What one suspect used, tick by tick."""

    suspect: Suspect
    use: list[float]


class Evidence(Noun, frozen=True, omit_defaults=False):
    """One victim's stall and its suspects' use over the last minute, on one axis of time."""

    id: str
    name: str
    resource: Resource
    at: list[float]
    stall: list[float]
    lines: list[Line]  # the likeliest first
    blame: Blame | None = None  # of now; None while it does not stall


class Proof(Noun, frozen=True, omit_defaults=False):
    """What came of freezing a suspect for moments: the victim's stall with it and without it."""

    victim: str
    suspect: str
    resource: Resource
    measure: StallMeasure
    rounds: int
    seconds: float  # of each moment
    running: float  # share of the time the victim stalled while the suspect ran
    frozen: float  # and while it stood still
    share: float | None  # of the stall that was the suspect's; None where there was none to speak of
    error: float | None  # ± this, with 95 % confidence; None with one round
