"""Verdicts in words."""

from __future__ import annotations

from engine.model import Blame, Held, Resource, Suspect
from tui.presentation.quantities import cores, exact_cores, rate, share, size

WAITS_FOR: dict[Resource, str] = {"cpu": "for CPU", "memory": "for memory", "io": "for a disk"}
HIGH, SURE = 0.8, 0.5
"""From where a confidence is called high, and from where the engine names a suspect as the cause."""
FLAGS = {
    "cpus": "--cpus", "cpu_idle": "--cpu-idle", "cpuset": "--cpuset-cpus", "memory": "--memory",
    "memory_high": "--memory-high", "read_bps": "--device-read-bps", "write_bps": "--device-write-bps",
    "read_iops": "--device-read-iops", "write_iops": "--device-write-iops",
}  # fmt: skip


def waits(verdict: Blame) -> str:
    """What it suffers: "waits 62 % of the time for CPU"."""
    return f"waits {percent(verdict.stall)} of the time {WAITS_FOR[verdict.resource]}"


def percent(part: float) -> str:
    """A share as it stands in a sentence: "62 %"."""
    return f"{part * 100:.0f} %"


def certainty(confidence: float) -> str:
    """In a word: "high", "medium" or "low"."""
    return "high" if confidence >= HIGH else "medium" if confidence >= SURE else "low"


def used(resource: Resource, suspect: Suspect) -> str:
    """What a suspect used while the victim waited: "1.9 cores", "84 % of the IO", "takes 120M/s"."""
    if resource == "cpu":
        return f"{cores(suspect.usage)} cores"
    if resource == "io":
        return f"{percent(suspect.share)} of the IO"
    return f"takes {rate(suspect.usage)}"


def suspicion(verdict: Blame, suspect: Suspect) -> str:
    """ "setup (1.90 cores, confidence high)"."""
    return f"{suspect.name} ({used(verdict.resource, suspect)}, confidence {certainty(suspect.confidence)})"


def why(verdict: Blame) -> str:
    """The cause as a phrase: "suspect: setup (1.90 cores, confidence high)"."""
    suspects = verdict.suspects
    match verdict.cause:
        case "limit" if verdict.held is not None:
            told = f"held by its own limit: {limit(verdict.held)}"
            if suspects and suspects[0].confidence >= SURE:
                told += f" · beside it: {suspicion(verdict, suspects[0])}"
            return told
        case "neighbour" if suspects:
            others = [s for s in suspects[1:3] if s.confidence >= SURE]
            also = f", and {' and '.join(s.name for s in others)}" if others else ""
            return f"suspect: {suspicion(verdict, suspects[0])}{also}"
        case "itself":
            return f"by its own work: {own(verdict)}"
        case "host":
            busy = f", {percent(verdict.busy)} busy" if verdict.busy is not None else ""
            largest = (
                f"; most has {suspects[0].name} with {used(verdict.resource, suspects[0])}"
                if suspects
                else ""
            )
            return f"the host is full{busy}, nobody in particular{largest}"
    return "these figures do not tell why"


def own(verdict: Blame) -> str:
    """What the victim itself uses of what it waits for."""
    if verdict.resource == "cpu":
        return f"it uses {cores(verdict.usage)} cores itself"
    return "most of the IO is its own" if verdict.resource == "io" else "most of the memory taken is its own"


def limit(held: Held) -> str:
    """The limit and what to set it to: "cpus 0.5, it would use up to 1.2"."""
    match held.limit:
        case "cpus":
            return f"cpus {exact_cores(held.now)}, it would use up to {exact_cores(held.advice)}"
        case "cpu_idle":
            return "cpu idle, it runs only when nobody else wants to; turn it off"
        case "cpuset":
            return f"cpuset, {held.now:.0f} of {held.advice:.0f} cores; give it more"
        case "memory" | "memory_high":
            name = held.limit.replace("_", " ")
            return f"{name} {size(held.now)}; try {size(held.advice)}"
        case "read_iops" | "write_iops":
            return f"{held.limit.replace('_', ' ')} {held.now:.0f} on {held.device}; try {held.advice:.0f}"
    return f"{held.limit.replace('_', ' ')} {rate(held.now)} on {held.device}; try {rate(held.advice)}"


def remedy(name: str, held: Held) -> str:
    """The command that sets what is advised."""
    flag = FLAGS[held.limit]
    match held.limit:
        case "cpus":
            value = exact_cores(held.advice)
        case "cpu_idle":
            return f"tiffin update --cpu-idle=false {name}"
        case "cpuset":
            value = f"0-{held.advice - 1:.0f}"
        case _:
            value = f"{held.device}:{held.advice:.0f}" if held.device else _exact(held.advice)
    return f"tiffin update {flag} {value} {name}"


def _exact(bytes: float) -> str:
    return f"{bytes / (1 << 20):.0f}m"


def sentence(name: str, verdict: Blame) -> str:
    """All of it: "word waits 62 % of the time for CPU · suspect: setup (1.90 cores, confidence high)"."""
    return f"{name} {waits(verdict)} · {why(verdict)}"


def evidence(suspect: Suspect) -> str:
    """Why it is suspected, in figures."""
    return f"{share(suspect.share)} of all use while it waited, correlation {suspect.correlation:+.2f}"
