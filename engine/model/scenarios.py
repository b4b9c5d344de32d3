"""The demos: what there is to play, and one run of it as it stands."""

from __future__ import annotations

from typing import Literal

from engine.model.base import Noun

LaneName = Literal["unprotected", "protected"]
RunState = Literal["preparing", "running", "done", "left", "failed"]


class Protection(Noun, frozen=True):
    """One way to keep the neighbour from hurting the victim."""

    name: str  # "idle"
    words: str  # what it is, in the kernel's terms: "cpu.idle = 1 on setup"
    price: str  # what it is expected to cost
    why_not: str = ""  # where this host lacks it: one sentence


class Scenario(Noun, frozen=True):
    """One demo of the gallery."""

    name: str
    title: str
    story: str  # two or three sentences: what is shown, and how it is measured
    suffering: str  # what the victim's number is: "keystroke latency, p99"
    unit: str  # of that number: "ms", "%"
    work: str  # what the neighbour's work is counted in: "parts unpacked"
    seconds: float  # how long a run takes by default
    protections: list[Protection]  # the first is used unless another is asked for
    why_not: str = ""  # where it cannot be played here: one sentence
    left_at: float | None = None  # seconds into a run that was left and can be resumed


class ScenarioAsk(Noun, frozen=True):
    """What a run is asked for."""

    protection: str = ""  # by name; the scenario's first where it is empty
    seconds: float = 0  # 0: the scenario's own
    resume: bool = False  # go on with the run that was left; its protection and length stay


class Measure(Noun, frozen=True):
    """One number and what it is of; None where it was not measured, and then `why_not` says why."""

    label: str
    value: float | None
    unit: str = ""
    why_not: str = ""


class KernelWrite(Noun, frozen=True):
    """One kernel file that was written, as it was read back."""

    container: str  # "setup"
    file: str  # absolute
    value: str
    lane: LaneName = "protected"
    cap: bool = False  # bounds the demo itself, and protects nobody


class Lane(Noun, frozen=True):
    """One side of the screen. Its clock counts only the time in which it was its turn."""

    name: LaneName
    title: str
    turn: bool  # it is being measured now, and the other one waits
    at: float  # its clock, seconds
    victim: str  # what the victim is doing, its newest end last
    neighbour: str  # what the neighbour has done
    points: list[tuple[float, float]]  # seconds on its clock, the worst of the victim's number until then
    measures: list[Measure]
    facts: list[tuple[str, str]] = []  # in place of a curve: what was found, and what it is


class Tried(Noun, frozen=True):
    """What one protection did, as far as it was measured."""

    protection: str
    suffered: float | None
    kept: float | None  # share of the work the neighbour did unprotected; may be over 1


class Verdict(Noun, frozen=True):
    """How it ended: suffering unprotected, suffering protected, and the share of the neighbour's work kept."""

    figures: list[Measure]  # these three, in this order
    words: str


class ScenarioRun(Noun, frozen=True):
    """One run as it stands; a stream of them tells how it goes, each complete in itself."""

    scenario: Scenario
    state: RunState
    seconds: float
    elapsed: float
    protection: str
    lanes: list[Lane]  # unprotected, protected
    written: list[KernelWrite]
    verdict: Verdict | None = None  # of the protection in force, as soon as both lanes have numbers
    tried: list[Tried] = []
    notes: list[str] = []  # what else is to be known of it, a sentence each
    started_at: float = 0
    host: str = ""  # what it was measured on
    error: str = ""  # why it failed
